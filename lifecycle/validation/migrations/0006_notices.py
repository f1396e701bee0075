import django.db.models.deletion
from django.db import migrations, models

import portal.foundation.clock
import portal.foundation.ids
import portal.foundation.tenancy.context
import portal.foundation.tenancy.models
from portal.foundation.tenancy.rls import isolate, never_changes, same_tenant


class Migration(migrations.Migration):
    dependencies = [
        ("tenancy", "0003_administration"),
        ("validation", "0005_surveys"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProofNotice",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=portal.foundation.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("person_id", models.UUIDField()),
                ("occasion", models.CharField(max_length=20)),
                ("at", models.DateTimeField(default=portal.foundation.clock.now)),
                (
                    "control",
                    portal.foundation.tenancy.models.TenantKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="validation.domaincontrol",
                    ),
                ),
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
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "control", "person_id", "occasion"), name="proof_notice_once"
                    )
                ],
            },
        ),
        isolate("validation_proofnotice"),
        same_tenant("validation_proofnotice", "control_id", "validation_domaincontrol"),
        never_changes("validation_proofnotice"),
    ]
