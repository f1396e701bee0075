from django.db import migrations

from portal.foundation.tenancy.rls import enforce_machine, isolate, never_changes, same_tenant

# What was proven stays as it was; and a proof needs a look that saw it, which only the validation worker can write: a
# web service that was taken over may ask for a proof, and cannot plant one.
_BY_A_LOOK = """
CREATE FUNCTION validation_proof_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('proved', 'failed') AND OLD IS DISTINCT FROM NEW THEN
        RAISE EXCEPTION 'what a proof came to never changes' USING ERRCODE = 'check_violation';
    ELSIF NEW.state = 'proved' AND OLD.state <> 'proved' AND NOT EXISTS (
        SELECT 1 FROM validation_controllook l
         WHERE l.tenant_id = NEW.tenant_id AND l.control_id = NEW.id AND l.reason = 'seen') THEN
        RAISE EXCEPTION 'no look saw this proof' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER proof_stands BEFORE UPDATE ON validation_domaincontrol
    FOR EACH ROW EXECUTE FUNCTION validation_proof_stands();
"""
_BY_ANYBODY = "DROP TRIGGER proof_stands ON validation_domaincontrol; DROP FUNCTION validation_proof_stands();"


class Migration(migrations.Migration):
    dependencies = [("validation", "0003_domains")]

    operations = [
        isolate("validation_publishingway"),
        never_changes("validation_publishingway", but=["retired_at", "tried_at", "said"]),
        isolate("validation_domain"),
        same_tenant("validation_domain", "publishing_id", "validation_publishingway"),
        never_changes("validation_domain", but=["method", "publishing_id", "proved_at", "retired_at"]),
        isolate("validation_domaincontrol"),
        same_tenant("validation_domaincontrol", "domain_id", "validation_domain"),
        never_changes("validation_domaincontrol", but=["state", "proved_at", "corroborated", "dnssec", "reason"]),
        enforce_machine(
            "validation_domaincontrol",
            initial="pending",
            arrows=[
                ("pending", "verifying"),
                ("verifying", "pending"),
                ("verifying", "proved"),
                ("pending", "failed"),
                ("verifying", "failed"),
            ],
        ),
        isolate("validation_controllook"),
        same_tenant("validation_controllook", "control_id", "validation_domaincontrol"),
        never_changes("validation_controllook"),
        migrations.RunSQL(_BY_A_LOOK, _BY_ANYBODY),
    ]
