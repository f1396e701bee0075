"""Names that strangers chose, made fit to stand in somebody else's mail."""

import unicodedata

LONGEST_NAME = 120
_SHOWN = 80
_KEPT_SIGNS = set(" &',()-+\N{RIGHT SINGLE QUOTATION MARK}\N{EN DASH}")
_UNSEEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}


def readable(text: str) -> bool:
    """Whether *text* is a name of up to `LONGEST_NAME` characters, all of which can be seen."""
    hidden = any(unicodedata.category(sign) in _UNSEEN or sign == "\N{REPLACEMENT CHARACTER}" for sign in text)
    return bool(text.strip()) and len(text) <= LONGEST_NAME and not hidden


def harmless(name: str) -> str:
    """Return *name* so that it can neither look like a link nor break out of its sentence.

    Letters, digits and a few signs stay; a full stop is followed by a space, so that no mail
    program takes `pay.example` for an address; at most 80 characters are shown.
    """
    plain = unicodedata.normalize("NFKC", name)
    spaced = plain.replace(".", ". ")
    kept = "".join(sign if sign.isalnum() or _is_mark(sign) or sign in _KEPT_SIGNS | {"."} else " " for sign in spaced)
    return " ".join(kept.split())[:_SHOWN].strip()


def _is_mark(sign: str) -> bool:
    return unicodedata.category(sign).startswith("M")
