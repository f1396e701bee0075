"""An errand knows since when its world has been away; a heartbeat is a process's and no longer a service's.

Heartbeats are said anew every five seconds, so the old ones are not carried over.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("outbox", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="errand",
            name="away_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.DeleteModel(name="Heartbeat"),
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                ("worker", models.CharField(max_length=120, primary_key=True, serialize=False)),
                ("service", models.CharField(max_length=20)),
                ("at", models.DateTimeField()),
                ("facts", models.JSONField(default=dict)),
            ],
        ),
    ]
