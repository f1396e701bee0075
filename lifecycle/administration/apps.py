from django.apps import AppConfig


class AdministrationConfig(AppConfig):
    name = "lifecycle.administration"
    label = "administration"
