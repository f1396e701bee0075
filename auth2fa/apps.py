from django.apps import AppConfig


class Auth2faConfig(AppConfig):
    """People and proofs: the first factor, and the second ones that confirm a deed."""

    name = "auth2fa"
    label = "auth2fa"
