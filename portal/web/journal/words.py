"""The journal's codes as sentences.

A code without a sentence is shown as it is: a line is never left out because nobody has
found words for it.
"""

from collections.abc import Iterable, Mapping

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

SENTENCES: dict[str, Promise] = {
    "account:tell": gettext_lazy("{who} told {what} by mail what was done with their account"),
    "agreement:accept": gettext_lazy("{who} accepted a subscriber agreement for {what}"),
    "agreement:publish": gettext_lazy("{who} published the agreement {what}"),
    "approval:give": gettext_lazy("{who} gave their approval to {what}"),
    "approval:refuse": gettext_lazy("{who} refused {what}"),
    "authority:create": gettext_lazy("{who} made the authority {what}"),
    "caa:ask": gettext_lazy("{who} had CAA records looked up for {what}"),
    "caa:permit": gettext_lazy("{who} found that CAA permits, {what}"),
    "caa:refuse": gettext_lazy("{who} found that CAA forbids, or could not be found out, {what}"),
    "caa:survey": gettext_lazy("{who} saw the CAA records of a name and above it, {what}"),
    "certificate:revoke": gettext_lazy("{who} revoked {what}"),
    "certificate:revoke-orphan": gettext_lazy(
        "{who} revoked a certificate that was signed and never delivered, {what}"
    ),
    "certificate:upload": gettext_lazy("{who} uploaded {what}"),
    "control:approve": gettext_lazy("{who} approved by a mail's link, {what}"),
    "control:begin": gettext_lazy("{who} began to prove a domain, {what}"),
    "control:contact": gettext_lazy("{who} asked the DNS for a domain's mailboxes, {what}"),
    "control:fall-back": gettext_lazy("{who} left it to people to publish a proof, {what}"),
    "control:give up": gettext_lazy("{who} ended an attempt to prove a domain, {what}"),
    "control:leave": gettext_lazy("{who} could not withdraw what was published, {what}"),
    "control:look": gettext_lazy("{who} had a proof looked for, {what}"),
    "control:look-later": gettext_lazy("{who} left looking for a proof to a later look, {what}"),
    "control:miss": gettext_lazy("{who} looked for a proof in vain, {what}"),
    "control:prove": gettext_lazy("{who} saw the proof of a domain, {what}"),
    "control:publish": gettext_lazy("{who} published a proof, {what}"),
    "control:publish-failed": gettext_lazy("{who} could not publish a proof, {what}"),
    "control:send": gettext_lazy("{who} sent the mail that proves a domain, {what}"),
    "demo:seeded": gettext_lazy("{who} told the demo's story"),
    "control:withdraw": gettext_lazy("{who} withdrew what was published, {what}"),
    "domain:add": gettext_lazy("{who} added the domain {what}"),
    "domain:publish-by": gettext_lazy("{who} chose who publishes the proofs of the domain {what}"),
    "domain:retire": gettext_lazy("{who} retired the domain {what}"),
    "domain:revive": gettext_lazy("{who} took the retired domain {what} up again"),
    "domain:warn": gettext_lazy("{who} told {what} about proofs of domains"),
    "enrolment:confirm": gettext_lazy("{who} added a second factor, {what}"),
    "enrolment:remove": gettext_lazy("{who} removed a second factor, {what}"),
    "enrolment:reset": gettext_lazy("{who} reset the second factors of {what}"),
    "errand:again": gettext_lazy("{who} had parked work tried again, {what}"),
    "errand:give-up": gettext_lazy("{who} gave parked work up, {what}"),
    "factor:accept": gettext_lazy("{who} confirmed with a second factor, {what}"),
    "factor:ask": gettext_lazy("{who} was asked for a second factor, {what}"),
    "factor:fail": gettext_lazy("{who} could not be asked for a second factor, {what}"),
    "factor:reject": gettext_lazy("{who} gave a wrong second factor, {what}"),
    "factor:spend": gettext_lazy("{who} used a confirmation up, {what}"),
    "factor:throttle": gettext_lazy("{who} was made to wait for a second factor, {what}"),
    "invitation:accept": gettext_lazy("{who} accepted the invitation {what}"),
    "invitation:make": gettext_lazy("{who} invited somebody, {what}"),
    "invitation:resend": gettext_lazy("{who} had the invitation {what} sent again"),
    "invitation:send": gettext_lazy("{who} sent the invitation {what}"),
    "invitation:withdraw": gettext_lazy("{who} withdrew the invitation {what}"),
    "journal:compare": gettext_lazy("{who} compared the journal of {what} with the copies of its checkpoints"),
    "journal:enter-key": gettext_lazy("{who} entered the journal's key {what}"),
    "journal:export": gettext_lazy("{who} exported the journal of {what}"),
    "journal:verify": gettext_lazy("{who} verified the journal of {what}"),
    "look:begin": gettext_lazy("{who} began the look {what} as the platform's operator"),
    "look:end": gettext_lazy("{who} ended the look {what}"),
    "look:open": gettext_lazy("{who} opened a page during the look {what}"),
    "look:tell": gettext_lazy("{who} told an administrator of the look {what}"),
    "membership:end": gettext_lazy("{who} ended the membership of {what}"),
    "membership:give": gettext_lazy("{who} gave a role to {what}"),
    "membership:suspend": gettext_lazy("{who} suspended {what}"),
    "membership:take": gettext_lazy("{who} took a role from {what}"),
    "membership:unsuspend": gettext_lazy("{who} let {what} in again"),
    "notice:send": gettext_lazy("{who} sent a notice about {what}"),
    "password:change": gettext_lazy("{who} changed their password"),
    "password:forget": gettext_lazy("{who} asked for a new password for {what}"),
    "password:refuse": gettext_lazy("{who} gave a wrong password"),
    "person:join": gettext_lazy("{who} joined"),
    "policy:change": gettext_lazy("{who} changed the policy {what}"),
    "profile:create": gettext_lazy("{who} made a version of the profile {what}"),
    "publishing:add": gettext_lazy("{who} added the way to publish {what}"),
    "publishing:retire": gettext_lazy("{who} retired the way to publish {what}"),
    "publishing:tried": gettext_lazy("{who} tried the way to publish {what} out"),
    "publishing:try": gettext_lazy("{who} had the way to publish {what} tried out"),
    "request:approve": gettext_lazy("{who} approved {what}"),
    "request:begin": gettext_lazy("{who} began {what}"),
    "request:complete": gettext_lazy("{who} completed {what}"),
    "request:execute": gettext_lazy("{who} handed {what} to the authority"),
    "request:fail": gettext_lazy("{who} found that {what} failed"),
    "request:pass validation": gettext_lazy("{who} validated {what}"),
    "request:recheck": gettext_lazy("{who} sent {what} back to be checked again"),
    "request:reject": gettext_lazy("{who} rejected {what}"),
    "request:submit": gettext_lazy("{who} submitted {what}"),
    "request:withdraw": gettext_lazy("{who} withdrew {what}"),
    "session:end": gettext_lazy("{who} ended sessions of {what}"),
    "sign-in:accept": gettext_lazy("{who} signed in"),
    "sign-in:end": gettext_lazy("{who} signed out"),
    "sign-in:refuse": gettext_lazy("{who} was refused to sign in as {what}"),
    "sign-in:throttle": gettext_lazy("{who} was made to wait before signing in as {what}"),
    "tenant:close": gettext_lazy("{who} began to close the tenant {what}"),
    "tenant:create": gettext_lazy("{who} made the tenant {what}"),
    "tenant:keep": gettext_lazy("{who} took the closing of the tenant {what} back"),
    "tenant:rename": gettext_lazy("{who} renamed the tenant {what}"),
    "tenant:resume": gettext_lazy("{who} let the tenant {what} work again"),
    "tenant:suspend": gettext_lazy("{who} suspended the tenant {what}"),
    "token:make": gettext_lazy("{who} made the token {what} for a program"),
    "token:revoke": gettext_lazy("{who} revoked the token {what}"),
}

ROBOTS: dict[str, Promise] = {
    "policy:auto": gettext_lazy("The policy"),
    "nobody": gettext_lazy("Somebody unknown"),
}
"""Who acted in nobody's name.  Every other actor that is no person is the portal itself."""

ITSELF = gettext_lazy("The portal itself")


def sentence(code: str, who: object, what: object) -> SafeString:
    """Say in a sentence what a line tells; both parts may be markup."""
    words = SENTENCES.get(code)
    if words is None:
        return format_html(
            str(_("{who}: {code}, {what}")), who=who, code=format_html("<code>{}</code>", code), what=what
        )
    return format_html(str(words), who=who, what=what)


def through(sentence: SafeString, prefix: str | None) -> SafeString:
    """Say besides through which token a program did it; only what a person did themselves stands alone."""
    if not prefix:
        return sentence
    token = format_html("<code>{}…</code>", prefix)
    return format_html(str(_("{sentence}, through the token {token}")), sentence=sentence, token=token)


def plain(code: str) -> str:
    """Name a kind of line for a filter: its sentence with dots for the two names."""
    words = SENTENCES.get(code)
    return str(words).format(who="…", what="…") if words else code


def choices(codes: Iterable[str]) -> list[tuple[str, str]]:
    return sorted(((code, plain(code)) for code in codes), key=lambda choice: choice[0])


def name_of(actor: str, people: Mapping[str, str]) -> str:
    """Name who acted; a person who is not known any more is shown by their id."""
    if actor in people:
        return people[actor]
    if robot := ROBOTS.get(actor):
        return str(robot)
    return str(ITSELF) if ":" in actor else actor
