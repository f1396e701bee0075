"""What the crowd of certificates is made from: the world of the tests, and real certificates with places for a number.

Writes them to a file as JSON; `tests.bench.pages` makes a million rows of them.
"""

import json
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from lifecycle.authorities.keys import KEY_KINDS
from lifecycle.authorities.models import CrlShard
from lifecycle.certificates import services
from lifecycle.certificates.models import Certificate
from lifecycle.certificates.naming import keys_of
from portal.foundation import clock
from portal.foundation.access.models import User
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests import world

PLACE = "0000000"  # where a row's number comes in
SERIAL = bytes([0x5A]) + secrets.token_bytes(15)  # where its serial does
FIRST = (
    "Ada",
    "Bela",
    "Chiara",
    "Dan",
    "Elif",
    "Farid",
    "Greta",
    "Hana",
    "Ivo",
    "Jana",
    "Kemal",
    "Mina",
    "Petra",
    "Qiu",
)
LAST = ("Adeyemi", "Berg", "Costa", "Dvořák", "Eriksen", "Fischer", "Garcia", "Horák", "Ito", "Jansen")
KINDS = {"ec-p256": 16, "ec-p384": 2, "rsa-2048": 2}  # keys of each kind, for every sort of name


def main(path: str) -> None:
    """Build the world, one request of it, and the originals."""
    world.build()
    acme, petra = Tenant.objects.get(slug="acme"), User.objects.get(subject="petra@acme.example")
    request = world.filled(petra, acme)
    with acting_for(acme.pk):
        CrlShard(authority=request.profile.authority, number=1).save(force_insert=True)
    originals = [
        _original(KEY_KINDS[kind].make(), kind, names)
        for kind, count in KINDS.items()
        for number in range(count)
        for names in (_host(), _person(number), _host(), _person(number + 7))
    ]
    columns = [field.column for field in Certificate._meta.concrete_fields]
    Path(path).write_text(json.dumps({"serial": SERIAL.hex(), "originals": originals, "columns": columns}))


def _host() -> tuple[str, list[x509.GeneralName]]:
    zone = f"{secrets.choice(LAST).encode('ascii', 'ignore').decode().lower()}.bench.example"
    host = f"n{PLACE}.{zone}"
    return host, [x509.DNSName(host), x509.DNSName(f"www.{host}")]


def _person(number: int) -> tuple[str, list[x509.GeneralName]]:
    first, last = FIRST[number % len(FIRST)], secrets.choice(LAST)
    return f"{first} {last} {PLACE}", [x509.RFC822Name(f"{first.lower()}.{PLACE}@bench.example")]


def _original(key: Any, kind: str, named: tuple[str, list[x509.GeneralName]]) -> dict[str, Any]:
    name, names = named
    now = clock.now().replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Acme Industries Issuing CA")]))
        .public_key(key.public_key())
        .serial_number(int.from_bytes(SERIAL))
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256())
    told = services._told_by(certificate)
    plain = {column: str(value) for column, value in told.items() if column != "der"}
    return {"der": told["der"].hex(), "told": plain, "keys": sorted(keys_of(certificate)), "kind": kind}
