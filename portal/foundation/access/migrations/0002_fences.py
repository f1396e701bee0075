from django.db import migrations

from portal.foundation.tenancy.rls import isolate, own_rows_may_be_read


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]

    operations = [
        isolate("access_membership"),
        own_rows_may_be_read("access_membership"),
    ]
