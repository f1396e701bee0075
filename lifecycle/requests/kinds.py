"""What the operations are.  One table; whatever would be `if kind == …` reads it (requirements section 8)."""

from dataclasses import dataclass
from enum import StrEnum

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Kind(StrEnum):
    ISSUE = "issue"
    REKEY = "rekey"


class Key(StrEnum):
    NEW = "new"


class Names(StrEnum):
    EDIT = "edit"
    LOCKED = "locked"


class Validity(StrEnum):
    FRESH = "fresh"
    SAME_END = "same end"


class Predecessor(StrEnum):
    NONE = "none"
    USER_DECIDES = "user decides"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an operation does to key, names, validity and predecessor, and what people read about it."""

    key: Key
    names: Names
    validity: Validity
    predecessor: Predecessor
    title: str | Promise  # the button
    doing: str | Promise  # the chip while it runs
    about: str | Promise  # what a request is called, with the name it is for
    action: str | Promise  # the entry of the action drop-down
    promise: str | Promise  # one line under it
    confirmation: str | Promise

    @property
    def starts_from_certificate(self) -> bool:
        return self.predecessor is not Predecessor.NONE


MEANING: dict[Kind, Meaning] = {
    Kind.ISSUE: Meaning(
        Key.NEW,
        Names.EDIT,
        Validity.FRESH,
        Predecessor.NONE,
        title=_("Request certificate"),
        doing=_("Issuing"),
        about=_("New certificate for {name}"),
        action=_("Request a certificate"),
        promise=_("A first certificate for a key of yours"),
        confirmation=_("I am sure that I want this certificate."),
    ),
    Kind.REKEY: Meaning(
        Key.NEW,
        Names.LOCKED,
        Validity.SAME_END,
        Predecessor.USER_DECIDES,
        title=_("Rekey"),
        doing=_("Rekeying"),
        about=_("Rekey {name}"),
        action=_("Rekey Certificate"),
        promise=_("New key, same names, same end"),
        confirmation=_("I am sure that I want to rekey this certificate."),
    ),
}


class UseCase(models.TextChoices):
    """Why a key is replaced (0.R5)."""

    LOST = "lost", _("The key is lost")
    COMPROMISED = "compromised", _("The key may be known to others")
    CHANGED = "changed", _("Neither: I want a new key")

    @classmethod
    def hints(cls) -> dict[str, str | Promise]:
        return {
            cls.COMPROMISED.value: _(
                "The old certificate is revoked as soon as the new one is issued, and after 12 hours in any case."
            ),
            cls.LOST.value: _("The old certificate goes on working until you revoke it or it expires."),
        }
