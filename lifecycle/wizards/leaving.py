"""Leaving one name out of a draft, so that a name that fails does not hold up the others.

The rest of the draft stays: other names' looks and proofs, and every answer that does not speak of the name.
"""

from lifecycle.requests import services
from lifecycle.requests.errors import LastName, NamesStay
from lifecycle.requests.kinds import Names
from lifecycle.requests.models import CertificateRequest
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.errors import NotHere

ANSWER = "names"
"""The step whose answer holds the names."""


def leave_out(draft: CertificateRequest, name: str) -> None:
    """Take *name* out of the draft that `draft_of` locked; of `@domain`, every mailbox there.

    Raises `NotHere` for a name that it does not have, `NamesStay` where the operation locks names, and `LastName`.
    """
    if refusal := _refusal(draft, name):
        raise refusal
    services.keep_answer(draft, ANSWER, _without(draft, name))


def why_kept(draft: CertificateRequest, name: str) -> str:
    """Why *name* cannot be left out, with what to do instead; "" where it can."""
    refusal = _refusal(draft, name)
    return f"{refusal} {refusal.advice}".strip() if refusal else ""


def _refusal(draft: CertificateRequest, name: str) -> Refusal | None:
    if draft.meaning.names is Names.LOCKED:
        return NamesStay()
    before, after = _names(draft), _without(draft, name)
    if before == after:
        return NotHere()
    return None if all(after.values()) else LastName(name=name.removeprefix("@"))


def _names(draft: CertificateRequest) -> dict[str, list[str]]:
    return {kind: list(names) for kind, names in draft.answers.get(ANSWER, {}).items()}


def _without(draft: CertificateRequest, name: str) -> dict[str, list[str]]:
    return {kind: [each for each in names if not _is_meant(each, name)] for kind, names in _names(draft).items()}


def _is_meant(each: str, name: str) -> bool:
    if name.startswith("@"):
        return each.lower().endswith(name)
    local, at, host = each.rpartition("@")
    return f"{local}{at}{host.lower()}" == name
