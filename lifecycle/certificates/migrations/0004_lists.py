"""What lists are narrowed to and ordered by."""

from django.db import migrations, models

from portal.foundation.tenancy.rls import with_rls_lifted

# rows never change, so the trigger rests while those of before learn who issued them
_LEARN_ISSUERS = """
ALTER TABLE certificates_certificate DISABLE TRIGGER never_changes;
UPDATE certificates_certificate c SET issuer = a.name
  FROM authorities_certificateauthority a WHERE a.tenant_id = c.tenant_id AND a.id = c.authority_id;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE certificates_certificate ENABLE TRIGGER never_changes;
"""


class Migration(migrations.Migration):
    dependencies = [("certificates", "0003_administration"), ("authorities", "0003_administration")]

    operations = [
        migrations.AddField(
            model_name="certificate",
            name="issuer",
            field=models.CharField(default="", max_length=250),
        ),
        *with_rls_lifted(
            migrations.RunSQL(_LEARN_ISSUERS, migrations.RunSQL.noop),
            tables=["certificates_certificate", "authorities_certificateauthority"],
        ),
        migrations.RemoveIndex(model_name="certificate", name="certificate_by_issue"),
        migrations.RemoveIndex(model_name="certificate", name="certificate_by_name"),
        migrations.AddIndex(
            model_name="certificate",
            index=models.Index(fields=["tenant", "issued_at", "id", "not_after"], name="certificate_by_issue"),
        ),
        migrations.AddIndex(
            model_name="certificate",
            index=models.Index(fields=["tenant", "name", "id", "not_after"], name="certificate_by_name"),
        ),
        migrations.AddIndex(
            model_name="certificate",
            index=models.Index(fields=["tenant", "profile", "issued_at", "id"], name="certificate_newest_of_profile"),
        ),
        migrations.AddIndex(
            model_name="certificate",
            index=models.Index(fields=["tenant", "owner", "issued_at", "id"], name="certificate_newest_of_owner"),
        ),
        migrations.AddIndex(
            model_name="certificate",
            index=models.Index(fields=["tenant", "owner", "name", "id"], name="certificate_by_owner_and_name"),
        ),
        migrations.AddIndex(
            model_name="certificate",
            index=models.Index(fields=["tenant", "issuer", "issued_at", "id"], name="certificate_newest_of_issuer"),
        ),
        migrations.AddIndex(
            model_name="certificate",
            index=models.Index(fields=["tenant", "key_type", "issued_at", "id"], name="certificate_newest_of_key_type"),
        ),
        migrations.AddIndex(
            model_name="certificate",
            index=models.Index(fields=["tenant", "source", "issued_at", "id"], name="certificate_newest_of_source"),
        ),
        migrations.AddIndex(
            model_name="certificatekey",
            index=models.Index(fields=["tenant", "certificate", "key"], name="certificate_key_by_certificate"),
        ),
    ]
