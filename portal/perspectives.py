"""Where the remote perspectives stand, as the operator wrote it down.  Knows no environment.

The file is JSON; certificates are files beside it:

    {"primary": {"region": "RIPE", "latitude": 50.1, "longitude": 14.4},
     "perspectives": [{"name": "ashburn", "region": "ARIN", "latitude": 39.0, "longitude": -77.5,
                       "url": "https://ashburn.perspectives.example:8443", "certificate": "ashburn.pem"}, ...]}

`primary` is where the validation worker's own resolvers stand.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

REGIONS = ("AFRINIC", "APNIC", "ARIN", "LACNIC", "RIPE")
"""The Regional Internet Registries by whose service regions places are told apart (BR 3.2.2.9)."""

MOST = 32
"""Perspectives in one file; each look asks them all."""

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")

_EARTH = 6371.0  # km, its mean radius (IUGG)


@dataclass(frozen=True, slots=True)
class Place:
    """Where traffic leaves for the Internet, which is what counts as the place (BR 3.2.2.9)."""

    region: str
    latitude: float
    longitude: float

    def kilometres_to(self, other: "Place") -> float:
        """Return the straight line between the two, through the Earth."""
        return _EARTH * math.dist(_point(self), _point(other))


def _point(place: Place) -> tuple[float, float, float]:
    latitude, longitude = math.radians(place.latitude), math.radians(place.longitude)
    return math.cos(latitude) * math.cos(longitude), math.cos(latitude) * math.sin(longitude), math.sin(latitude)


@dataclass(frozen=True, slots=True)
class Perspective:
    name: str
    place: Place
    host: str
    port: int
    certificate: bytes = field(repr=False)
    """The one certificate that it shows and signs with, as DER; no other is believed, whoever made it."""


@dataclass(frozen=True, slots=True)
class Perspectives:
    primary: Place | None = None
    remote: tuple[Perspective, ...] = ()

    @classmethod
    def from_file(cls, path: str) -> "Perspectives":
        """Read the file; raise `ValueError` with the first thing that makes no sense."""
        try:
            said = json.loads(Path(path).read_bytes())
        except OSError as error:
            raise ValueError(f"{path} cannot be read ({error.strerror})") from error
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is no JSON") from error
        if not isinstance(said, dict) or set(said) != {"primary", "perspectives"}:
            raise ValueError(f'{path} is not of the form {{"primary": …, "perspectives": […]}}')
        rows = said["perspectives"]
        if not isinstance(rows, list) or not 1 <= len(rows) <= MOST:
            raise ValueError(f"{path} names no perspectives, or more than {MOST}")
        remote = tuple(
            _perspective(row, Path(path).parent, f"{path}, perspective {n}") for n, row in enumerate(rows, 1)
        )
        for what in ("name", "certificate", "host and port"):
            _told_apart(remote, what, path)
        return cls(_place(said["primary"], f"{path}, primary"), remote)


def _told_apart(remote: tuple[Perspective, ...], what: str, path: str) -> None:
    seen = {(each.host, each.port) if what == "host and port" else getattr(each, what) for each in remote}
    if len(seen) < len(remote):
        raise ValueError(f"{path} has two perspectives with the same {what}")


def _perspective(row: Any, folder: Path, where: str) -> Perspective:
    if not isinstance(row, dict) or set(row) != {"name", "region", "latitude", "longitude", "url", "certificate"}:
        raise ValueError(f"{where}: it takes name, region, latitude, longitude, url and certificate")
    name = row["name"]
    if not isinstance(name, str) or not NAME.fullmatch(name) or name == "primary":
        raise ValueError(f"{where}: its name is made of small letters, digits and hyphens, and is not primary")
    host, port = _address(row["url"], where)
    place = _place({key: row[key] for key in ("region", "latitude", "longitude")}, where)
    return Perspective(name, place, host, port, _certificate(row["certificate"], folder, where))


def _place(said: Any, where: str) -> Place:
    if not isinstance(said, Mapping) or set(said) != {"region", "latitude", "longitude"}:
        raise ValueError(f"{where}: a place has region, latitude and longitude")
    if said["region"] not in REGIONS:
        raise ValueError(f"{where}: its region is none of {', '.join(REGIONS)}")
    for name, most in (("latitude", 90), ("longitude", 180)):
        value = said[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
            raise ValueError(f"{where}: its {name} is no number of degrees from -{most} to {most}")
    return Place(said["region"], float(said["latitude"]), float(said["longitude"]))


def _address(url: Any, where: str) -> tuple[str, int]:
    fault = ValueError(f"{where}: its url is not of the form https://host:port")
    if not isinstance(url, str):
        raise fault
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        raise fault from None
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise fault
    if parts.path not in {"", "/"}:
        raise fault
    return parts.hostname, port


def _certificate(name: Any, folder: Path, where: str) -> bytes:
    if not isinstance(name, str) or not name:
        raise ValueError(f"{where}: its certificate is no name of a file")
    try:
        return certificate_in((folder / name).read_bytes())
    except OSError as error:
        raise ValueError(f"{where}: {folder / name} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ValueError(f"{where}: {folder / name} {error}") from error


def certificate_in(pem: bytes) -> bytes:
    """Return the certificate in *pem* as DER: one, with a key on P-256; whatever else stands there is not read."""
    try:
        [certificate] = x509.load_pem_x509_certificates(pem)
        key = certificate.public_key()
    except Exception as error:  # a parser of foreign bytes has many ways to say no
        raise ValueError("holds no single certificate") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("has a certificate whose key is not on P-256")  # noqa: TRY004 - of a file, not of an argument
    return certificate.public_bytes(Encoding.DER)
