"""What the confirming page says: what changes, what stays, what is agreed to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from lifecycle.policies.selectors import agreement_to_read
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.orders import alternative_names_of, not_after_of, subject_of
from lifecycle.wizards import presentation as shown
from portal.foundation import clock


@dataclass(frozen=True, slots=True)
class Stay:
    """What an operation leaves as it is, or what a first certificate will say."""

    label: str
    value: str = ""
    values: Sequence[str] = ()
    code: bool = False


def confirm_context(draft: CertificateRequest, change_url: str) -> dict[str, Any]:
    return {
        "changes": _changes(draft),
        "stays": _stays(draft),
        "change_url": change_url,
        "agreement": _agreement(draft),
        "heading": _("Check before you confirm"),
        "lead": _promise(draft),
    }


def about(draft: CertificateRequest) -> str:
    """The deed in one line, for the code's mail and the code's window."""
    return f"{shown.title_of(draft)} ({draft.number})"


def _promise(draft: CertificateRequest) -> str:
    if draft.predecessor is None:
        return _("This is what your certificate will say. Nothing has happened yet.")
    return _(
        "You get a new certificate with the same names and the same end, for your new key. "
        "The old certificate goes on working until it is revoked."
    )


def _changes(draft: CertificateRequest) -> list[dict[str, Any]]:
    source, key = draft.predecessor, draft.answers.get("key", {})
    if source is None or not key:
        return []
    return [
        {
            "label": _("Key"),
            "before": _fingerprint(source.spki_sha256),
            "before_note": shown.key_word(source.key_type),
            "after": _fingerprint(key["spki"]),
            "after_note": shown.key_word(key["key_type"]),
            "code": True,
        },
        {
            "label": _("Serial"),
            "before": shown.short_serial(source.serial),
            "after": _("given when it is signed"),
        },
        {
            "label": _("Valid from"),
            "before": _moment(source.not_before),
            "after": _moment(clock.now()),
            "after_note": _("when it is signed"),
        },
    ]


def _stays(draft: CertificateRequest) -> list[Stay]:
    names = [str(name.value) for name in alternative_names_of(draft)]
    key = draft.answers.get("key", {})
    rows = [Stay(_("Subject"), subject_of(draft).rfc4514_string())]
    if names:
        rows.append(Stay(_("Alternative names"), values=names))
    rows.append(Stay(_("Valid to"), _moment(not_after_of(draft, clock.now().replace(microsecond=0)))))
    if draft.predecessor is None and key:
        rows.append(Stay(_("Key"), f"{shown.key_word(key['key_type'])} {_fingerprint(key['spki'])}"))
    rows.append(Stay(_("Profile"), draft.profile.title))
    return rows


def _agreement(draft: CertificateRequest) -> dict[str, Any] | None:
    text = agreement_to_read(draft.policy)
    if text is None:
        return None
    return {"title": text.title, "version": text.version, "paragraphs": text.text.split("\n\n")}


def _fingerprint(spki: str) -> str:
    pairs = [spki[i : i + 2] for i in range(0, len(spki), 2)]
    return f"{':'.join(pairs[:4])}…{':'.join(pairs[-2:])}"


def _moment(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
