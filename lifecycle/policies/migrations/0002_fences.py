from django.db import migrations

from portal.foundation.tenancy.rls import isolate, never_changes, same_tenant


class Migration(migrations.Migration):
    dependencies = [("policies", "0001_initial")]

    operations = [
        isolate("policies_policy"),
        isolate("policies_subscriberagreement"),
        isolate("policies_agreementacceptance"),
        same_tenant("policies_agreementacceptance", "agreement_id", "policies_subscriberagreement"),
        never_changes("policies_policy"),
        never_changes("policies_subscriberagreement"),
        never_changes("policies_agreementacceptance"),
    ]
