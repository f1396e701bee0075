from django.apps import AppConfig


class OutboxConfig(AppConfig):
    name = "portal.foundation.outbox"
    label = "outbox"
