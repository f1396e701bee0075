from django.db import migrations

from portal.foundation.tenancy.rls import isolate_person, never_changes


class Migration(migrations.Migration):
    dependencies = [("auth2fa", "0003_administration")]

    operations = [
        isolate_person("auth2fa_enrolment"),
        never_changes("auth2fa_enrolment", but=["label", "memory", "confirmed_at", "removed_at"]),
    ]
