from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The composition root: commands and grants, which know everything below."""

    name = "portal"
    label = "portal"

    def ready(self) -> None:
        """Let every process, and not only the workers, ring this portal's bells."""
        from portal.celery import app  # noqa: PLC0415 - it asks for the settings, which are complete only now

        app.set_default()
