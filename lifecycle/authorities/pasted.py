"""Finds the DER in what somebody pasted or uploaded, however badly it was copied.

Forgiven: DER or PEM or bare base64, any line ends, quotation marks of a mail, dashes a
word processor made longer, markers that lack dashes or are missing, byte order marks,
UTF-16, HTML entities and tags, non-breaking and invisible spaces, text around it.  What
comes out is only a candidate: nothing here judges what it says.
"""

import base64
import binascii
import codecs
import html
import re

from lifecycle.authorities.errors import (
    CsrCutOff,
    CsrEmpty,
    CsrTooLarge,
    CsrUnreadable,
    NotACsr,
    PrivateKeyGiven,
    SeveralCsrs,
)
from lifecycle.authorities.sightings import PRIVATE_KEY, TEXTS

LIMIT = 64 * 1024
_KILO = 1024

_ODD_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe58\ufe63\uff0d\u00ad", "-"),
        **dict.fromkeys("\u2014\u2015", "--"),
        **dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\x00", None),
        **dict.fromkeys("\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb`'\"", " "),
    }
)
_TAG = re.compile(r"<[^<>]{0,200}>")
_ESCAPED_LINE_END = re.compile(r"\\r\\n|\\n|\\r")
_QUOTED = re.compile(r"^(?:[>|*#]|[^\S\n]){1,40}|(?:[,;\\]|[^\S\n]){1,40}$", re.MULTILINE)
_HEADER_LINE = re.compile(r"^[A-Za-z0-9-]{1,40}:.*$", re.MULTILINE)  # RFC 1421: Proc-Type, DEK-Info
# Bounded everywhere, so that a megabyte of dashes costs nothing.
_MARKER = re.compile(
    r"-{0,20}[ \t]{0,5}\b(BEGIN|END)\s{1,5}"
    r"((?:[A-Z0-9]{1,20}\s{1,5}){0,4}(?:REQUEST|CERTIFICATE|KEY|PKCS7|PKCS12|CMS|CRL|MESSAGE|BLOCK))\b"
    r"[ \t]{0,5}-{0,20}",
    re.IGNORECASE,
)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*")
_LONG_DER = re.compile(r"MI[A-Za-z0-9+/\s]+")  # a SEQUENCE of 128 bytes or more, in base64


def find_der(given: bytes | str) -> bytes:
    """Return the one piece of DER in *given*; refuse nothing, too much, several, and private keys."""
    raw = given.encode("utf-8", "replace") if isinstance(given, str) else given
    if len(raw) > LIMIT:
        raise CsrTooLarge(kilobytes=-(-len(raw) // _KILO), limit=LIMIT // _KILO)
    if not raw.strip(b"\x00 \t\r\n"):
        raise CsrEmpty
    if _announced_length(raw) in {len(raw), len(raw.rstrip())}:
        return raw[: _announced_length(raw)]
    text = _tidied(_decoded(raw))
    if not text.strip():
        raise CsrEmpty
    return _cut_to_length(_from_base64(_chosen(text)))


def blocks_in(raw: bytes) -> list[tuple[str, str]]:
    """Return label and body of every PEM block in a text, tidied; the whole text without a label if there is none."""
    text = _tidied(_decoded(raw))
    found = _LONG_DER.search(text)
    return _blocks(text) or [("", found[0] if found else text)]


def der_of(body: str) -> bytes:
    """Return the first piece of DER that the body of a block encodes."""
    return _cut_to_length(_from_base64(body))


def sequences_in(raw: bytes) -> list[bytes]:
    """Return the DER values that *raw* consists of, one after the other; none if anything else is in it."""
    rest, found = raw, []
    while rest.strip(b"\x00 \t\r\n"):
        length = _announced_length(rest)
        if length is None or length > len(rest):
            return []
        found.append(rest[:length])
        rest = rest[length:]
    return found


def _decoded(raw: bytes) -> str:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")  # a word processor's dashes, saved by an old editor


def _tidied(text: str) -> str:
    plain = _TAG.sub("\n", html.unescape(text)).translate(_ODD_CHARACTERS).replace("\r", "\n")
    return _QUOTED.sub("", _ESCAPED_LINE_END.sub("\n", plain))


def _chosen(text: str) -> str:
    """Return the body of the only request, else of the first block, else everything that could be base64."""
    for what, appearance in TEXTS:
        if appearance.search(text):
            raise NotACsr(what=what)
    blocks = _blocks(text)
    if any("PRIVATE KEY" in label for label, _ in blocks):
        raise PrivateKeyGiven(what=PRIVATE_KEY)
    requests = [body for label, body in blocks if label.endswith("REQUEST")]
    if len(requests) > 1:
        raise SeveralCsrs(count=len(requests))
    if requests or blocks:
        return requests[0] if requests else blocks[0][1]
    found = _LONG_DER.search(text)
    return found[0] if found else text


def _blocks(text: str) -> list[tuple[str, str]]:
    """Return label and body of every block; a marker may lack its partner, since people lose first and last lines."""
    markers = list(_MARKER.finditer(text))
    ends = [*(marker.start() for marker in markers), len(text)][1:]
    blocks = [
        (_label(marker), text[marker.end() : end])
        for marker, end in zip(markers, ends, strict=True)
        if marker[1].upper() == "BEGIN"
    ]
    if markers and markers[0][1].upper() == "END":
        blocks.insert(0, (_label(markers[0]), text[: markers[0].start()]))
    return blocks


def _label(marker: re.Match[str]) -> str:
    return " ".join(marker[2].upper().split())


def _from_base64(body: str) -> bytes:
    letters = "".join(_HEADER_LINE.sub("", body).split()).rstrip("-").partition("=")[0]
    if not letters or not _BASE64.fullmatch(letters):
        raise CsrUnreadable
    if len(letters) % 4 == 1:
        letters = letters[:-1]  # it says nothing; whether more is missing shows in the length of what it encodes
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4))
    except binascii.Error:
        raise CsrUnreadable from None


def _cut_to_length(der: bytes) -> bytes:
    """Drop what follows the first value: a greeting below a paste without markers decodes as base64 too."""
    length = _announced_length(der)
    if length is None:
        raise CsrUnreadable
    if length > len(der):
        raise CsrCutOff
    return der[:length]


def _announced_length(der: bytes) -> int | None:
    """Return how long a DER SEQUENCE says it is, its own header included; None if it is not one."""
    if len(der) < 2 or der[0] != 0x30:  # noqa: PLR2004 - X.690 8.1: tag and length
        return None
    first, octets = der[1], der[1] & 0x7F
    if first < 0x80:  # noqa: PLR2004 - X.690 8.1.3.4: the short form
        return 2 + first
    if not 1 <= octets <= 4 or len(der) < 2 + octets:  # noqa: PLR2004 - 4 GB are enough
        return None
    return 2 + octets + int.from_bytes(der[2 : 2 + octets])
