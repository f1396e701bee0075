"""Domains, their proofs and their looks as programs read them: what the pages of the ledger say, in fields."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from lifecycle.validation.control import rests_until
from lifecycle.validation.methods import METHODS, day_of, usable_on
from lifecycle.validation.models import ControlLook, Domain, DomainControl
from lifecycle.validation.proofs import NextStep, Standing, State, standing_of, standings_of, until_of
from lifecycle.validation.states import ControlState
from lifecycle.wizards.domain_ledger import instructing, seen, wording
from lifecycle.wizards.domain_ledger.pages import contacts_in, newest_look
from portal.foundation import clock

_METHODS = sorted(METHODS)
_STATES = [state.value for state in State]
_KINDS = list(Domain.KINDS)

_NEXT: dict[NextStep, str | Promise] = {
    NextStep.BEGIN: gettext_lazy("Choose how to prove it."),
    NextStep.PUBLISH: gettext_lazy("Publish what its instruction says, then have it looked at."),
    NextStep.PROVE_AGAIN: gettext_lazy("Prove it again."),
}


class ProofSerializer(serializers.Serializer[Any]):
    """What proves a domain, and until when."""

    id = serializers.UUIDField()
    method = serializers.ChoiceField(_METHODS)
    rules = serializers.CharField(help_text="Document and version that it was proven under.")
    proved_at = serializers.DateTimeField()
    usable_until = serializers.DateTimeField(help_text="By the limits that the rules have for each day to come.")
    corroborated = serializers.BooleanField(help_text="Whether enough remote perspectives saw the same.")
    dnssec = serializers.ChoiceField(["secure", "insecure"], allow_null=True)


class InstructionSerializer(serializers.Serializer[Any]):
    """What to publish, in parts; or the mailbox that a mail went to."""

    kind = serializers.ChoiceField(["txt", "cname", "file", "mail"])
    owner = serializers.CharField(help_text="Name of the record, address of the file, or the mailbox.")
    value = serializers.CharField(allow_blank=True)
    line = serializers.CharField(help_text="All of it in one line, as a zone file has it.")
    zone = serializers.CharField(allow_blank=True, help_text="Of a record: the registered domain.")
    within = serializers.CharField(allow_blank=True, help_text="Of a record: its name within that zone.")
    folder = serializers.CharField(allow_blank=True, help_text="Of a file.")
    file = serializers.CharField(allow_blank=True, help_text="Of a file: its name.")


class AttemptSerializer(serializers.Serializer[Any]):
    """One attempt to prove a domain."""

    id = serializers.UUIDField()
    method = serializers.ChoiceField(_METHODS)
    state = serializers.ChoiceField([state.value for state in ControlState])
    reason = serializers.CharField(allow_blank=True, help_text="What the newest look met, or why it is over.")
    automatic = serializers.BooleanField(help_text="Whether the portal publishes it by itself.")
    asked_at = serializers.DateTimeField()
    asked_by = serializers.CharField()
    ends_at = serializers.DateTimeField(help_text="The deadline of its value.")
    looks_again_at = serializers.DateTimeField(
        allow_null=True, help_text="From when it can be looked for again; null where that is now."
    )
    instruction = InstructionSerializer(allow_null=True)
    contacts = serializers.ListField(
        child=serializers.CharField(), help_text="Mailboxes that the DNS names, for methods that ask it."
    )


class UsableMethodSerializer(serializers.Serializer[Any]):
    slug = serializers.ChoiceField(_METHODS)
    title = serializers.CharField()
    document = serializers.CharField()
    number = serializers.CharField(help_text="Of its section in the document.")
    until = serializers.DateField(allow_null=True, help_text="The first day on which it may not be used.")
    covers_subnames = serializers.BooleanField()
    covers_wildcards = serializers.BooleanField()


class ClaimSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(_KINDS)
    method = serializers.ChoiceField(_METHODS, help_text="By which it is to be proven next.")
    state = serializers.ChoiceField(_STATES)
    usable_until = serializers.DateTimeField(allow_null=True)
    next_step = serializers.CharField(allow_blank=True, help_text="What somebody could do about it next.")
    publishing = serializers.UUIDField(allow_null=True, help_text="The way that publishes its proofs.")
    added_at = serializers.DateTimeField()
    proved_at = serializers.DateTimeField(allow_null=True)
    retired_at = serializers.DateTimeField(allow_null=True)


class ClaimDetailSerializer(ClaimSerializer):
    added_by = serializers.CharField()
    said = serializers.CharField(help_text="How it stands, in a sentence.")
    proof = ProofSerializer(allow_null=True)
    attempt = AttemptSerializer(allow_null=True)
    methods = UsableMethodSerializer(many=True)


class PlaceSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    region = serializers.CharField(allow_blank=True, help_text="Of its Regional Internet Registry; empty for ours.")
    result = serializers.CharField()
    saw = serializers.ListField(child=serializers.CharField())
    remark = serializers.CharField(allow_blank=True)


class LookSerializer(serializers.Serializer[Any]):
    """One look for a proof, and what every place saw.  What stands in `saw` and `found` is a stranger's text."""

    id = serializers.UUIDField()
    attempt = serializers.UUIDField()
    at = serializers.DateTimeField()
    reason = serializers.CharField(help_text="“seen” where it was there.")
    sentence = serializers.CharField(allow_blank=True)
    next_step = serializers.CharField(allow_blank=True)
    expected = serializers.CharField(allow_blank=True)
    found = serializers.ListField(child=serializers.CharField())
    cached_until = serializers.DateTimeField(allow_null=True)
    agreement = serializers.CharField(allow_blank=True)
    places = PlaceSerializer(many=True)


def rows(domains: Collection[Domain]) -> Iterator[dict[str, Any]]:
    standings = standings_of(domains, clock.now())
    return (plain(domain, standings[domain]) for domain in domains)


def plain(domain: Domain, standing: Standing) -> dict[str, Any]:
    way = domain.publishing_id
    return {
        "id": str(domain.pk),
        "name": domain.name,
        "kind": domain.kind,
        "method": domain.method,
        "state": standing.state.value,
        "usable_until": _moment(standing.usable_until),
        "next_step": _next_step(standing),
        "publishing": str(way) if way else None,
        "added_at": domain.added_at.isoformat(),
        "proved_at": _moment(domain.proved_at),
        "retired_at": _moment(domain.retired_at),
    }


def _next_step(standing: Standing) -> str:
    """What the page says, without “below” and without its buttons."""
    step, attempt = standing.next_step, standing.attempt
    if step is NextStep.FOLLOW_LINK and attempt and not attempt.sent_to:
        return _("Begin anew with one of its contacts, once the portal has looked up whom the DNS names.")
    return str(_NEXT[step] if step in _NEXT else wording.next_step_of(standing))


def in_full(domain: Domain) -> dict[str, Any]:
    """Needs the domain's tenant."""
    now = clock.now()
    standing = standing_of(domain, now)
    return {
        **plain(domain, standing),
        "added_by": domain.added_by,
        "said": wording.sentence_of(domain, standing),
        "proof": _proof(standing.proof) if standing.proof else None,
        "attempt": _attempt(domain, standing, now),
        "methods": [
            {
                "slug": method.slug,
                "title": str(method.title),
                "document": method.document,
                "number": method.number,
                "until": method.until.isoformat() if method.until else None,
                "covers_subnames": method.covers_subnames,
                "covers_wildcards": method.covers_wildcards,
            }
            for method in usable_on(day_of(now), domain.kind)
        ],
    }


def _proof(proof: DomainControl) -> dict[str, Any]:
    return {
        "id": str(proof.pk),
        "method": proof.method,
        "rules": proof.rules,
        "proved_at": _moment(proof.proved_at),
        "usable_until": until_of(proof).isoformat(),
        "corroborated": proof.corroborated,
        "dnssec": proof.dnssec or None,
    }


def _attempt(domain: Domain, standing: Standing, now: datetime) -> dict[str, Any] | None:
    attempt = standing.attempt
    if attempt is None:
        return None
    attempt.domain, attempt.tenant = domain, domain.tenant  # the instruction needs its name and account
    is_over = attempt.state == ControlState.FAILED or attempt.ends_at <= now
    told = None if is_over or not (attempt.value or attempt.sent_to) else instructing.to_do(attempt)
    return {
        "id": str(attempt.pk),
        "method": attempt.method,
        "state": attempt.state,
        "reason": attempt.reason,
        "automatic": attempt.automatic,
        "asked_at": attempt.asked_at.isoformat(),
        "asked_by": attempt.asked_by,
        "ends_at": attempt.ends_at.isoformat(),
        "looks_again_at": _moment(rests_until(attempt, now)),
        "instruction": _instruction(told) if told else None,
        "contacts": contacts_in(newest_look(standing)),
    }


def _instruction(told: instructing.ToDo) -> dict[str, str]:
    names = ("kind", "owner", "value", "line", "zone", "within", "folder", "file")
    return {name: getattr(told, name) for name in names}


def looks(found: Collection[ControlLook]) -> Iterator[dict[str, Any]]:
    return map(look_in_full, found)


def look_in_full(look: ControlLook) -> dict[str, Any]:
    shown = seen.shown(look)
    return {
        "id": str(look.pk),
        "attempt": str(look.control_id),
        "at": look.at.isoformat(),
        "reason": look.reason,
        "sentence": str(shown.told.sentence),
        "next_step": str(shown.told.next_step),
        "expected": shown.told.expected,
        "found": list(shown.told.found),
        "cached_until": _moment(shown.told.cached_until),
        "agreement": str(shown.agreement),
        "places": [
            {
                "name": str(place.title),
                "region": place.region,
                "result": str(place.status.word),
                "saw": place.saw,
                "remark": str(place.remark),
            }
            for place in shown.places
        ],
    }


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
