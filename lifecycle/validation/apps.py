from django.apps import AppConfig


class ValidationConfig(AppConfig):
    name = "lifecycle.validation"
    label = "validation"
