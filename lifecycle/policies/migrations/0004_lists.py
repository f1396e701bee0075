from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("policies", "0003_administration")]

    operations = [
        migrations.AddIndex(
            model_name="agreementacceptance",
            index=models.Index(fields=["tenant", "agreement", "at", "id"], name="acceptance_by_agreement"),
        ),
    ]
