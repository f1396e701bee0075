from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "portal.foundation.access"
    label = "access"
