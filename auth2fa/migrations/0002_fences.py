from django.db import migrations

from portal.foundation.tenancy.rls import isolate_person, never_changes

# asked -> answered -> spent | over: the moments are written once, counters only grow, and nothing is born answered.
# Who was asked, by what, for what and within which limits is frozen by `never_changes`.
_FACTS_STAY = """
CREATE FUNCTION auth2fa_challenge_facts_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.tries <> 0 OR NEW.answered_at IS NOT NULL OR NEW.spent_at IS NOT NULL THEN
            RAISE EXCEPTION 'a challenge starts untried and unanswered' USING ERRCODE = 'check_violation';
        END IF;
    ELSIF (OLD.answered_at IS NOT NULL AND NEW.answered_at IS DISTINCT FROM OLD.answered_at)
          OR (OLD.spent_at IS NOT NULL AND NEW.spent_at IS DISTINCT FROM OLD.spent_at)
          OR (OLD.answered_at IS NOT NULL AND (NEW.tries, NEW.sends) IS DISTINCT FROM (OLD.tries, OLD.sends))
          OR NEW.tries < OLD.tries OR NEW.sends < OLD.sends OR NEW.sent_at < OLD.sent_at THEN
        RAISE EXCEPTION 'what happened to a challenge stays' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.tries > (NEW.settings->>'tries')::int THEN
        RAISE EXCEPTION 'a challenge has no more than % tries', NEW.settings->>'tries'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER facts_stay BEFORE INSERT OR UPDATE ON auth2fa_challenge
    FOR EACH ROW EXECUTE FUNCTION auth2fa_challenge_facts_stay();
"""
_FACTS_GO = "DROP TRIGGER facts_stay ON auth2fa_challenge; DROP FUNCTION auth2fa_challenge_facts_stay();"


class Migration(migrations.Migration):
    dependencies = [("auth2fa", "0001_initial")]

    operations = [
        isolate_person("auth2fa_challenge"),
        never_changes(
            "auth2fa_challenge",
            but=["notes", "prompt", "tries", "sends", "sent_at", "expires_at", "answered_at", "spent_at"],
        ),
        migrations.RunSQL(_FACTS_STAY, _FACTS_GO),
    ]
