from django.db import migrations

from portal.foundation.tenancy.rls import isolate, never_changes


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_administration")]

    operations = [
        isolate("audit_auditcheckpoint"),
        never_changes("audit_auditcheckpoint"),
        never_changes("audit_journalkey"),
    ]
