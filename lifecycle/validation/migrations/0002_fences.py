from django.db import migrations

from portal.foundation.tenancy.rls import enforce_machine, isolate, never_changes

_SETTLED = """
CREATE FUNCTION validation_evidence_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'verifying' AND OLD.state = NEW.state AND OLD IS DISTINCT FROM NEW THEN
        RAISE EXCEPTION 'evidence never changes' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER evidence_stands BEFORE UPDATE ON validation_caacheck
    FOR EACH ROW EXECUTE FUNCTION validation_evidence_stands();
"""
_UNSETTLED = "DROP TRIGGER evidence_stands ON validation_caacheck; DROP FUNCTION validation_evidence_stands();"


class Migration(migrations.Migration):
    dependencies = [("validation", "0001_initial")]

    operations = [
        isolate("validation_caacheck"),
        never_changes("validation_caacheck", but=["state", "checked_at", "reason", "evidence"]),
        enforce_machine(
            "validation_caacheck",
            initial="verifying",
            arrows=[("verifying", "verified"), ("verifying", "failed")],
        ),
        migrations.RunSQL(_SETTLED, _UNSETTLED),
    ]
