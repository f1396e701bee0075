"""Names of hosts and mailboxes as certificates say them, and what is wrong with one that nobody could certify."""

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

import idna
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.functional import Promise
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from portal.foundation.errors import Refusal

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

LONGEST_LOCAL_PART, LONGEST_ADDRESS = 64, 254  # RFC 5321 4.5.3.1
LONGEST_DOMAIN, LONGEST_LABEL = 253, 63  # RFC 1035 2.3.4, written out with its dots
_TAG = slice(2, 4)  # of a label: where A-labels have their second pair of hyphens
WILDCARD = "*."

NOT_IN_THE_DNS = frozenset({"arpa", "localhost", "onion"})
"""Top-level names under which nobody is a server's name: RFC 3172, 6761, 7686."""

_UNSEEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp", "Zs"}
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.ASCII)
_mailbox = EmailValidator(allowlist=())


class UnusableName(Refusal):
    """The name is shown shortened, and without what would not be seen of it."""

    code = "unusable-name"
    message = _("“{name}” cannot stand in a certificate: {why}.")
    next_step = _("Correct it, or leave it out.")

    LONGEST_SHOWN = 80

    def __init__(self, name: str, why: str | Promise, **facts: object) -> None:
        shown = "".join(sign if sign.isprintable() else f"U+{ord(sign):04X}" for sign in name[: 2 * self.LONGEST_SHOWN])
        super().__init__(name=Truncator(shown).chars(self.LONGEST_SHOWN), why=str(why).format(**facts))


def unseen_in(text: str) -> list[str]:
    """Code points in *text* that a reader would not see: control characters, direction marks, a BOM, odd spaces."""
    hidden = {sign for sign in text if unicodedata.category(sign) in _UNSEEN or sign == "\N{REPLACEMENT CHARACTER}"}
    return sorted(f"U+{ord(sign):04X}" for sign in hidden)


def dns_name(text: str) -> str:
    """Return the name of a host as RFC 5280 4.2.1.6 wants it: A-labels, lower case, a star only as the whole first.

    Raises `UnusableName`, which says in words what is wrong with it.
    """
    if hidden := unseen_in(text):
        raise UnusableName(text, _("it contains characters that cannot be seen ({signs})"), signs=", ".join(hidden))
    if "/" in text or ":" in text or "@" in text:
        raise UnusableName(text, _("only the name of the host belongs here, no address of a page, a port or a mailbox"))
    host = text.removeprefix(WILDCARD)
    if "*" in host or not host:
        raise UnusableName(text, _("a star stands only alone and at the very beginning, as in *.example.com"))
    labels = [_label(text, label) for label in host.removesuffix(".").split(".")]
    name = ".".join(labels)
    if labels[-1].isdigit():
        raise UnusableName(text, _("it is an IP address or looks like one"))
    if labels[-1] in NOT_IN_THE_DNS:
        raise UnusableName(text, _("names that end in .{last} are not given to servers"), last=labels[-1])
    prefix = WILDCARD if text.startswith(WILDCARD) else ""
    if len(prefix + name) > LONGEST_DOMAIN:
        raise UnusableName(text, _("it is longer than {count} characters"), count=LONGEST_DOMAIN)
    if is_public_suffix(name):  # CA/B BR 3.2.2.6, for wildcards as well
        raise UnusableName(text, _("everybody's names are registered directly under it, so nobody can own it alone"))
    return prefix + name


def _label(text: str, written: str) -> str:
    """Return one label as an A-label (RFC 5890 2.3.1), whatever was written."""
    if not written:
        raise UnusableName(text, _("it has a dot too many"))
    label = unicodedata.normalize("NFC", written).lower()
    if not label.isascii():
        label = _a_label(text, label)
    if len(label) > LONGEST_LABEL or not label.isascii():
        raise UnusableName(text, _("a part between two dots is longer than {count} characters"), count=LONGEST_LABEL)
    if not _LABEL.fullmatch(label):
        raise UnusableName(text, _("“{part}” is not letters, digits and hyphens within"), part=written)
    if label[_TAG] == "--" and not _is_a_label(label):
        raise UnusableName(text, _("“{part}” looks like an encoded name and is none"), part=written)
    return label


def _a_label(text: str, label: str) -> str:
    try:
        return idna.alabel(label).decode()
    except (idna.IDNAError, UnicodeError):
        if len(f"xn--{label.encode('punycode').decode()}") > LONGEST_LABEL:
            return label  # whatever else is wrong with it, its length is what to say
        why = _("“{part}” has letters that names in the DNS do not take (IDNA 2008)")
        raise UnusableName(text, why, part=label) from None


def _is_a_label(label: str) -> bool:
    """Whether it is what IDNA 2008 makes of some U-label, and not merely dressed up like it."""
    try:
        return label.startswith("xn--") and idna.alabel(idna.ulabel(label)).decode() == label
    except (idna.IDNAError, UnicodeError):
        return False


def is_public_suffix(name: str) -> bool:
    """Whether registries give names directly under *name*; a single label counts as one that we do not know."""
    return bool(_suffixes().is_public(name))


def is_under_public_suffix(name: str) -> bool:
    """Whether the public DNS has *name*'s end: CA/B BR 4.2.2 allows no internal name in public trust."""
    return _suffixes().publicsuffix(name.removeprefix(WILDCARD), accept_unknown=False) is not None


@cache
def _suffixes() -> "PublicSuffixList":
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 - it reads 330 kB, and most processes never ask

    return PublicSuffixList(only_icann=True, accept_unknown=True)


def mailbox(text: str) -> str:
    """Return one mailbox of one domain in ASCII (RFC 9598 addresses need an encoding of their own)."""
    local, at, domain = text.rpartition("@")
    address = f"{local}{at}{domain.lower()}"  # RFC 5321 2.4: the domain's case means nothing, the local part's may
    try:
        _mailbox(address)
    except ValidationError:
        raise UnusableName(text, _("it is not an e-mail address")) from None
    # a domain literal names a machine and no domain, and an asterisk reads like a wildcard, which there is not
    fits = len(local) <= LONGEST_LOCAL_PART and len(address) <= LONGEST_ADDRESS
    if not (fits and address.isascii() and "*" not in local and not domain.startswith("[")):
        raise UnusableName(text, _("it is not an e-mail address that a certificate can hold"))
    return address
