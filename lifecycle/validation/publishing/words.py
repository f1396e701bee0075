"""What the last use of a way met, in words for people: a sentence, and what to do about it."""

from django.utils.translation import gettext_lazy as _

from lifecycle.validation.models import PublishingWay
from lifecycle.validation.publishing.troubles import Why
from lifecycle.validation.words import Words
from portal.foundation.outbound import Reason

_LATER = _("It is tried again by itself for half an hour, then people publish by hand.")
_SERVER = _("Compare it with the name server's configuration, and add the way anew if it was written down wrongly.")
_RECEIVER = _("Look at the receiver; its own log says more. Then try it again here.")

WORDS: dict[str, Words] = {
    Why.OUTSIDE_ZONE: Words(
        _("{detail} is not inside the zone {zone}, so this way cannot publish it."),
        _("Add a way for the zone that the name belongs to."),
    ),
    Why.NO_FILES: Words(
        _("A name server publishes records and no files."),
        _("Prove the domain by a DNS record, or publish files through a hook."),
    ),
    Why.CANNOT_OPEN: Words(
        _("The secret of this way cannot be opened: it was sealed for a key that this portal no longer has."),
        _("Add the way anew, with its secret, and retire this one."),
    ),
    Why.NO_WAY: Words(_("The way was retired before anything was published."), _("Choose another way.")),
    Why.DNS_KEY: Words(
        _("The server refused the update: it does not know the key {key}, or has another secret for it ({detail})."),
        _SERVER,
    ),
    Why.DNS_TIME: Words(
        _("The server refused the update: its clock and ours differ by more than it allows."),
        _("Have the clock of the name server {address} checked."),
    ),
    Why.DNS_ZONE: Words(
        _("The server refused the update: {detail}. It is not the primary server of {zone}, or the key may not write."),
        _SERVER,
    ),
    Why.DNS_REFUSED: Words(
        _("The server refused the update: {detail}. The key {key} may not change this name in {zone}."),
        _("Let the key write TXT and CNAME records there, then try it again."),
    ),
    Why.DNS_FAILED: Words(_("The server could not carry out the update: {detail}."), _LATER),
    Why.DNS_UNSIGNED: Words(
        _("An answer came that is not signed with the key {key}, so nobody knows whether the server gave it."),
        _("Have it checked that {address} is the name server itself and that it signs its answers (TSIG)."),
    ),
    Why.DNS_NONSENSE: Words(
        _("What answers at {address} does not speak DNS as a name server would ({detail})."),
        _("Have it checked that the name server takes updates over TCP."),
    ),
    Why.HOOK_STATUS: Words(_("The receiver answered with the status {detail}, which is no success."), _RECEIVER),
    Why.HOOK_BUSY: Words(_("The receiver answered with the status {detail}."), _LATER),
    Reason.TOO_SLOW: Words(_("{address} did not answer in time."), _LATER),
    Reason.NOT_CONNECTED: Words(_("{address} could not be reached: {detail}."), _LATER),
    Reason.NO_ADDRESS: Words(
        _("The name of {address} has no address."), _("Correct the name, or have its address published.")
    ),
    Reason.SPECIAL_ADDRESS: Words(
        _("{address} leads to {detail}, where this portal calls nobody."),
        _("Give it an address on the Internet, or publish by hand."),
    ),
    Reason.TLS_FAILED: Words(_("No TLS connection to {address} came about: {detail}."), _RECEIVER),
    Reason.NOT_TRUSTED: Words(
        _("The certificate of {address} is not trusted: {detail}."),
        _("Give the receiver a certificate that browsers trust, for the name in its address."),
    ),
    Reason.NOT_HTTP: Words(_("What answers at {address} does not speak HTTP as a server would."), _RECEIVER),
    Reason.TOO_LARGE: Words(_("{address} answered with more than anybody would read."), _RECEIVER),
    Reason.ENCODED: Words(_("{address} answered with something compressed, which was not asked for."), _RECEIVER),
    Reason.REDIRECTED: Words(
        _("{address} redirects elsewhere ({detail}), and a hook is not called anywhere else."),
        _("Add the way anew with the address that it redirects to."),
    ),
}
"""By code; the other codes of `outbound.Reason` cannot come from an address that was taken in."""

_OTHER = Words(_("It failed: {code} {detail}."), _("Try it again; if it stays, tell the operator."))
_NAME = Words(_("The name of {address} could not be looked up ({code})."), _LATER)


def words_of(way: PublishingWay) -> Words | None:
    """Say what the last use of *way* met; None where it succeeded, or was not used yet."""
    if not way.said:
        return None
    code, _space, detail = way.said.partition(" ")
    words = _NAME if code.startswith("name-") else WORDS.get(code, _OTHER)
    facts = {
        "code": code,
        "detail": detail or "?",
        "address": way.address,
        "zone": way.zone,
        "key": way.key_name,
    }
    return Words(str(words.sentence).format(**facts), str(words.next_step).format(**facts))
