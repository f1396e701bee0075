from django.db import migrations

from portal.foundation.tenancy.rls import enforce_machine, isolate, never_changes, same_tenant

# What was submitted, and what a second factor confirmed, is what will be signed.
_ANSWERS_STAND = """
CREATE FUNCTION requests_answers_stand() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'draft' AND
       (OLD.answers, OLD.kind, OLD.requested_by, OLD.profile_id, OLD.policy_id, OLD.predecessor_id, OLD.challenge)
       IS DISTINCT FROM
       (NEW.answers, NEW.kind, NEW.requested_by, NEW.profile_id, NEW.policy_id, NEW.predecessor_id, NEW.challenge)
    THEN
        RAISE EXCEPTION 'a submitted request does not change' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER answers_stand BEFORE UPDATE ON requests_certificaterequest
    FOR EACH ROW EXECUTE FUNCTION requests_answers_stand();
"""
_ANSWERS_FALL = "DROP TRIGGER answers_stand ON requests_certificaterequest; DROP FUNCTION requests_answers_stand();"


class Migration(migrations.Migration):
    dependencies = [("requests", "0001_initial"), ("certificates", "0002_fences"), ("policies", "0002_fences")]

    operations = [
        isolate("requests_certificaterequest"),
        isolate("requests_issuanceattempt"),
        isolate("requests_notice"),
        same_tenant("requests_certificaterequest", "profile_id", "authorities_certificateprofile"),
        same_tenant("requests_certificaterequest", "policy_id", "policies_policy"),
        same_tenant("requests_certificaterequest", "predecessor_id", "certificates_certificate"),
        same_tenant("requests_issuanceattempt", "request_id", "requests_certificaterequest"),
        same_tenant("requests_issuanceattempt", "authority_id", "authorities_certificateauthority"),
        same_tenant("requests_issuanceattempt", "shard_id", "authorities_crlshard"),
        never_changes("requests_issuanceattempt", but=["outcome"]),
        never_changes("requests_notice"),
        enforce_machine(
            "requests_certificaterequest",
            initial="draft",
            arrows=[
                ("draft", "validating"),
                ("validating", "in review"),
                ("in review", "ready"),
                ("draft", "withdrawn"),
                ("validating", "withdrawn"),
                ("in review", "withdrawn"),
                ("ready", "withdrawn"),
                ("ready", "executing"),
                ("executing", "completed"),
                ("ready", "failed"),
                ("executing", "failed"),
            ],
        ),
        enforce_machine(
            "requests_issuanceattempt",
            initial="open",
            arrows=[("open", "signed"), ("open", "abandoned")],
            column="outcome",
        ),
        migrations.RunSQL(_ANSWERS_STAND, _ANSWERS_FALL),
    ]
