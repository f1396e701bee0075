"""What pages and programs do alike with a draft: find it, ask for its second factor, submit it.

A step is answered in one unit of work.  The second factor talks to the outside, so it stands between units; what it
accepted is spent in the unit of work that submits the request, for exactly what the request says then.
"""

from typing import Any
from uuid import UUID

from auth2fa import challenges
from auth2fa.models import Challenge
from auth2fa.protocol import Person
from lifecycle.requests import services
from lifecycle.requests.controls import domains_behind, lowered, proofs_of
from lifecycle.requests.looks import caa_terms
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.orders import alternative_names_of
from lifecycle.validation import control
from lifecycle.validation.models import Domain
from lifecycle.validation.services import ask as ask_for_looks
from lifecycle.wizards.checking import about
from lifecycle.wizards.domains import unproven_among
from lifecycle.wizards.flow import Flow, Step, StepForm
from lifecycle.wizards.sight import requests_visible_to
from lifecycle.wizards.steps import STEPS
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest

FIRST_METHOD = {"dns": "dns-change", "mailbox": "mailbox"}
"""What a domain is to be proven by before anybody chose; its page lets one choose another."""


def draft_of(request: TenantRequest, pk: UUID) -> CertificateRequest:
    """Lock the draft for its owner; whoever may not even read it is told that it is not there.

    What is no draft any more comes back as it is.
    """
    if not CertificateRequest.objects.filter(pk=pk, **requests_visible_to(request)).exists():
        raise NotHere
    return services.draft_for(pk, by=request.person.pk)


def step_of(draft: CertificateRequest, slug: str) -> tuple[Flow, Step]:
    """The step that the person may see: the one asked for if it is settled, or else the open one.

    Raises `NotHere` for a step that this draft does not have.
    """
    flow = Flow(draft, STEPS)
    try:
        return flow, flow.reach(slug)
    except LookupError:
        raise NotHere from None


def keep(draft: CertificateRequest, step: Step, form: StepForm) -> None:
    """Keep the answer of a valid form in the draft that `draft_of` locked."""
    services.keep_answer(draft, step.slug, form.plain_answers())


def have_looked_up(draft: CertificateRequest, names: Any, *, by: UUID) -> None:
    """Have names of the draft looked up: those of *names* that it has, or all of them (0.R26).

    Those whose control is to be proven first are left out: their records may speak of how it was.
    """
    proofs = proofs_of(draft)
    early, every = unproven_among(draft, proofs), caa_terms(draft, proofs)
    chosen = [name for name in every if name in names] or list(every)
    ask_for_looks({name: every[name] for name in chosen if name not in early}, by=by, about=draft.pk)


def to_be_proven(draft: CertificateRequest, name: str, *, by: UUID) -> Domain:
    """The domain of the ledger by which a name of the draft can be proven; added to it where it is not there.

    Raises `NotHere` for a domain that none of the draft's names is under.
    """
    names = [lowered(str(each.value)) for each in alternative_names_of(draft)]
    if name not in {domain for each in names for domain in domains_behind(each)}:
        raise NotHere
    known = Domain.objects.filter(name=name).first()
    kind = "mailbox" if "@" in name else "dns"
    return known or control.add(name, kind=kind, method=FIRST_METHOD[kind], by=by)


def ask_for_code(request: TenantRequest, draft: CertificateRequest) -> Challenge:
    """Put the question for what the draft says now, unless one is under way for just that; between units of work."""
    challenge = challenges.ask(
        draft.policy.factor,
        person=person_of(request),
        tenant=request.tenant.pk,
        purpose=draft.purpose,
        payload=draft.digest(),
        about=about(draft),
        settings=draft.policy.factor_settings,
    )
    with acting_for(request.tenant.pk, person=request.person.pk):
        services.keep_challenge(draft.pk, challenge.pk, by=request.person.pk)
    return challenge


def submit(request: TenantRequest, pk: UUID) -> CertificateRequest:
    """Submit what is settled, spending the answer that was given for it; in a unit of work of its own.

    A second press finds it submitted and changes nothing.
    """
    with acting_for(request.tenant.pk, person=request.person.pk):
        draft = draft_of(request, pk)
        if draft.is_draft:
            services.submit(draft, by=request.person.pk, challenge=draft.challenge)
        return draft


def person_of(request: TenantRequest) -> Person:
    return Person(id=request.person.pk, name=request.person.name, email=request.person.email)
