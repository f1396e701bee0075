"""What a look for a proof met, in words for people: what was seen, where, and what to do about it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as now
from django.utils.translation import gettext_lazy as _

from lifecycle.validation.models import ControlLook


@dataclass(frozen=True, slots=True)
class Words:
    sentence: str | Promise
    next_step: str | Promise = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What a page shows of one look.  Plain text: parts of it are a stranger's."""

    reason: str
    sentence: str
    next_step: str
    expected: str
    found: tuple[str, ...]
    """What stood there instead, as it came, cut."""
    cached_until: datetime | None
    """Until when resolvers may go on telling what was seen; None where that does not matter, or is not known."""


_CORRECT = _("Ask whoever manages the DNS of {name} to correct it, then look again.")
_LATER = _("This often passes: look again in a minute. If it stays, the name servers of {name} need attention.")
_SERVER = _("Have the web server of {name} changed so that it delivers the file itself, then look again.")
_NOT_YOURS = _("This is not a fault of your domain. Look again in a few minutes; if it stays, tell the operator.")

WORDS: dict[str, Words] = {
    "seen": Words(_("The proof is there.")),
    # a record
    "nothing-there": Words(
        _("There is no such record at {name}."),
        _(
            "Publish it exactly as shown. If it is published already, it can take a while until every name server has"
            " it; then look again."
        ),
    ),
    "other-value": Words(
        _("Something else stands at {name}: {found}"),
        _("Add the record beside what is there, with the value exactly as shown, then look again."),
    ),
    "old-value": Words(
        _("The value of an earlier attempt stands at {name}: {found}"),
        _("Replace it by the value shown. If you did so already, the old one may be seen until {cached_until}."),
    ),
    "quoted": Words(
        _("The value at {name} has quotation marks in it that do not belong there: {found}"),
        _("Write the value without quotation marks; the DNS editor adds its own. Then look again."),
    ),
    "altered": Words(
        _("The value at {name} has blanks or capital letters in it that do not belong there: {found}"),
        _("Copy the value exactly as shown, then look again."),
    ),
    "missing-dot": Words(
        _("The value stands at {elsewhere}: the DNS editor has added the zone to a name that had it already."),
        _("Write a dot behind the name, or leave the zone's name out of it; then look again."),
    ),
    "wrong-name": Words(
        _("The value stands at {elsewhere}, and belongs to {name}."),
        _("Move the record to the name shown, with the underscore, then look again."),
    ),
    "alias": Words(
        _("{name} is an alias (CNAME) of {target}, and the value does not stand there."),
        _("Remove the alias, or publish the value at its target. Then look again."),
    ),
    # a record that stays
    "persist-other-issuer": Words(
        _("No record at {name} names {issuer}: {found}"),
        _("Publish the record exactly as shown, beside those that are there, then look again."),
    ),
    "persist-other-account": Words(
        _("The record at {name} names {issuer}, and another account than yours: {found}"),
        _("Set its accounturi to {account}, then look again."),
    ),
    "persist-ended": Words(
        _("The record at {name} is over: its persistUntil has passed."),
        _("Remove persistUntil, or set it to a later moment. Then look again."),
    ),
    "persist-narrow": Words(
        _("The record at {name} does not permit names below {name} and wildcards, which the proof would cover."),
        _("Add “policy=wildcard” to it as shown, then look again; or prove the domain in another way."),
    ),
    "persist-malformed": Words(
        _("The record at {name} cannot be read: {found}"),
        _("Write it exactly as shown, without a dot or a semicolon at its end. Then look again."),
    ),
    # a file
    "file-missing": Words(
        _("The web server says that there is no file at {address} ({status})."),
        _("Put the file there, readable for everybody and without a password. Then look again."),
    ),
    "file-status": Words(_("The web server answered {status} for {address}, which is no success."), _SERVER),
    "file-html": Words(
        _("A page (HTML) came from {address} instead of the file: {found}"),
        _("Let that address deliver the file alone, and no page of the site or of a login. Then look again."),
    ),
    "file-bom": Words(
        _("The file at {address} begins with a byte order mark, which an editor has put there unseen."),
        _("Save it as plain text without one (“UTF-8 without BOM”), then look again."),
    ),
    "file-more": Words(
        _("There is more in the file at {address} than the value: {found}"),
        _("Let the value alone stand in it, then look again."),
    ),
    "file-empty": Words(_("The file at {address} is empty."), _("Write the value into it, then look again.")),
    "file-other": Words(
        _("Something else stands in the file at {address}: {found}"),
        _("Replace it by the value shown, then look again."),
    ),
    "file-large": Words(
        _("What came from {address} is longer than the file could be; it looks like a page of the site."),
        _("Let that address deliver the file alone, then look again."),
    ),
    # mail
    "contact-found": Words(_("The DNS names the mailbox, and the mail is on its way.")),
    "choose-contact": Words(
        _("The DNS names these mailboxes: {contacts}"), _("Choose the one that the mail should go to.")
    ),
    "no-such-contact": Words(
        _("The DNS names no mailbox at {name} that the mail could go to, or another one than you chose: {contacts}"),
        _("Have the contact published, or choose another way to prove the domain."),
    ),
    "refused-by-mail": Words(
        _("Whoever reads the mailbox pressed “Not me”."), _("Talk to them, then begin anew if it was a mistake.")
    ),
    # all
    "not-corroborated": Words(
        _("We see the proof, and too few of the remote perspectives do: {dissenting}"),
        _("This often passes once every name server has it: look again in a few minutes."),
    ),
    "too-few-perspectives": Words(
        _("We see the proof, and too few remote perspectives could be asked for today's rules."),
        _("This is not a fault of your domain: the operator has to set up more of them. Tell the operator."),
    ),
    "too-late": Words(_("The value's time ran out before it was seen."), _("Begin anew, with a new value.")),
    "begun-anew": Words(_("A new attempt took its place.")),
    "not-ours": Words(
        _("The portal did not make the value of this attempt, so it proves nothing."),
        _("Begin anew, and tell the operator: somebody wrote into the database."),
    ),
    "retired": Words(_("The domain was retired.")),
    "fell-back": Words(
        _("The portal could not publish it by itself, so it is published by hand from now on."),
        _("Publish the new value yourself; mend the way to publish, then choose it again."),
    ),
    # the DNS
    "timed-out": Words(_("The name servers did not answer in time when asked about {name}."), _LATER),
    "unreachable": Words(_("The resolver that this portal asks could not be reached."), _NOT_YOURS),
    "server-failed": Words(
        _("The DNS answered with a failure (SERVFAIL) when asked about {name}; its signatures may not hold."),
        _("Have the name servers and the DNSSEC signatures of {name} checked, then look again."),
    ),
    "bogus": Words(
        _("The DNSSEC signatures of {name} do not hold, so nothing that is said about it can be believed."),
        _("Have the signatures and the DS record of the zone mended, then look again."),
    ),
    "refused": Words(
        _("The DNS refused to answer about {name}."),
        _("Have it checked that the name servers of {name} are those that its parent names. Then look again."),
    ),
    "bad-answer": Words(_("The DNS gave an answer about {name} that makes no sense."), _CORRECT),
    "alias-loop": Words(_("{name} is an alias (CNAME) that leads in a circle, or through too many others."), _CORRECT),
    "too-much": Words(
        _("{name} has more records than the portal reads."),
        _("Ask whoever manages the DNS of {name} to remove those that are not needed. Then look again."),
    ),
    "not-a-name": Words(_("{name} is no name that the DNS could be asked about."), _("Correct the name.")),
    # the web
    "bad-address": Words(_("A redirect of {name} leads to something that is no address: {url}"), _SERVER),
    "wrong-scheme": Words(_("A redirect of {name} leads neither to http nor to https: {url}"), _SERVER),
    "wrong-port": Words(_("A redirect of {name} leads to another port than 80 or 443: {url}"), _SERVER),
    "bare-address": Words(_("A redirect of {name} leads to an IP address instead of a name: {url}"), _SERVER),
    "no-address": Words(
        _("{name} has no address in the DNS (no A and no AAAA record)."),
        _("Have one published for the host that serves the file, then look again."),
    ),
    "special-address": Words(
        _("{name}, or where it redirects to, has an address that is not on the Internet: {url}"),
        _("The file has to be reachable from everywhere. Have a public address published, or use a DNS record."),
    ),
    "not-connected": Words(
        _("Nobody answers at the web server of {name}, port 80: {url}"),
        _("Have it checked that it runs and that no firewall keeps strangers out. Then look again."),
    ),
    "too-slow": Words(_("The web server of {name} did not answer in time."), _LATER),
    "tls-failed": Words(_("No TLS connection could be made to {url}, where {name} redirects to."), _SERVER),
    "not-trusted": Words(_("The certificate at {url} is not trusted."), _SERVER),
    "not-http": Words(_("What answers at {url} does not speak HTTP."), _SERVER),
    "encoded": Words(_("The file came compressed, although nobody asked for that: {url}"), _SERVER),
    "redirected": Words(_("{name} redirects to another address, which is not followed: {url}"), _SERVER),
    "redirect-loop": Words(_("The redirects of {name} lead in a circle: {url}"), _SERVER),
    "too-many-redirects": Words(_("{name} redirects too often: {url}"), _SERVER),
}
"""By code: those of `reading`, of `caa.Reason`, of `portal.foundation.outbound.Reason`, and of an attempt's end."""

_UNKNOWN = Words(_("The proof could not be looked for."), _("Look again in a few minutes."))


def told(look: ControlLook) -> Told:
    """Say what one look met, in the reader's language."""
    facts = dict(look.evidence.get("facts") or {})
    if quorum := look.evidence.get("quorum"):
        facts["dissenting"] = ", ".join(quorum["dissenting"])
    return said(look.reason, facts)


def said(reason: str, facts: Mapping[str, Any]) -> Told:
    """Say what a code means, with what is known besides."""
    words = WORDS.get(reason, _UNKNOWN)
    until = _moment(facts.get("cached_until"))
    found = tuple(str(each) for each in facts.get("found") or ())
    shown = defaultdict(lambda: "-", {key: str(value) for key, value in facts.items() if value})
    shown["found"] = ", ".join(f"“{each}”" for each in found) or now("nothing")
    shown["contacts"] = ", ".join(facts.get("contacts") or ()) or now("none")
    shown["cached_until"] = f"{date_format(until, 'Y-m-d H:i')} UTC" if until else now("it is no longer cached")
    return Told(
        reason,
        str(words.sentence).format_map(shown),
        str(words.next_step).format_map(shown),
        str(facts.get("expected", "")),
        found,
        until,
    )


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
