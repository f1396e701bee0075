"""What a look's outcome means, in words for people: a sentence, and what to do about it."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from lifecycle.validation.caa import Reason
from lifecycle.validation.models import CaaCheck

MOST_ISSUERS = 5
MOST_SHOWN = 300  # characters of what a stranger wrote


@dataclass(frozen=True, slots=True)
class Words:
    sentence: str | Promise
    next_step: str | Promise = ""


WORDS: dict[Reason, Words] = {
    Reason.NO_RECORDS: Words(_("No CAA record restricts who may issue for {name}.")),
    Reason.NOT_RESTRICTED: Words(_("The CAA records of {owner} do not restrict who may issue for {name}.")),
    Reason.NAMED: Words(_("The CAA records of {owner} permit this authority to issue for {name}.")),
    Reason.OTHERS_NAMED: Words(
        _("The CAA records of {owner} permit only {issuers} to issue for {name}."),
        _("Ask whoever manages the DNS of {owner} to add the record below beside the others, then verify again."),
    ),
    Reason.NOBODY_NAMED: Words(
        _("A CAA record of {owner} permits nobody to issue for {name}."),
        _("Ask whoever manages the DNS of {owner} to add the record below beside the others, then verify again."),
    ),
    Reason.MALFORMED: Words(
        _("The CAA record {record} of {owner} cannot be read, and counts as one that permits nobody."),
        _("Have it corrected or replaced by the record below, without a dot or a semicolon at its end. Then verify."),
    ),
    Reason.UNKNOWN_CRITICAL: Words(
        _("The CAA record {record} of {owner} is critical and unknown here, so nothing may be issued for {name}."),
        _("Ask whoever manages the DNS of {owner} to remove it, or to set its flags to 0. Then verify again."),
    ),
    Reason.TIMED_OUT: Words(
        _("The name servers did not answer in time when asked about {asked}."),
        _("This often passes: verify again in a minute. If it stays, the name servers of {asked} need attention."),
    ),
    Reason.UNREACHABLE: Words(
        _("The resolver that this portal asks could not be reached, so nothing is known about {name}."),
        _("This is not a fault of your name. Verify again in a few minutes; if it stays, tell the operator."),
    ),
    Reason.SERVER_FAILED: Words(
        _("The DNS answered with a failure (SERVFAIL) when asked about {asked}; its signatures may not hold."),
        _("Have the name servers and the DNSSEC signatures of {asked} checked, then verify again."),
    ),
    Reason.REFUSED: Words(
        _("The DNS refused to answer about {asked}."),
        _("Have it checked that the name servers of {asked} are those that its parent names. Then verify again."),
    ),
    Reason.BAD_ANSWER: Words(
        _("The DNS gave an answer about {asked} that makes no sense."),
        _("Have it checked that the name servers of {asked} answer queries for CAA records. Then verify again."),
    ),
    Reason.ALIAS_LOOP: Words(
        _("{asked} is an alias (CNAME) that leads in a circle, or through too many others."),
        _("Ask whoever manages the DNS of {asked} to let it point to its target directly. Then verify again."),
    ),
    Reason.TOO_MUCH: Words(
        _("{asked} has more CAA records than the portal reads."),
        _("Ask whoever manages the DNS of {asked} to remove those that are not needed. Then verify again."),
    ),
    Reason.NOT_A_NAME: Words(
        _("{name} is no name that the DNS could be asked about."),
        _("Correct the name."),
    ),
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a page shows of one settled look.  Plain text: parts of it are a stranger's."""

    sentence: str
    next_step: str
    publish: str
    """The record that would permit this authority, as a zone file says it; empty where none would."""
    records: tuple[str, ...]
    """What was seen, as a zone file says it."""


def told(check: CaaCheck) -> Told:
    """Say what became of a look; of one under way there is nothing to say yet."""
    if not check.reason:
        return Told("", "", "", ())
    kept, words = check.evidence, WORDS[Reason(check.reason)]
    facts = {
        "name": check.name,
        "owner": kept.get("owner", ""),
        "asked": (kept.get("asked") or [check.name])[-1],
        "record": _cut(kept.get("record", "")),
        "issuers": _listed(kept.get("issuers", [])),
    }
    records = tuple(_cut(f'{each["flags"]} {each["tag"]} "{each["value"]}"') for each in kept.get("records", ()))
    return Told(
        str(words.sentence).format(**facts), str(words.next_step).format(**facts), kept.get("publish", ""), records
    )


def _listed(issuers: list[str]) -> str:
    """The first few of *issuers*; there may be a hundred."""
    first, rest = [_cut(issuer) for issuer in issuers[:MOST_ISSUERS]], len(issuers) - MOST_ISSUERS
    if rest <= 0:
        return ", ".join(first)
    return ngettext("{first} and {rest} other", "{first} and {rest} others", rest).format(
        first=", ".join(first), rest=rest
    )


def _cut(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
