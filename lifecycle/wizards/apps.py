from django.apps import AppConfig


class WizardsConfig(AppConfig):
    name = "lifecycle.wizards"
    label = "wizards"
