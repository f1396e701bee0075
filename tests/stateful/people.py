"""What subscribers and reviewers do: ask, answer, change their mind, withdraw, review, and look."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core import mail
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from auth2fa import challenges
from auth2fa.errors import CourierFailed
from lifecycle.requests import reviewing, services
from lifecycle.requests.kinds import Kind
from lifecycle.requests.looks import caa_terms
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.states import WORDS, State
from lifecycle.validation.services import ask as ask_for_looks
from lifecycle.wizards.flow import Flow, as_posted
from lifecycle.wizards.steps import STEPS
from portal.foundation.access.permissions import Permission
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_for
from tests.stateful.stage import SEATS, Asked, Stage
from tests.web.browsing import Visitor, said
from tests.world import _answer, as_person, csr

SUBSCRIBERS = st.sampled_from(["petra", "dan", "hank", "mina"])
ANYBODY = st.sampled_from(sorted(SEATS))
RECENT = st.integers(0, 7)
"""How many requests ago: most of a walk is about what was asked of late."""

PROFILES = st.sampled_from(["desktop-signing", "tls-server"])
KEYS = st.sampled_from(["", "", "", "the one before"])
BETWEEN = st.sampled_from(["", "", "", "an edit"])
WISHES: st.SearchStrategy[dict[str, Any]] = st.sampled_from([{}, {"use_case": "compromised"}, {"days": 5}])
HOW_FAR = st.sampled_from([3, 3, 3, 2, 1, 0])


class People(RuleBasedStateMachine):
    stage: Stage
    work: Callable[..., int]

    def recent(self, ago: int) -> Asked | None:
        known = self.stage.requests
        return known[-1 - ago % len(known)] if known else None

    # --- asking ---

    @initialize(who=SUBSCRIBERS, other=SUBSCRIBERS)
    def two_have_asked_already(self, who: str, other: str) -> None:
        self.asks_for_a_certificate(who, "desktop-signing", "", 3)
        self.asks_for_a_certificate(other, "tls-server", "", 3)

    @rule(who=SUBSCRIBERS, profile=PROFILES, key=KEYS, how_far=HOW_FAR)
    def asks_for_a_certificate(self, who: str, profile: str, key: str, how_far: int) -> None:
        if self._begin(who, key, lambda by: services.begin_from_profile(profile, Kind.ISSUE, by=by)):
            self._go_on(how_far, {})

    @rule(who=SUBSCRIBERS, profile=PROFILES)
    def asks_as_most_people_do(self, who: str, profile: str) -> None:
        self.asks_for_a_certificate(who, profile, "", 3)

    @precondition(lambda self: self.stage.authority.inner.signed)
    @rule(who=SUBSCRIBERS, ago=RECENT, wish=WISHES, how_far=HOW_FAR)
    def asks_for_a_rekey(self, who: str, ago: int, wish: dict[str, Any], how_far: int) -> None:
        """Of a certificate of any tenant; one of another tenant is not there."""
        self.stage.owner.execute(
            "SELECT id, tenant_id FROM certificates_certificate ORDER BY id DESC OFFSET %s LIMIT 1", [ago]
        )
        found = self.stage.owner.fetchone()
        if found is None:
            return
        source, tenant = UUID(str(found[0])), str(found[1])
        begun = self._begin(who, "", lambda by: services.begin_from_certificate(source, Kind.REKEY, by=by))
        foreign = tenant != str(self.stage.tenants[SEATS[who]].pk)
        assert not (foreign and begun), "a certificate of another tenant was there"
        if begun:
            self._go_on(how_far, wish)

    def _go_on(self, how_far: int, wish: dict[str, Any]) -> None:
        """Answer the newest request, ask for looks, wait for them and submit: most people do all of it."""
        if how_far > 0:
            self.answers(0, wish)
        if how_far > 1:
            self.presses_verify(0)
        if how_far > 2:
            self.work("validation")
            self.submits(0, "", 1)

    def _begin(self, who: str, key: str, deed: Callable[[UUID], CertificateRequest]) -> bool:
        tenant, began = self.stage.tenants[SEATS[who]], list[CertificateRequest]()
        if not self.stage.done(who, tenant, Permission.REQUEST_MAKE, lambda person: began.append(deed(person.pk))):
            return False
        last = self.recent(0)
        pem = last.csr if key and last else csr()
        if began[0].pk not in {asked.pk for asked in self.stage.requests}:
            self.stage.requests.append(Asked(began[0].pk, tenant, who, pem))
        return True

    @precondition(lambda self: self.stage.requests)
    @rule(ago=RECENT, wish=WISHES)
    def answers_and_presses_verify(self, ago: int, wish: dict[str, Any]) -> None:
        self.answers(ago, wish)
        self.presses_verify(ago)

    def answers(self, ago: int, wish: dict[str, Any]) -> None:
        """Answer what is open, as far as the pages let one."""
        if asked := self.recent(ago):
            self.stage.done(asked.owner, asked.tenant, Permission.REQUEST_MAKE, lambda _by: self._answer(asked, wish))

    def _answer(self, asked: Asked, wish: dict[str, Any]) -> CertificateRequest | None:
        """Return the draft once nothing in it is open any more."""
        person = self.stage.people[asked.owner]
        draft = services.draft_for(asked.pk, by=person.pk)
        while draft.is_draft and (step := Flow(draft, STEPS).open_step) is not None:
            told = _answer(step.slug, draft, person, {"csr": asked.csr, **wish})
            form = step.form(as_posted(told), draft=draft)
            if not form.is_valid():
                return None
            services.keep_answer(draft, step.slug, form.plain_answers())
        return draft if draft.is_draft else None

    def presses_verify(self, ago: int) -> None:
        asked = self.recent(ago)
        if asked is None:
            return

        def deed(person: Any) -> None:
            draft = services.draft_for(asked.pk, by=person.pk)
            if draft.is_draft and (names := caa_terms(draft)):
                ask_for_looks(names, by=person.pk, about=draft.pk)

        self.stage.done(asked.owner, asked.tenant, Permission.REQUEST_MAKE, deed)

    @precondition(lambda self: self.stage.requests)
    @rule(ago=RECENT, between=BETWEEN, clicks=st.integers(1, 2))
    def submits(self, ago: int, between: str, clicks: int) -> None:
        """Confirm and submit; an edit in between voids the code, and a second click finds it submitted."""
        asked, ready = self.recent(ago), []
        if asked is None:
            return
        self.stage.done(
            asked.owner, asked.tenant, Permission.REQUEST_MAKE, lambda _by: ready.append(self._answer(asked, {}))
        )
        if not ready or ready[0] is None:
            return
        draft = ready[0]
        if draft.policy.factor and not self._confirm(asked, draft):
            return
        if between:
            self.stage.done(asked.owner, asked.tenant, Permission.REQUEST_MAKE, lambda by: _edit(asked, by))
        for _click in range(clicks):
            if self._sends(asked):
                assert not (between and draft.policy.factor), "a code was taken for what it was not given for"
                asked.accepted = True
                self.stage.counts.accepted += 1

    def _confirm(self, asked: Asked, draft: CertificateRequest) -> bool:
        person = self.stage.people[asked.owner]
        self.stage.touched.add(asked.tenant.pk)  # a question is on record, whatever becomes of it
        before = len(mail.outbox)
        try:
            question = challenges.ask(
                draft.policy.factor, person=as_person(person), tenant=asked.tenant.pk, purpose=draft.purpose,
                payload=draft.digest(), about="a walk",
            )  # fmt: skip
            if len(mail.outbox) > before:
                [code] = [word for word in str(mail.outbox[-1].body).split() if word.isdigit() and len(word) == 6]
                challenges.answer(question.pk, as_person(person), {"code": code})
            with acting_for(asked.tenant.pk, person=person.pk):
                services.keep_challenge(draft.pk, question.pk, by=person.pk)
        except (Refusal, CourierFailed):
            return False
        except Exception:
            if not self.stage.journal.refuses:
                raise
            return False
        return True

    def _sends(self, asked: Asked) -> bool:
        sent: list[bool] = []
        return self.stage.done(
            asked.owner, asked.tenant, Permission.REQUEST_MAKE, lambda by: sent.append(self._submit(asked, by.pk))
        ) and any(sent)

    def _submit(self, asked: Asked, by: UUID) -> bool:
        """Submit what is complete, as the page does; what is none any more is only shown."""
        draft = services.draft_for(asked.pk, by=by)
        if not draft.is_draft or Flow(draft, STEPS).open_step is not None:
            return False
        services.submit(draft, by=by, challenge=draft.challenge)
        return True

    # --- what may still be done with it ---

    @precondition(lambda self: any(asked.accepted for asked in self.stage.requests))
    @rule(ago=RECENT, who=st.one_of(st.none(), ANYBODY))
    def withdraws(self, ago: int, who: str | None) -> None:
        if asked := self.recent(ago):
            name = who or asked.owner
            went = self.stage.done(
                name, asked.tenant, Permission.REQUEST_MAKE, lambda by: services.withdraw(asked.pk, by=by.pk)
            )
            assert not went or name == asked.owner, "somebody withdrew what is another's"

    @precondition(lambda self: any(asked.accepted for asked in self.stage.requests))
    @rule(ago=RECENT, who=ANYBODY, comment=st.sampled_from(["", "", "", "Not ours."]))
    def reviews(self, ago: int, who: str, comment: str) -> None:
        """Reject with a comment, approve without one."""
        if asked := self.recent(ago):
            deed = (lambda by: reviewing.reject(asked.pk, by=by.pk, comment=comment)) if comment else (
                lambda by: reviewing.approve(asked.pk, by=by.pk)
            )  # fmt: skip
            self.stage.done(who, asked.tenant, Permission.REQUEST_APPROVE, deed)

    @precondition(lambda self: self.stage.requests)
    @rule(ago=RECENT, who=ANYBODY)
    def looks_at_its_page(self, ago: int, who: str) -> None:
        """Whoever may see a request sees the state it is in (I7); to everybody else it is not there."""
        asked = self.recent(ago)
        if asked is None:
            return
        rights = self.stage.rights(who, asked.tenant)
        sees = Permission.REQUEST_READ_ALL in rights or (who == asked.owner and Permission.REQUEST_READ in rights)
        page = Visitor(self.stage.people[who]).open(f"/t/{asked.tenant.slug}/requests/{asked.pk}/status/")
        assert (page.status in {200, 286}) == sees, f"{who} gets {page.status}"
        if sees:
            with acting_for(asked.tenant.pk):
                state = State(CertificateRequest.objects.get(pk=asked.pk).state)
            assert said(page.having_class("chip")[0]) == str(WORDS[state][1])


def _edit(asked: Asked, by: Any) -> None:
    draft = services.draft_for(asked.pk, by=by.pk)
    if draft.is_draft:
        services.keep_answer(draft, "confirm", {**draft.answers["confirm"], "message": "on second thoughts"})
