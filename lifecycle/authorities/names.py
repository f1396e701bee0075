"""The kinds of alternative names a certificate can have.

One table, read by profiles, forms, orders and policies; a further kind is a further row.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.foundation.names import dns_name, mailbox

LONGEST_COMMON_NAME = 64  # RFC 5280 appendix A: ub-common-name


@dataclass(frozen=True, slots=True)
class NameKind:
    """One kind: how it is read, what it is in the certificate, how many of it a certificate takes by itself."""

    slug: str
    read: Callable[[str], str]  # what a person wrote, as a certificate says it; or `UnusableName`
    general_name: type[x509.DNSName] | type[x509.RFC822Name]
    most: int
    in_dns: bool = False  # it names something whose owner can be asked in the DNS


NAME_KINDS: dict[str, NameKind] = {
    "email": NameKind("email", mailbox, x509.RFC822Name, most=10),
    "dns": NameKind("dns", dns_name, x509.DNSName, most=100, in_dns=True),
}
"""By their slug in a profile's terms, which is also the field that a form asks them in."""

NAME_TITLES: dict[str, str | Promise] = {"email": _("E-mail addresses"), "dns": _("DNS names")}
