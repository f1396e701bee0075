from django.db import migrations

# An attempt is judged, rehearsed and then written down; meanwhile another worker may have stored a certificate for the
# same key and settled its own attempt, which the unique index over open attempts no longer sees.  This looks when the
# row is in, with eyes of its own, and says it in the index's name.
_LOOK = """
CREATE FUNCTION requests_one_certificate_a_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM certificates_certificate c
                WHERE c.tenant_id = NEW.tenant_id AND c.spki_sha256 = NEW.spki_sha256) THEN
        RAISE EXCEPTION 'attempt_one_open_a_key: it was certified meanwhile' USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER one_certificate_a_key AFTER INSERT ON requests_issuanceattempt
    FOR EACH ROW EXECUTE FUNCTION requests_one_certificate_a_key();
"""
_DO_NOT = (
    "DROP TRIGGER one_certificate_a_key ON requests_issuanceattempt; DROP FUNCTION requests_one_certificate_a_key();"
)


class Migration(migrations.Migration):
    dependencies = [("requests", "0005_lists"), ("certificates", "0004_lists")]

    operations = [migrations.RunSQL(_LOOK, _DO_NOT)]
