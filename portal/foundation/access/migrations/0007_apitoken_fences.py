from django.db import migrations

from portal.foundation.tenancy.rls import isolate, never_changes


class Migration(migrations.Migration):
    dependencies = [("access", "0006_apitoken")]

    operations = [
        isolate("access_apitoken"),
        never_changes("access_apitoken", but=["last_used_at", "revoked_at"]),
    ]
