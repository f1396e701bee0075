from django.db import migrations

from portal.foundation.tenancy.rls import enforce_machine, isolate, never_changes, same_tenant

# Four eyes are held here, whatever the code thinks (architecture 13, C7).
_FOUR_EYES = """
CREATE FUNCTION requests_four_eyes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM requests_certificaterequest r
                WHERE r.tenant_id = NEW.tenant_id AND r.id = NEW.request_id AND r.requested_by = NEW.reviewer) THEN
        RAISE EXCEPTION 'nobody judges their own request' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER four_eyes BEFORE INSERT ON requests_approval FOR EACH ROW EXECUTE FUNCTION requests_four_eyes();
"""
_TWO_EYES = "DROP TRIGGER four_eyes ON requests_approval; DROP FUNCTION requests_four_eyes();"

# Only what a signing worker wrote down before it asked the token can be kept as issued here: a web service that
# was taken over may upload, and cannot plant a certificate.
_BY_AN_ATTEMPT = """
CREATE FUNCTION certificates_issued_by_an_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.source = 'issued' AND NOT EXISTS (
        SELECT 1 FROM requests_issuanceattempt a
         WHERE a.tenant_id = NEW.tenant_id AND a.authority_id = NEW.authority_id AND a.serial = NEW.serial
           AND a.request_id = NEW.made_from) THEN
        RAISE EXCEPTION 'no attempt had this certificate signed' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER issued_by_an_attempt BEFORE INSERT ON certificates_certificate
    FOR EACH ROW EXECUTE FUNCTION certificates_issued_by_an_attempt();
"""
_BY_ANYBODY = """
DROP TRIGGER issued_by_an_attempt ON certificates_certificate; DROP FUNCTION certificates_issued_by_an_attempt();
"""

_BEFORE = [
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
]
_NOW = [
    *_BEFORE,
    ("in review", "rejected"),
    ("ready", "validating"),
    ("executing", "validating"),
    ("validating", "failed"),
]


class Migration(migrations.Migration):
    dependencies = [("requests", "0003_administration"), ("certificates", "0003_administration")]

    operations = [
        isolate("requests_approval"),
        same_tenant("requests_approval", "request_id", "requests_certificaterequest"),
        never_changes("requests_approval"),
        migrations.RunSQL(_FOUR_EYES, _TWO_EYES),
        migrations.RunSQL(_BY_AN_ATTEMPT, _BY_ANYBODY),
        enforce_machine("requests_certificaterequest", initial="draft", arrows=_NOW, before=_BEFORE),
    ]
