from uuid import UUID

from django.apps.registry import Apps
from django.db import migrations
from django.utils import timezone


def _platform(apps: Apps, _schema_editor: object) -> None:
    """The tenant that stands for the platform itself; other tables refer to it by this very id."""
    tenant = apps.get_model("tenancy", "Tenant")
    tenant.objects.get_or_create(
        id=UUID(int=0),
        defaults={"slug": "platform", "name": "Platform", "created_at": timezone.now()},  # noqa: TID251 - a migration
    )


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0001_initial")]

    operations = [
        migrations.RunPython(_platform, migrations.RunPython.noop),
    ]
