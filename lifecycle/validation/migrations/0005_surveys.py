import django.db.models.deletion
from django.db import migrations, models

import portal.foundation.clock
import portal.foundation.ids
import portal.foundation.tenancy.context
from portal.foundation.tenancy.rls import isolate, never_changes

# Begun unanswered, answered once: the web service may ask, and cannot say what was seen.
_ANSWERED_ONCE = """
CREATE FUNCTION validation_survey_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.answered_at IS NOT NULL OR NEW.seen <> '{}'::jsonb THEN
            RAISE EXCEPTION 'a survey begins without an answer' USING ERRCODE = 'check_violation';
        END IF;
    ELSIF OLD.answered_at IS NOT NULL AND OLD IS DISTINCT FROM NEW THEN
        RAISE EXCEPTION 'what a survey saw never changes' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER survey_stands BEFORE INSERT OR UPDATE ON validation_caasurvey
    FOR EACH ROW EXECUTE FUNCTION validation_survey_stands();
"""
_ANSWERED_AGAIN = "DROP TRIGGER survey_stands ON validation_caasurvey; DROP FUNCTION validation_survey_stands();"


class Migration(migrations.Migration):
    dependencies = [
        ("tenancy", "0003_administration"),
        ("validation", "0004_fences"),
    ]

    operations = [
        migrations.CreateModel(
            name="CaaSurvey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=portal.foundation.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(db_collation="C", max_length=255)),
                ("asked_at", models.DateTimeField(default=portal.foundation.clock.now)),
                ("asked_by", models.UUIDField()),
                ("answered_at", models.DateTimeField(null=True)),
                ("seen", models.JSONField(default=dict)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        default=portal.foundation.tenancy.context.current_tenant_id,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "name", "asked_at"], name="survey_by_name"),
                    models.Index(fields=["tenant", "asked_by", "asked_at"], name="survey_by_person"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("answered_at", None)),
                        fields=("tenant", "name"),
                        name="survey_one_at_a_time",
                    )
                ],
            },
        ),
        isolate("validation_caasurvey"),
        never_changes("validation_caasurvey", but=["answered_at", "seen"]),
        migrations.RunSQL(_ANSWERED_ONCE, _ANSWERED_AGAIN),
    ]
