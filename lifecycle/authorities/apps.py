from django.apps import AppConfig


class AuthoritiesConfig(AppConfig):
    name = "lifecycle.authorities"
    label = "authorities"
