from django.db import migrations

from portal.foundation.tenancy.rls import isolate, never_changes, same_tenant


class Migration(migrations.Migration):
    dependencies = [("certificates", "0001_initial"), ("authorities", "0002_fences")]

    operations = [
        isolate("certificates_certificate"),
        isolate("certificates_certificatekey"),
        isolate("certificates_revocation"),
        same_tenant("certificates_certificate", "authority_id", "authorities_certificateauthority"),
        same_tenant("certificates_certificate", "profile_id", "authorities_certificateprofile"),
        same_tenant("certificates_certificate", "shard_id", "authorities_crlshard"),
        same_tenant("certificates_certificate", "predecessor_id", "certificates_certificate"),
        same_tenant("certificates_certificatekey", "certificate_id", "certificates_certificate"),
        same_tenant("certificates_revocation", "authority_id", "authorities_certificateauthority"),
        same_tenant("certificates_revocation", "shard_id", "authorities_crlshard"),
        same_tenant("certificates_revocation", "certificate_id", "certificates_certificate"),
        never_changes("certificates_certificate"),
        never_changes("certificates_certificatekey"),
        never_changes("certificates_revocation"),
    ]
