from django.db import migrations

# Who joins comes in by an invitation that they took; who is there is given a role by somebody else.  The settings are
# those of the unit of work, so this holds against a service's mistake and against injected SQL.
_BY_OTHERS = """
CREATE FUNCTION access_nobody_seats_themselves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.person_id = NULLIF(current_setting('portal.person', true), '')::uuid AND NOT EXISTS (
        SELECT 1 FROM access_invitation i
         WHERE i.tenant_id = NEW.tenant_id AND i.taken_by = NEW.person_id AND i.roles ? NEW.role) THEN
        RAISE EXCEPTION 'nobody gives themselves a role that no invitation they took holds'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER nobody_seats_themselves BEFORE INSERT OR UPDATE OF role, person_id ON access_membership
    FOR EACH ROW EXECUTE FUNCTION access_nobody_seats_themselves();
"""
_BY_ANYBODY = (
    "DROP TRIGGER nobody_seats_themselves ON access_membership; DROP FUNCTION access_nobody_seats_themselves();"
)


class Migration(migrations.Migration):
    dependencies = [("access", "0004_fences")]

    operations = [migrations.RunSQL(_BY_OTHERS, _BY_ANYBODY)]
