"""What administrators and operators do meanwhile: change the rules, and say who is there."""

from contextlib import suppress
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from lifecycle.administration.subjects import subject_of
from lifecycle.authorities.models import CertificateProfile
from lifecycle.policies import selectors
from lifecycle.policies import services as policies
from lifecycle.policies.asks import Asks
from lifecycle.policies.models import SubscriberAgreement
from lifecycle.requests.kinds import Kind
from portal.foundation.access import services as access
from portal.foundation.access.permissions import Permission
from portal.foundation.errors import Refusal
from portal.foundation.tenancy import services as tenancy
from portal.foundation.tenancy.models import PLATFORM, Tenant
from tests.stateful.people import ANYBODY, PROFILES
from tests.stateful.stage import SEATS, Stage

TENANTS = st.sampled_from(["acme", "globex"])
CHIEFS = {"acme": "ada", "globex": "mina"}

CHANGES: list[dict[str, Any]] = [
    {"enabled": False},
    {"enabled": True, "approvals": 0, "factor": ""},
    {"enabled": True, "approvals": 1},
    {"enabled": True, "approvals": 2},
    {"enabled": True, "factor": "email-code", "approvals": 0},
    {"enabled": True, "limits": {"longest_days": 20}},
]


class Administrators(RuleBasedStateMachine):
    stage: Stage

    @rule(tenant=TENANTS, kind=st.sampled_from(list(Kind)), profile=PROFILES, change=st.sampled_from([*CHANGES, None]))
    def changes_the_rules(self, tenant: str, kind: Kind, profile: str, change: dict[str, Any] | None) -> None:
        if change is None:
            self.publishes_another_agreement(tenant)
        else:
            self.changes_a_policy(tenant, kind, profile, change)

    def changes_a_policy(self, tenant: str, kind: Kind, profile: str, change: dict[str, Any]) -> None:
        def deed(by: Any) -> None:
            known = CertificateProfile.objects.in_force(profile)
            newest = selectors.of_profile(profile)[kind]
            wanted = Asks(**{**Asks.of(newest).content(), **change})
            policies.change_policies(
                profile, {kind: wanted}, seen={kind: newest.version}, subject=subject_of(known), by=by.pk
            )

        self.stage.done(CHIEFS[tenant], self.stage.tenants[tenant], Permission.RULES_CHANGE, deed)

    def publishes_another_agreement(self, tenant: str) -> None:
        def deed(by: Any) -> None:
            now = SubscriberAgreement.in_force("subscriber")
            policies.publish_agreement(
                slug=now.slug, language=now.language, title=now.title, text=f"{now.text} Again.", seen=now.version,
                by=by.pk,
            )  # fmt: skip

        self.stage.done(CHIEFS[tenant], self.stage.tenants[tenant], Permission.RULES_CHANGE, deed)

    @rule(who=st.one_of(ANYBODY, ANYBODY, TENANTS))
    def suspends_or_takes_back(self, who: str) -> None:
        if who in SEATS:
            self.suspends_or_takes_back_a_person(who)
        else:
            self.the_operator_suspends_a_tenant_or_takes_it_back(who)

    def suspends_or_takes_back_a_person(self, who: str) -> None:
        tenant = self.stage.tenants[SEATS[who]]
        pk = self.stage.people[who].pk
        deed = access.suspend if self.stage.rights(who, tenant) else access.unsuspend
        self.stage.done(CHIEFS[tenant.slug], tenant, Permission.PEOPLE_CHANGE, lambda by: deed(pk, by=by.pk))

    def the_operator_suspends_a_tenant_or_takes_it_back(self, tenant: str) -> None:
        found = Tenant.objects.get(slug=tenant)
        self.stage.touched |= {found.pk, PLATFORM}
        by = self.stage.people["olu"].pk
        with suppress(*((Exception,) if self.stage.journal.refuses else (Refusal,))):
            if found.suspended_at:
                tenancy.resume_tenant(found, by=by)
            else:
                tenancy.suspend_tenant(found, "A walk.", by=by)
