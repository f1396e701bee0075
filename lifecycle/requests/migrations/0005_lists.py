"""What the list of requests is narrowed to and ordered by."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("requests", "0004_fences")]

    operations = [
        migrations.AddIndex(
            model_name="certificaterequest",
            index=models.Index(fields=["tenant", "made_at", "id"], name="request_newest"),
        ),
        migrations.AddIndex(
            model_name="certificaterequest",
            index=models.Index(fields=["tenant", "kind", "made_at", "id"], name="request_newest_of_kind"),
        ),
        migrations.AddIndex(
            model_name="certificaterequest",
            index=models.Index(fields=["tenant", "state", "made_at", "id"], name="request_newest_of_state"),
        ),
        migrations.AddIndex(
            model_name="certificaterequest",
            index=models.Index(fields=["tenant", "requested_by", "made_at", "id"], name="request_newest_of_person"),
        ),
        migrations.AddIndex(
            model_name="certificaterequest",
            index=models.Index(fields=["tenant", "kind", "profile", "made_at", "id"], name="request_newest_of_profile"),
        ),
    ]
