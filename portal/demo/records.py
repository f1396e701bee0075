"""Reads and changes the zones of the demo as any owner of a zone would: by transfer and by update (RFC 2136)."""

import json
from collections.abc import Mapping
from pathlib import Path

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT
import dns.tsig
import dns.tsigkeyring
import dns.update
import dns.xfr
import dns.zone

from portal.demo import zone
from portal.demo.stage import PAGES_KEY, Stage
from portal.demo.zone import Name

SECONDS = 5.0

Records = Mapping[str, tuple[str, ...]]


class Unanswered(Exception):
    """The name server did not do what it was asked to."""


def every(stage: Stage) -> list[Name]:
    """Every name with its records: those of the start in their order, then the others in that of the alphabet."""
    found = {full: records for origin in zone.ZONES for full, records in _transferred(stage, origin).items()}
    first = [Name(name.full, found.pop(name.full, {}), name.fault) for name in zone.START]
    return [*first, *(Name(full, found[full]) for full in sorted(found))]


def of(stage: Stage, full: str) -> Name:
    """One name, with the records it has."""
    return next((name for name in every(stage) if name.full == full), Name(full))


def replace(stage: Stage, full: str, records: Records) -> None:
    """Let the records of one name be these from now on, and no others."""
    _change(stage, {full: records})


def add(stage: Stage, full: str, kind: str, value: str) -> None:
    """Put one record beside what the name has; an alias takes the place of everything, and makes place (RFC 2181)."""
    kept = {} if kind == "CNAME" else {k: v for k, v in of(stage, full).records.items() if k != "CNAME"}
    beside = tuple(each for each in kept.get(kind, ()) if each != value)
    replace(stage, full, {**kept, kind: (*beside, value)})


def start(stage: Stage) -> list[Name]:
    """How the zones are when nobody has changed them, after what the story told."""
    said = _said(stage.start)
    return [
        Name(name.full, {kind: tuple(values) for kind, values in said[name.full].items()}, name.fault)
        if name.full in said
        else name
        for name in (*zone.START, *(Name(full) for full in said if full not in _AT_FIRST))
    ]


def begin_with(stage: Stage, full: str, records: Records) -> None:
    """Let one name have these records now, and whenever the zones are put back."""
    stage.start.write_text(json.dumps({**_said(stage.start), full: records}))
    replace(stage, full, records)


def put_back(stage: Stage) -> None:
    """Let the zones be as they started."""
    wanted = {name.full: name.records for name in start(stage)}
    _change(stage, {name.full: {} for name in every(stage)} | wanted)


def changed(stage: Stage) -> bool:
    now, then = (
        {name.full: _flat(name.records) for name in names if name.lines} for names in (every(stage), start(stage))
    )
    return now != then


def answers(server: tuple[str, int], full: str, *, seconds: float = 0.1) -> bool:
    """Tell whether a name server or resolver there knows *full*."""
    question = dns.message.make_query(full, dns.rdatatype.SOA, use_edns=0)
    try:
        return bool(dns.query.udp(question, server[0], seconds, server[1]).answer)
    except (OSError, dns.exception.DNSException):
        return False


_KEY = dns.name.from_text(PAGES_KEY)
_AT_FIRST = {name.full for name in zone.START}


def _said(path: Path) -> dict[str, dict[str, list[str]]]:
    try:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        return {}


def _transferred(stage: Stage, origin: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """Have the whole zone, and leave out what signs it and what its own servers need."""
    query, _signer = dns.xfr.make_query(
        dns.zone.Zone(origin), keyring=_keyring(stage), keyname=_KEY, keyalgorithm=dns.tsig.HMAC_SHA256
    )
    copy = dns.zone.Zone(origin, relativize=False)
    try:
        dns.query.inbound_xfr(stage.server.host, copy, query, stage.server.port, lifetime=SECONDS)
    except (OSError, EOFError, dns.exception.DNSException) as error:
        raise Unanswered(str(error)) from error
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for owner, rdataset in copy.iterate_rdatasets():
        kind, full = dns.rdatatype.to_text(rdataset.rdtype), owner.to_text(omit_final_dot=True).lower()
        if kind in zone.KINDS and zone.zone_of(full):
            found.setdefault(full, {})[kind] = tuple(sorted(_told(rdata) for rdata in rdataset))
    return found


def _told(rdata: dns.rdata.Rdata) -> str:
    if isinstance(rdata, dns.rdtypes.ANY.TXT.TXT):
        return b"".join(rdata.strings).decode("ascii", "backslashreplace")
    return rdata.to_text().removesuffix(".") if rdata.rdtype == dns.rdatatype.CNAME else rdata.to_text()


def _change(stage: Stage, wanted: Mapping[str, Records]) -> None:
    """Let each name have these records and no others.

    What goes, goes first and by itself: a name server takes no alias beside what is just about to go.
    """
    now = {name.full: name.records for name in every(stage)}
    gone, come = [], []
    for full, records in wanted.items():
        before, after = _flat(now.get(full, {})), _flat(records)
        gone += [(full, *record) for record in before - after]
        come += [(full, *record) for record in after - before]
    for origin in zone.ZONES:
        for deed, chosen in ((dns.update.UpdateMessage.delete, gone), (dns.update.UpdateMessage.add, come)):
            update = dns.update.UpdateMessage(
                origin, keyring=_keyring(stage), keyname=_KEY, keyalgorithm=dns.tsig.HMAC_SHA256
            )
            for full, kind, value in sorted(chosen):
                if zone.zone_of(full) == origin:
                    ttl = () if deed is dns.update.UpdateMessage.delete else (zone.TTL,)
                    deed(update, dns.name.from_text(full), *ttl, _rdata(kind, value))
            if update.update:
                _send(stage, update)


def _flat(records: Records) -> set[tuple[str, str]]:
    return {(kind, value) for kind, values in records.items() for value in values}


def _rdata(kind: str, value: str) -> dns.rdata.Rdata:
    if kind == "TXT":  # RFC 1035 3.3: a string has 255 bytes at most
        strings = [value[at : at + 255].encode() for at in range(0, len(value), 255)]
        return dns.rdtypes.ANY.TXT.TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings)
    return dns.rdata.from_text(dns.rdataclass.IN, kind, f"{value}." if kind == "CNAME" else value)


def _send(stage: Stage, update: dns.update.UpdateMessage) -> None:
    try:
        answer = dns.query.tcp(update, stage.server.host, SECONDS, stage.server.port)
    except (OSError, EOFError, dns.exception.DNSException) as error:
        raise Unanswered(str(error)) from error
    if answer.rcode():
        raise Unanswered(dns.rcode.to_text(answer.rcode()))


def _keyring(stage: Stage) -> dict[dns.name.Name, dns.tsig.Key]:
    return dns.tsigkeyring.from_text({PAGES_KEY: stage.key})
