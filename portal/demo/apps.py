from django.apps import AppConfig


class DemoConfig(AppConfig):
    """What exists in a demo only: its people, its story and its mailbox."""

    name = "portal.demo"
    label = "demo"
