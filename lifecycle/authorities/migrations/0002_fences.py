from django.db import migrations

from portal.foundation.tenancy.rls import isolate, never_changes, same_tenant


class Migration(migrations.Migration):
    dependencies = [("authorities", "0001_initial")]

    operations = [
        isolate("authorities_certificateauthority"),
        isolate("authorities_certificateprofile"),
        isolate("authorities_crlshard"),
        same_tenant("authorities_certificateauthority", "parent_id", "authorities_certificateauthority"),
        same_tenant("authorities_certificateprofile", "authority_id", "authorities_certificateauthority"),
        same_tenant("authorities_crlshard", "authority_id", "authorities_certificateauthority"),
        never_changes("authorities_certificateauthority"),
        never_changes("authorities_certificateprofile"),
        never_changes("authorities_crlshard", but=["handed_out"]),
    ]
