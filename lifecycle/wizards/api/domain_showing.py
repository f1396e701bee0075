"""What programs read of the names of a draft: the step `domains`."""

from datetime import datetime
from typing import Any

from rest_framework import serializers

from lifecycle.wizards.domains import DomainRow
from lifecycle.wizards.ownership import Control
from lifecycle.wizards.seeing import Agreement


class PerspectivesSerializer(serializers.Serializer[Any]):
    """Remote perspectives that were asked to see the same."""

    agreeing = serializers.ListField(child=serializers.CharField())
    dissenting = serializers.ListField(
        child=serializers.CharField(), help_text="Saw something else, or could not be asked."
    )


class WaySerializer(serializers.Serializer[Any]):
    domain = serializers.CharField(help_text="A proof of it would prove the name.")
    id = serializers.UUIDField(allow_null=True, help_text="In the list of domains; null where it is not there yet.")


class ControlSerializer(serializers.Serializer[Any]):
    """Whether control of a name is proven, as far as this request needs it."""

    proven = serializers.BooleanField()
    said = serializers.CharField()
    method = serializers.CharField(allow_null=True)
    domain = serializers.UUIDField(allow_null=True, help_text="Whose proof it is.")
    proven_at = serializers.DateTimeField(allow_null=True)
    usable_until = serializers.DateTimeField(allow_null=True)
    perspectives = PerspectivesSerializer(allow_null=True)
    ways = WaySerializer(many=True, help_text="Where it is not proven.")


class DomainSerializer(serializers.Serializer[Any]):
    """A name, whether control of it is proven, and what became of the look at its CAA records (RFC 8659)."""

    name = serializers.CharField(help_text="A host, a mailbox, or @ and a domain: the mailboxes there together.")
    ready = serializers.BooleanField(help_text="Nothing is left to be done for it.")
    control = ControlSerializer(allow_null=True, help_text="Null where nothing has to be proven.")
    state = serializers.CharField(allow_blank=True, help_text="Of the look; empty where CAA records do not matter.")
    said = serializers.CharField(allow_blank=True)
    next_step = serializers.CharField(allow_blank=True)
    publish = serializers.CharField(allow_blank=True, help_text="The record that would permit it.")
    checked_at = serializers.DateTimeField(allow_null=True)
    rests_until = serializers.DateTimeField(allow_null=True, help_text="Before that it is not looked up again.")
    perspectives = PerspectivesSerializer(allow_null=True)
    why_kept = serializers.CharField(allow_blank=True, help_text="Why it cannot be left out; empty where it can.")


def domain(row: DomainRow) -> dict[str, Any]:
    look = row.look
    return {
        "name": row.name,
        "ready": row.is_ready,
        "control": _control(row.control) if row.control else None,
        "state": look.state if look else "",
        "said": look.said if look else "",
        "next_step": look.next_step if look else "",
        "publish": look.publish.line if look and look.publish else "",
        "checked_at": _when(look.at) if look else None,
        "rests_until": _when(look.rests_until) if look else None,
        "perspectives": _perspectives(look.agreement) if look else None,
        "why_kept": row.why_kept,
    }


def _control(control: Control) -> dict[str, Any]:
    proof = control.proof
    return {
        "proven": control.is_proven,
        "said": control.said,
        "method": proof.method if proof else None,
        "domain": str(proof.domain_id) if proof else None,
        "proven_at": _when(proof.proved_at) if proof else None,
        "usable_until": _when(control.until),
        "perspectives": _perspectives(control.agreement),
        "ways": [{"domain": way.domain, "id": str(way.pk) if way.pk else None} for way in control.ways],
    }


def _perspectives(agreement: Agreement | None) -> dict[str, list[str]] | None:
    if agreement is None:
        return None
    return {"agreeing": list(agreement.agreeing), "dissenting": list(agreement.dissenting)}


def _when(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
