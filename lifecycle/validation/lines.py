"""CAA records as lines of a zone file: what somebody has to publish so that an authority may issue."""

from lifecycle.validation.caa import Decision, Reason, RelevantSet, Terms, canonical, host_of
from lifecycle.validation.grammar import IssueValue

_OURS_IN_PART = frozenset({Reason.UNPROVEN, Reason.OTHER_METHOD, Reason.OTHER_ACCOUNT, Reason.UNSATISFIABLE})
"""A property names us, and its parameters are not satisfied."""


def record_to_publish(found: RelevantSet, decision: Decision, terms: Terms) -> str:
    """The line of a zone file that would permit us, to stand beside what is there; "" where no line would help.

    It restricts as far as the record does that comes nearest: whoever wrote an account's or a method's name keeps that.
    """
    if decision.reason is Reason.UNKNOWN_CRITICAL or not terms.identities:
        return ""
    used: set[str] = set()
    if decision.reason in _OURS_IN_PART and decision.record is not None:
        used = {name for name, _text in IssueValue.parsed(decision.record.value).parameters}
    owner = host_of(found.answer.owner if found.found_at else found.name)
    return line_of(
        owner,
        decision.governing,
        terms,
        account="accounturi" in used,
        methods="validationmethods" in used,
    )


def line_of(owner: str, tag: str, terms: Terms, *, account: bool = False, methods: bool = False) -> str:
    """A CAA record that permits the authority of *terms*, as a zone file says it, and only as far as is asked for."""
    parts = [canonical(min(terms.identities))]
    if account and terms.account:
        parts.append(f"accounturi={terms.account}")
    if methods and terms.methods:
        parts.append(f"validationmethods={','.join(sorted(terms.methods))}")
    return f'{owner}. CAA 0 {tag} "{"; ".join(parts)}"'
