from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "portal.foundation.audit"
    label = "audit"
