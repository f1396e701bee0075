"""What a look's outcome means, in words for people: a sentence, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from lifecycle.validation.caa import Reason, host_of
from lifecycle.validation.models import CaaCheck

MOST_ISSUERS = 5
MOST_SHOWN = 300  # characters of what a stranger wrote


@dataclass(frozen=True, slots=True)
class Words:
    sentence: str | Promise
    next_step: str | Promise = ""


WORDS: dict[Reason, Words] = {
    Reason.NO_RECORDS: Words(_("No CAA record restricts who may issue for {name}.")),
    Reason.EXCUSED: Words(
        _("The name servers of {name} fail, and its zone is proven to be unsigned: then the rules allow to issue."),
        _("Nothing has to be done now. Have the name servers put right, so that it stays yours who may issue."),
    ),
    Reason.NOT_RESTRICTED: Words(_("The CAA records of {owner} do not restrict who may issue for {name}.")),
    Reason.NAMED: Words(_("The CAA records of {owner} permit this authority to issue for {name}.")),
    Reason.UNPROVEN: Words(
        _("The CAA record {record} of {owner} wants control of {name} to be proven, and no proof of that counts here."),
        _("Prove control of it by a method that the record names, or have the record below added. Then verify again."),
    ),
    Reason.OTHER_METHOD: Words(
        _("The CAA record {record} of {owner} does not name the method by which control of {name} was proven."),
        _("Prove control of it by a method that the record names, or have the record below added. Then verify again."),
    ),
    Reason.OTHER_ACCOUNT: Words(
        _("The CAA record {record} of {owner} permits this authority for another account, not for yours."),
        _("Ask whoever manages the DNS of {owner} to add the record below, which names your account. Then verify."),
    ),
    Reason.UNSATISFIABLE: Words(
        _("The CAA record {record} of {owner} has a parameter that nobody satisfies: it is malformed, or there twice."),
        _("Ask whoever manages the DNS of {owner} to replace it by the record below. Then verify again."),
    ),
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
        _("The DNS answered with a failure (SERVFAIL) when asked about {asked}."),
        _("Have the name servers of {asked} checked, and its DNSSEC signatures. Then verify again."),
    ),
    Reason.BOGUS: Words(
        _("The DNSSEC signatures of {asked} do not hold, so no answer about it can be believed."),
        _("Ask whoever manages the DNS of {asked} to have its signatures and its parent's DS record put right."),
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
    Reason.NOT_CORROBORATED: Words(
        _("Seen from here the DNS permits to issue for {name}, but elsewhere in the world it does not: {dissenting}."),
        _(
            "After a change, old records may still be kept in some places: verify again in some minutes. If it stays, "
            "have it checked that all your name servers answer everybody alike."
        ),
    ),
    Reason.TOO_FEW_PERSPECTIVES: Words(
        _("Seen from here the DNS permits to issue for {name}, but too few other places are set up to confirm that."),
        _("This is not a fault of your name. Tell the operator, who finds in the log which perspectives are missing."),
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


def title_of(name: str) -> str:
    """What people read of a name that was looked at: `@example.test` stands for the mailboxes there."""
    return gettext("mail of {domain}").format(domain=host_of(name)) if name.startswith("@") else name


def told(check: CaaCheck) -> Told:
    """Say what became of a look; of one under way there is nothing to say yet."""
    return told_of(check.name, Reason(check.reason), check.evidence) if check.reason else Told("", "", "", ())


def told_of(name: str, reason: Reason, kept: Mapping[str, Any]) -> Told:
    """The same of anything that was looked at, and of what `evidence` keeps of it."""
    words = WORDS[reason]
    facts = {
        "name": title_of(name),
        "owner": kept.get("owner", ""),
        "asked": (kept.get("asked") or [host_of(name)])[-1],
        "record": _cut(kept.get("record", "")),
        "issuers": _listed(kept.get("issuers", [])),
        "dissenting": _listed(kept.get("quorum", {}).get("dissenting", [])),
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
