"""What the Key step tells the browser that makes a key itself; the making is in `static/src/key/`."""

import re
import unicodedata
from dataclasses import dataclass

from lifecycle.authorities.keys import KEY_KINDS, KeyKind
from lifecycle.requests.models import CertificateRequest
from lifecycle.wizards.presentation import subject_word

BROWSER_KINDS = ("ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096")
"""The kinds that `static/src/key/pair.js` knows how to ask of WebCrypto (W3C Web Cryptography API 20 and 23)."""

_LONGEST_STEM = 60


@dataclass(frozen=True, slots=True)
class KeyMaker:
    kinds: list[KeyKind]
    file: str

    @classmethod
    def of(cls, draft: CertificateRequest) -> "KeyMaker":
        """Offer what the draft's profile takes and a browser can make, in the profile's order; that may be nothing."""
        taken = draft.profile.terms.key_types
        return cls([KEY_KINDS[slug] for slug in taken if slug in BROWSER_KINDS], _file_name(draft))


def _file_name(draft: CertificateRequest) -> str:
    """Name the file after what the request is about, in letters that every file system takes."""
    plain = unicodedata.normalize("NFKD", subject_word(draft)).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^A-Za-z0-9@.]+", "-", plain).strip("-.")[:_LONGEST_STEM].rstrip("-.")
    return f"{stem or draft.number}.key"
