"""Writes a crowd of tenants and certificates into a database, as the superuser, past every trigger.

Certificates are made here, since their bytes have fingerprints, and copied in; all that hangs on them is made by
PostgreSQL from these rows, and the indexes when everything is there.
"""

import hashlib
import io
import json
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from tests.bulk import without_indexes

PLACE = "0000000"
LARGEST = 10  # the largest tenant has a tenth of all certificates
TENANT = 1000  # certificates an average tenant has
OWNERS = 200  # people of the largest tenant who have certificates; others have a twentieth of it
UPLOADED, REVOKED, REQUESTED = 20, 50, 5  # one in so many
ISSUERS = ("Let's Encrypt R11", "DigiCert TLS RSA SHA256 2020 CA1", "Sectigo RSA DV", "Corporate Sub CA 2")
BATCH = 20_000
FILLED = (
    "certificates_certificate",
    "certificates_certificatekey",
    "certificates_revocation",
    "requests_certificaterequest",
    "audit_auditevent",
)

# the same profiles, policies and authorities for every tenant, under ids of their own
CLONED = (
    ("authorities_certificateauthority", ("parent_id",)),
    ("authorities_certificateprofile", ("authority_id",)),
    ("authorities_crlshard", ("authority_id",)),
    ("policies_policy", ()),
    ("policies_subscriberagreement", ()),
)


@dataclass(frozen=True)
class Home:
    """A tenant, as far as its certificates name it."""

    id: UUID
    size: int
    people: list[UUID]
    authority: UUID
    shard: UUID
    profiles: list[UUID]


class Crowd:
    def __init__(self, cursor: Cursor, told: Path, count: int) -> None:
        content = json.loads(told.read_text())
        self._cursor, self._count = cursor, count
        self._serial = bytes.fromhex(content["serial"])
        self._originals = [{**one, "der": bytes.fromhex(one["der"])} for one in content["originals"]]
        self._columns = content["columns"]
        self._ticks = 0
        self._now = datetime.fromtimestamp(int(time.time()), UTC)
        self._number = 0

    def write(self) -> None:
        """Make tenants and certificates, then what hangs on them."""
        self._cursor.execute(_SETTINGS)
        self._cursor.execute(_FOUND_BY)
        for number, original in enumerate(self._originals):
            for kind, key in original["keys"]:
                self._cursor.execute("INSERT INTO bench_key VALUES (%s, %s, %s)", [number, kind, key])
        with without_indexes(self._cursor, *FILLED):
            for home in self._homes():
                left = home.size
                while left:
                    step = min(left, BATCH)
                    self._copy_certificates(home, step)
                    left -= step
            self._cursor.execute(_KEYS, {"place": PLACE})
            self._cursor.execute(_REVOCATIONS, [REVOKED])
            self._cursor.execute(_REQUESTS, [REQUESTED])
            self._cursor.execute(_EVENTS)
        self._cursor.execute("VACUUM (ANALYZE)")

    # --- tenants ---------------------------------------------------------------------------------------------------

    def _homes(self) -> Iterator[Home]:
        self._cursor.execute("SELECT id FROM tenancy_tenant WHERE slug = 'acme'")
        acme = UUID(self._cursor.fetchone()[0])
        self._cursor.execute("SELECT id FROM access_user WHERE subject = 'petra@acme.example'")
        petra = UUID(self._cursor.fetchone()[0])
        sizes = self._sizes()
        yield self._home(acme, sizes[0], [petra, *self._people(acme, OWNERS)])
        for number, size in enumerate(sizes[1:]):
            tenant = self._id()
            self._cursor.execute(
                "INSERT INTO tenancy_tenant (id, slug, name, created_at) VALUES (%s, %s, %s, now())",
                [str(tenant), f"tenant-{number}", f"Tenant {number}"],
            )
            self._clone(acme, tenant)
            yield self._home(tenant, size, self._people(tenant, max(1, OWNERS // 20)))

    def _sizes(self) -> list[int]:
        """One tenant with a tenth, the others ever smaller."""
        tenants = max(2, self._count // TENANT)
        rest = self._count - self._count // LARGEST
        weights = [1 / (number + 20) for number in range(tenants - 1)]
        sizes = [max(1, int(rest * weight / sum(weights))) for weight in weights]
        return [self._count - sum(sizes), *sizes]

    def _clone(self, source: UUID, target: UUID) -> None:
        for table, keys in CLONED:
            moved = "".join(f", '{key}', md5(r.{key}::text || %(target)s)::uuid" for key in keys)
            self._cursor.execute(
                f"INSERT INTO {table} SELECT (jsonb_populate_record(r, jsonb_build_object("
                f"'id', md5(r.id::text || %(target)s)::uuid, 'tenant_id', %(target)s{moved}))).* "
                f"FROM {table} r WHERE tenant_id = %(source)s",
                {"source": str(source), "target": str(target)},
            )

    def _people(self, tenant: UUID, count: int) -> list[UUID]:
        self._cursor.execute(
            """
            WITH made AS (
                INSERT INTO access_user SELECT (jsonb_populate_record(u, jsonb_build_object('id', gen_random_uuid(),
                    'subject', %(tenant)s || n, 'email', 'p' || n || '@' || left(%(tenant)s, 13) || '.example',
                    'name', 'Person ' || n))).*
                  FROM access_user u, generate_series(1, %(count)s) n WHERE u.subject = 'dan@acme.example' RETURNING id)
            INSERT INTO access_membership SELECT (jsonb_populate_record(m, jsonb_build_object('id', gen_random_uuid(),
                    'tenant_id', %(tenant)s, 'person_id', made.id))).*
              FROM made, (SELECT * FROM access_membership m
                           JOIN access_user u ON u.id = m.person_id AND u.subject = 'dan@acme.example' LIMIT 1) AS d
              JOIN access_membership m ON m.person_id = d.person_id
            RETURNING person_id
            """,
            {"tenant": str(tenant), "count": count},
        )
        return [UUID(person) for (person,) in self._cursor.fetchall()]

    def _home(self, tenant: UUID, size: int, people: list[UUID]) -> Home:
        def ids(query: str) -> list[UUID]:
            self._cursor.execute(query, [str(tenant)])
            return [UUID(found) for (found,) in self._cursor.fetchall()]

        return Home(
            tenant,
            size,
            people,
            ids("SELECT id FROM authorities_certificateauthority WHERE tenant_id = %s AND slug = 'issuing'")[0],
            ids("SELECT id FROM authorities_crlshard WHERE tenant_id = %s")[0],
            ids("SELECT id FROM authorities_certificateprofile WHERE tenant_id = %s ORDER BY slug"),
        )

    # --- certificates -----------------------------------------------------------------------------------------------

    def _copy_certificates(self, home: Home, count: int) -> None:
        certificates, made = io.StringIO(), io.StringIO()
        for _row in range(count):
            row, *told = self._certificate(home)
            certificates.write(_line(row[column] for column in self._columns))
            made.write(_line([row["id"], *told]))
        for table, content, columns in (
            ("certificates_certificate", certificates, self._columns),
            ("bench_made", made, ("certificate", "original", "number", "sha1")),
        ):
            content.seek(0)
            self._cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN", content)

    def _certificate(self, home: Home) -> tuple[dict[str, Any], int, str, str]:
        """Return a row, the original it was made from, its number, and its other fingerprint."""
        self._number += 1
        number = f"{self._number:07d}"
        chosen = secrets.randbelow(len(self._originals))
        original = self._originals[chosen]
        serial = bytes([1 + secrets.randbelow(126)]) + secrets.token_bytes(15)
        der = original["der"].replace(PLACE.encode(), number.encode()).replace(self._serial, serial)
        text = f"{int.from_bytes(serial):x}"
        begins = self._now - timedelta(minutes=secrets.randbelow(2 * 365 * 24 * 60))
        uploaded = self._number % UPLOADED == 0
        row = {
            **original["told"],
            "id": self._id(),
            "tenant_id": home.id,
            "source": "issued",
            "authority_id": home.authority,
            "profile_id": home.profiles[self._number % len(home.profiles)],
            "shard_id": home.shard,
            "predecessor_id": None,
            "made_by": "issue",
            "made_from": self._id(),
            "chain": "\\\\x",
            "owner": home.people[int(len(home.people) * (secrets.randbelow(1000) / 1000) ** 2)],
            "der": f"\\\\x{der.hex()}",
            "serial": text,
            "fingerprint": hashlib.sha256(der).hexdigest(),
            "name": original["told"]["name"].replace(PLACE, number),
            "not_before": begins,
            "not_after": begins + timedelta(days=365),
            "issued_at": begins,
        }
        if uploaded:
            nothing = dict.fromkeys(("authority_id", "profile_id", "shard_id", "made_from"))
            issuer = ISSUERS[secrets.randbelow(len(ISSUERS))]
            row |= {**nothing, "source": "uploaded", "made_by": "upload", "issuer": issuer}
        return row, chosen, number, hashlib.sha1(der).hexdigest()

    def _id(self) -> UUID:
        """Ids in the order in which they are made, as the product's are."""
        self._ticks += 1
        return UUID(int=0x0190 << 112 | self._ticks << 80 | 0x7 << 76 | 0b10 << 62 | secrets.randbits(62))


def _line(values: Iterable[Any]) -> str:
    return "\t".join("\\N" if value is None else str(value) for value in values) + "\n"


_SETTINGS = """
SET session_replication_role = replica; SET synchronous_commit = off;
SET maintenance_work_mem = '512MB'; SET max_parallel_maintenance_workers = 2
"""

# what a certificate is found by: the original's keys, with the number, the serial and the fingerprints that are its own
_FOUND_BY = """
CREATE TEMP TABLE bench_key (original int, kind text, key text);
CREATE TEMP TABLE bench_made (certificate uuid, original int, number text, sha1 text)
"""
_KEYS = """
INSERT INTO certificates_certificatekey (id, tenant_id, certificate_id, kind, key)
SELECT uuidv7(), c.tenant_id, c.id, k.kind,
       CASE WHEN k.kind = 'serial' THEN c.serial
            WHEN k.kind <> 'fingerprint' THEN replace(k.key, %(place)s, m.number)
            WHEN length(k.key) = 64 THEN c.fingerprint ELSE m.sha1 END
  FROM bench_made m JOIN certificates_certificate c ON c.id = m.certificate JOIN bench_key k ON k.original = m.original
"""

_REVOCATIONS = """
INSERT INTO certificates_revocation (id, tenant_id, authority_id, shard_id, serial, certificate_id, reason, at, by)
SELECT gen_random_uuid(), tenant_id, authority_id, shard_id, serial, id, 'superseded', issued_at + '1 day', 'bench'
  FROM certificates_certificate WHERE source = 'issued' AND hashtext(id::text) %% %s = 0
"""

# one request in five certificates, in every state, like the one that the world made
_REQUESTS = """
INSERT INTO requests_certificaterequest
SELECT made.*
  FROM (SELECT *, abs(hashtext(id::text || 'x')) %% 100 AS h FROM certificates_certificate
         WHERE source = 'issued' AND abs(hashtext(id::text || 'y')) %% %s = 0) c,
       (SELECT * FROM requests_certificaterequest LIMIT 1) r,
       LATERAL jsonb_populate_record(NULL::requests_certificaterequest, to_jsonb(r) || jsonb_build_object(
         'id', c.made_from, 'tenant_id', c.tenant_id, 'profile_id', c.profile_id, 'requested_by', c.owner,
         'number', 'RQ-' || upper(substr(md5(c.id::text), 1, 4)) || '-' || upper(substr(md5(c.id::text), 5, 4)),
         'kind', CASE WHEN h < 40 THEN 'rekey' ELSE 'issue' END,
         'state', CASE h WHEN 0 THEN 'failed' WHEN 1 THEN 'withdrawn' WHEN 2 THEN 'draft' ELSE 'completed' END,
         'policy_id', (SELECT p.id FROM policies_policy p WHERE p.tenant_id = c.tenant_id LIMIT 1),
         'made_at', c.issued_at, 'changed_at', c.issued_at, 'submitted_at', c.issued_at)) made
    ON CONFLICT DO NOTHING
"""

_EVENTS = """
INSERT INTO audit_auditevent (id, tenant_id, at, actor, code, subject, facts, digest)
SELECT gen_random_uuid(), tenant_id, issued_at, 'worker:signing', 'request:complete', made_from::text, '{}',
       sha256(id::text::bytea)
  FROM certificates_certificate WHERE made_from IS NOT NULL
"""
