from django.apps import AppConfig


class CertificatesConfig(AppConfig):
    name = "lifecycle.certificates"
    label = "certificates"
