from django.db import migrations

from portal.foundation.tenancy.rls import isolate, same_tenant


class Migration(migrations.Migration):
    dependencies = [("api", "0001_initial"), ("access", "0007_apitoken_fences")]

    operations = [
        isolate("api_firstanswer"),
        same_tenant("api_firstanswer", "token_id", "access_apitoken"),
    ]
