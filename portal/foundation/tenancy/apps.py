from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "portal.foundation.tenancy"
    label = "tenancy"
