"""What the demo's DNS says at the start, and how one writes it on a page.  Plain data: speaks no DNS."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

ORIGIN = "demo.test"
UNSIGNED = "unsigned.test"
ZONES = (ORIGIN, UNSIGNED)
"""The zones that a page changes; the first is signed and the second is not."""

WEB = "203.0.113.80"
"""Where every name of the demo leads (RFC 5737): the demo sends whoever goes there to its own small web server."""

KINDS = ("CAA", "TXT", "CNAME", "A")
"""Kinds of records that a page shows and changes."""

MOST = 20
"""Records of one kind that a name may have."""

TTL = 5
"""Seconds: nobody who changes a record wants to wait for the old one to be forgotten."""

_CAA = re.compile(r'(?P<flags>\d{1,3})\s+(?P<tag>[A-Za-z0-9]{1,255})\s+"(?P<value>(?:[^"\\]|\\\d{3}|\\[\\"])*)"')
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,200}}\Z)(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")


@dataclass(frozen=True, slots=True)
class Name:
    """One name and its records by kind, each in the spelling of `parsed`; TXT is the bare text."""

    full: str
    records: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fault: str = ""  # "silent", "bogus" or "lame": nobody here can say what its records are

    @property
    def caa(self) -> tuple[str, ...]:
        return self.records.get("CAA", ())

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Every record with its kind, in the order of `KINDS`."""
        return [(kind, value) for kind in KINDS for value in self.records.get(kind, ())]


def _web(label: str, *caa: str) -> Name:
    records = {"CAA": caa} if caa else {}
    return Name(f"{label}.{ORIGIN}", {**records, "A": (WEB,)})


START = (
    Name(ORIGIN, {"A": (WEB,)}),
    _web("www", '0 issue "ca.acme.example"', '0 issue "ca.globex.example"'),
    _web("shop", '0 issue "ca.acme.example"'),
    _web("stranger", '0 issue "ca.acme.example; accounturi=acct:somebody-else@portal.example"'),
    _web("forbidden", '0 issue "ca.elsewhere.example"'),
    _web("nobody", '0 issue ";"'),
    _web("critical", '128 future "unknown"', '0 issue "ca.acme.example"'),
    _web("typo", '0 issue "ca.acme.example."'),
    _web("wildcard", '0 issue "ca.acme.example"', '0 issuewild ";"'),
    _web("wild", '0 issue ";"', '0 issuewild "ca.acme.example"'),
    Name(f"alias.{ORIGIN}", {"CNAME": (f"forbidden.{ORIGIN}",)}),
    _web("plain"),
    _web("files"),
    Name(f"broken.{ORIGIN}", fault="bogus"),
    Name(f"silent.{ORIGIN}", fault="silent"),
    Name(UNSIGNED, {"A": (WEB,)}),
    Name(f"www.{UNSIGNED}", {"CAA": ('0 issue "ca.acme.example"',), "A": (WEB,)}),
    Name(f"lame.{UNSIGNED}", fault="lame"),
)
"""How the zones are when nobody has changed them."""

FAULTY = {name.full: name.fault for name in START if name.fault}


def zone_of(full: str) -> str | None:
    """The zone that holds this name; None for a name of nobody's here, and below one whose servers are at fault."""
    if not _NAME.fullmatch(full) or any(full == name or full.endswith(f".{name}") for name in FAULTY):
        return None
    return next((zone for zone in ZONES if full == zone or full.endswith(f".{zone}")), None)


def parsed(kind: str, line: str) -> str | None:
    """One record of *kind* as it is kept, or None for what is none."""
    text = line.strip()
    if kind == "CAA":
        return _parsed_caa(text)
    if kind == "TXT":
        return text if 0 < len(text) <= 500 and text.isascii() and text.isprintable() else None  # noqa: PLR2004
    if kind == "CNAME":
        target = text.lower().removesuffix(".")
        return target if _NAME.fullmatch(target) else None
    return text if text == WEB else None


def _parsed_caa(text: str) -> str | None:
    match = _CAA.fullmatch(text)
    if match is None or int(match["flags"]) > 255 or not match["value"].isascii():  # noqa: PLR2004 - one byte
        return None
    return f'{int(match["flags"])} {match["tag"]} "{match["value"]}"'
