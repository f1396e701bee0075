"""What a new profile begins with: sound defaults for what people need most."""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from lifecycle.authorities.models import Trust
from lifecycle.authorities.purposes import EMAIL_PROTECTION, SERVER_AUTH

_ANY_SOUND_KEY = ["ec-p256", "ec-p384", "rsa-3072", "rsa-4096"]
_SIGN = ["digital_signature"]


@dataclass(frozen=True, slots=True)
class Start:
    title: str | Promise
    hint: str | Promise
    content: dict[str, Any]
    trust: str = Trust.PRIVATE


STARTS: dict[str, Start] = {
    "tls-server": Start(
        _("Servers (TLS)"),
        _("For web servers and services inside your organisation, by their DNS names; 90 days."),
        {
            "key_types": _ANY_SOUND_KEY,
            "key_usage": {"ec": _SIGN, "rsa": _SIGN},
            "extended_key_usages": [SERVER_AUTH],
            "subject": [],
            "alternative_names": ["dns"],
            "common_name_from": "dns",
            "days": 90,
        },
    ),
    "tls-client": Start(
        _("People and devices (TLS client)"),
        _("Signs somebody in to a service; one year."),
        {
            "key_types": _ANY_SOUND_KEY,
            "key_usage": {"ec": _SIGN, "rsa": _SIGN},
            "extended_key_usages": ["1.3.6.1.5.5.7.3.2"],
            "subject": ["common_name", "organizational_unit"],
            "days": 365,
        },
    ),
    "documents": Start(
        _("Signatures on documents"),
        _("Signs in a person's name; one year."),
        {
            "key_types": _ANY_SOUND_KEY,
            "key_usage": {
                "ec": ["digital_signature", "content_commitment"],
                "rsa": ["digital_signature", "content_commitment"],
            },
            "extended_key_usages": ["1.3.6.1.5.5.7.3.36"],
            "subject": ["common_name", "organizational_unit"],
            "days": 365,
        },
    ),
    "mail": Start(
        _("Secure e-mail"),
        _("Signs and encrypts the mail of one person's addresses; one year."),
        {
            "key_types": _ANY_SOUND_KEY,
            "key_usage": {
                "ec": ["digital_signature", "key_agreement"],
                "rsa": ["digital_signature", "key_encipherment"],
            },
            "extended_key_usages": [EMAIL_PROTECTION],
            "subject": ["common_name"],
            "alternative_names": ["email"],
            "days": 365,
        },
    ),
}
