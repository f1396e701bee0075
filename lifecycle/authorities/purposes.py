"""What certificates are for, by the names people know, and which uses of a key each purpose needs."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SERVER_AUTH, EMAIL_PROTECTION, ANY_PURPOSE = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.4", "2.5.29.37.0"


@dataclass(frozen=True, slots=True)
class Purpose:
    """An extended key usage; one of `uses` at least has to be allowed beside it, where any is named."""

    oid: str
    title: str | Promise
    uses: frozenset[str] = frozenset()


_SIGN, _COMMIT = "digital_signature", "content_commitment"
_ENCIPHER, _AGREE = "key_encipherment", "key_agreement"

PURPOSES: dict[str, Purpose] = {
    purpose.oid: purpose
    for purpose in (
        # RFC 5280 4.2.1.12, which also names the uses that go with each
        Purpose(SERVER_AUTH, _("TLS server"), frozenset({_SIGN, _ENCIPHER, _AGREE})),
        Purpose("1.3.6.1.5.5.7.3.2", _("TLS client"), frozenset({_SIGN, _AGREE})),
        Purpose("1.3.6.1.5.5.7.3.3", _("Code signing"), frozenset({_SIGN})),
        Purpose(EMAIL_PROTECTION, _("Secure e-mail"), frozenset({_SIGN, _COMMIT, _ENCIPHER, _AGREE})),
        Purpose("1.3.6.1.5.5.7.3.8", _("Time stamping"), frozenset({_SIGN, _COMMIT})),
        Purpose("1.3.6.1.5.5.7.3.9", _("OCSP answers"), frozenset({_SIGN, _COMMIT})),
        Purpose("1.3.6.1.5.5.7.3.36", _("Document signing"), frozenset({_SIGN, _COMMIT})),  # RFC 9336 3.1
        Purpose(ANY_PURPOSE, _("Any purpose")),
    )
}

USES: dict[str, str | Promise] = {
    "digital_signature": _("Signatures"),
    "content_commitment": _("Commitment to content"),
    "key_encipherment": _("Encipherment of keys"),
    "data_encipherment": _("Encipherment of data"),
    "key_agreement": _("Key agreement"),
    "encipher_only": _("Key agreement for enciphering only"),
    "decipher_only": _("Key agreement for deciphering only"),
}
"""Uses of a subscriber's key (RFC 5280 4.2.1.3); signing certificates and CRLs is for authorities."""

FITTING_USES: dict[str, frozenset[str]] = {
    "ec": frozenset(USES) - {"key_encipherment", "data_encipherment"},  # RFC 8813 3
    "rsa": frozenset(USES) - {"key_agreement", "encipher_only", "decipher_only"},  # RFC 4055 1.2
}
FAMILY_TITLES: dict[str, str | Promise] = {"ec": _("EC keys"), "rsa": _("RSA keys")}

DECRYPTING = frozenset({"key_encipherment", "data_encipherment", "key_agreement", "decipher_only"})
"""Uses for which somebody may need the key back; a key that only signs is replaced, not recovered (C12)."""

SUBJECT_TITLES: dict[str, str | Promise] = {
    "country": _("Country"),
    "organization": _("Organisation"),
    "organizational_unit": _("Department"),
    "common_name": _("Name"),
}
"""The fields of a subject in the order in which they stand in it; `requests.orders` knows their OIDs."""

ASKED = ("common_name", "organizational_unit")
"""Those that a subscriber can be asked for; the others are the tenant's to say."""
