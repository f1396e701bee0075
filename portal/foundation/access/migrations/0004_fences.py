from django.db import migrations

from portal.foundation.tenancy.rls import isolate, never_changes, own_rows_may_be_read


class Migration(migrations.Migration):
    dependencies = [("access", "0003_administration")]

    operations = [
        isolate("access_invitation"),
        isolate("access_look"),
        own_rows_may_be_read("access_look"),
        never_changes("access_invitation", but=["sent_at", "expires_at", "taken_at", "taken_by", "withdrawn_at"]),
        never_changes("access_look", but=["ended_at"]),
    ]
