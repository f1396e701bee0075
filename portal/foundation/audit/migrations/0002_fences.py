from django.db import migrations

from portal.foundation.tenancy.rls import isolate, never_changes, same_tenant

_NOTE_WHAT_WAITS = """
CREATE FUNCTION audit_note_unsealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_unsealed (event_id, tenant_id) VALUES (NEW.id, NEW.tenant_id);
    RETURN NULL;
END $$;
CREATE TRIGGER note_unsealed AFTER INSERT ON audit_auditevent FOR EACH ROW EXECUTE FUNCTION audit_note_unsealed();
"""
_FORGET = "DROP TRIGGER note_unsealed ON audit_auditevent; DROP FUNCTION audit_note_unsealed();"


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial"), ("tenancy", "0002_platform")]

    operations = [
        isolate("audit_auditevent", platform_may_be_written=True),
        isolate("audit_auditseal"),
        same_tenant("audit_auditseal", "event_id", "audit_auditevent"),
        never_changes("audit_auditevent"),
        never_changes("audit_auditseal"),
        migrations.RunSQL(_NOTE_WHAT_WAITS, _FORGET),
    ]
