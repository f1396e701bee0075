from django.apps import AppConfig


class WebConfig(AppConfig):
    """The shell that the pages of all features stand in."""

    name = "portal.web"
    label = "web"
