from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_fences")]

    operations = [
        migrations.AddField(
            model_name="auditcheckpoint",
            name="previous",
            field=models.PositiveBigIntegerField(default=0),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="auditcheckpoint",
            constraint=models.UniqueConstraint(fields=("tenant", "previous"), name="checkpoint_follows_one"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["tenant", "at", "id"], name="audit_by_time"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["tenant", "actor", "at", "id"], name="audit_by_actor"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["tenant", "code", "at", "id"], name="audit_by_code"),
        ),
    ]
