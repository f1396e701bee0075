"""What the list of requests is narrowed to."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("requests", "0004_fences")]

    operations = [
        migrations.AddIndex(
            model_name="certificaterequest",
            index=models.Index(fields=["tenant", "state", "id"], name="request_by_state"),
        ),
        migrations.AddIndex(
            model_name="certificaterequest",
            index=models.Index(fields=["tenant", "profile", "kind", "id"], name="request_by_profile"),
        ),
    ]
