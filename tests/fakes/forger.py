"""Somebody who owns the database and falsifies its journal, in every way that we could think of (F10)."""

import json
import random  # noqa: TID251 - the same five hundred every time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from portal.foundation.audit import chain
from portal.foundation.audit.models import AuditCheckpoint, AuditEvent, AuditSeal
from portal.foundation.audit.sealer import START
from portal.foundation.audit.signatures import fingerprint_of
from portal.foundation.tenancy.context import acting_for

SIGNED_AT = (9, 17, 18, 30)
ROWS = SIGNED_AT[-1]
TABLES = ("audit_auditevent", "audit_auditseal", "audit_unsealed", "audit_auditcheckpoint", "audit_journalkey")
EVENT, SEAL, CHECKPOINT = TABLES[0], TABLES[1], TABLES[3]

UNIQUE = (
    (SEAL, "seal_numbers_once", "UNIQUE (tenant_id, sequence)"),
    (SEAL, "seal_seals_once", "UNIQUE (tenant_id, event_id)"),
    (SEAL, "audit_auditseal_pkey", "PRIMARY KEY (id)"),
    (SEAL, "audit_auditseal_tenant_key", "UNIQUE (tenant_id, id)"),
    (CHECKPOINT, "checkpoint_once_a_row", "UNIQUE (tenant_id, sequence)"),
    (CHECKPOINT, "checkpoint_follows_one", "UNIQUE (tenant_id, previous)"),
)


@dataclass
class Forger:
    """Somebody who owns the database: past triggers, fences and unique keys, but without the token's key."""

    owner: Any
    acme: UUID
    globex: UUID
    dice: random.Random
    own_key: ec.EllipticCurvePrivateKey
    cut_at: int = 0

    def do(self, statement: str, **values: Any) -> int:
        self.owner.execute("SET session_replication_role = replica")
        self.owner.execute(statement, {"acme": str(self.acme), "globex": str(self.globex), **values})
        rows = self.owner.rowcount
        self.owner.execute("SET session_replication_role = origin")
        return rows

    def row(self, until: int = ROWS) -> int:
        return self.dice.randint(1, until)

    def event_at(self, row: int) -> str:
        return f"(SELECT event_id FROM {SEAL} WHERE tenant_id = %(acme)s AND sequence = {row:d})"

    def spki(self) -> bytes:
        return self.own_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def chain(self) -> list[tuple[AuditSeal, AuditEvent]]:
        with acting_for(self.acme):
            return [(link.seal, link.event) for link in chain.page(after=0)]

    def write_anew(self, links: list[tuple[AuditSeal, AuditEvent]]) -> None:
        """Compute every digest and seal from the start, without a fault, and store the chain instead of the old."""
        self.do(f"DELETE FROM {SEAL} WHERE tenant_id = %(acme)s")
        self.do(f"DELETE FROM {EVENT} WHERE tenant_id = %(acme)s")
        previous = START
        for number, (_seal, event) in enumerate(links, start=1):
            event.digest = event.computed_digest()
            seal = AuditSeal(id=event.pk, tenant_id=self.acme, sequence=number, event=event, previous=previous)
            previous = seal.computed_digest(event.digest)
            self.do(
                f"INSERT INTO {EVENT} (id, tenant_id, at, actor, code, subject, facts, digest) VALUES"
                " (%(id)s, %(acme)s, %(at)s, %(actor)s, %(code)s, %(subject)s, %(facts)s, %(digest)s)",
                id=str(event.pk), at=event.at, actor=event.actor, code=event.code, subject=event.subject,
                facts=json.dumps(event.facts), digest=event.digest,
            )  # fmt: skip
            self.do(
                f"INSERT INTO {SEAL} (id, tenant_id, sequence, event_id, previous, digest) VALUES"
                " (%(id)s, %(acme)s, %(number)s, %(id)s, %(before)s, %(digest)s)",
                id=str(event.pk), number=number, before=bytes(seal.previous), digest=previous,
            )  # fmt: skip

    def sign_anew(self) -> None:
        """Replace every checkpoint by one for today's chain, signed with a key of the forger's own, entered here."""
        heads = {seal.sequence: bytes(seal.digest) for seal, _event in self.chain()}
        with acting_for(self.acme):
            old = list(AuditCheckpoint.objects.order_by("sequence"))
        self.do(f"DELETE FROM {CHECKPOINT}")
        self.do(
            "INSERT INTO audit_journalkey VALUES (%(fingerprint)s, %(spki)s, 'aa', now())",
            fingerprint=fingerprint_of(self.spki()), spki=self.spki(),
        )  # fmt: skip
        for each in old:
            each.head, each.key = heads[each.sequence], fingerprint_of(self.spki())
            each.signature = self.own_key.sign(each.statement(), ec.ECDSA(hashes.SHA256()))
            self.store(each)

    def store(self, each: AuditCheckpoint) -> None:
        self.do(
            f"INSERT INTO {CHECKPOINT} (id, tenant_id, sequence, head, at, key, signature, previous) VALUES"
            " (%(id)s, %(acme)s, %(sequence)s, %(head)s, %(at)s, %(key)s, %(signature)s, %(previous)s)",
            id=str(each.pk), sequence=each.sequence, head=bytes(each.head), at=each.at, key=each.key,
            signature=bytes(each.signature), previous=each.previous,
        )  # fmt: skip


# --- what a forger does; each returns nothing and leaves the journal changed ------------------------------------------

_OTHER = {
    "uuid": "gen_random_uuid()",
    "timestamptz": "{c} + make_interval(secs => (1 + {n}) / 1000000.0)",
    "varchar": "left(translate({c}, '0123456789abcdef', '123456789abcdef0') || 'x', 60)",
    "jsonb": "{c} || '{{\"forged\": {n}}}'",
    "bytea": "set_byte({c}, {n} %% octet_length({c}), 255 - get_byte({c}, {n} %% octet_length({c})))",
    "int8": "{c} + 1 + {n}",
}
_TYPES = {"character varying": "varchar", "timestamp with time zone": "timestamptz", "bigint": "int8"}


def change_a_column(forger: Forger, table: str) -> None:
    forger.owner.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s ORDER BY 1", [table]
    )
    column, kind = forger.dice.choice(forger.owner.fetchall())
    value = _OTHER[_TYPES.get(kind, kind)].format(c=column, n=forger.dice.randint(0, 30))
    if column == "tenant_id":
        value = "%(globex)s::uuid"
    row = forger.row()
    where = {
        EVENT: f"id = {forger.event_at(row)}",
        SEAL: f"sequence = {row}",
        CHECKPOINT: f"sequence = {forger.dice.choice(SIGNED_AT)}",
    }[table]
    assert forger.do(f"UPDATE {table} SET {column} = {value} WHERE tenant_id = %(acme)s AND {where}") == 1


def delete_an_event(forger: Forger) -> None:
    forger.do(f"DELETE FROM {EVENT} WHERE id = {forger.event_at(forger.row())}")


def delete_a_seal(forger: Forger) -> None:
    forger.do(f"DELETE FROM {SEAL} WHERE tenant_id = %(acme)s AND sequence = {forger.row()}")


def delete_both(forger: Forger) -> None:
    row = forger.row()
    forger.do(f"DELETE FROM {EVENT} WHERE id = {forger.event_at(row)}")
    forger.do(f"DELETE FROM {SEAL} WHERE tenant_id = %(acme)s AND sequence = {row}")


def delete_and_close_the_gap(forger: Forger) -> None:
    row = forger.row()
    forger.do(f"DELETE FROM {EVENT} WHERE id = {forger.event_at(row)}")
    forger.do(f"DELETE FROM {SEAL} WHERE tenant_id = %(acme)s AND sequence = {row}")
    forger.do(f"UPDATE {SEAL} SET sequence = sequence - 1 WHERE tenant_id = %(acme)s AND sequence > {row}")


def delete_a_checkpoint(forger: Forger) -> None:
    forger.do(f"DELETE FROM {CHECKPOINT} WHERE sequence = {forger.dice.choice(SIGNED_AT)}")


def delete_every_checkpoint(forger: Forger) -> None:
    forger.do(f"DELETE FROM {CHECKPOINT}")


def delete_the_key(forger: Forger) -> None:
    forger.do("DELETE FROM audit_journalkey")


def exchange_the_key(forger: Forger) -> None:
    forger.do("UPDATE audit_journalkey SET spki = %(spki)s", spki=forger.spki())


def swap_places(forger: Forger) -> None:
    one, two = forger.dice.sample(range(1, ROWS + 1), 2)
    forger.do(
        f"UPDATE {SEAL} SET sequence = {one + two} - sequence WHERE tenant_id = %(acme)s AND sequence IN ({one}, {two})"
    )


def swap_contents(forger: Forger) -> None:
    """Two whole events change places, digests and all; the seals stay."""
    one, two = (forger.event_at(row) for row in forger.dice.sample(range(1, ROWS + 1), 2))
    forger.do(
        f"UPDATE {EVENT} e SET at = o.at, actor = o.actor, subject = o.subject, facts = o.facts, digest = o.digest"
        f" FROM {EVENT} o WHERE e.id IN ({one}, {two}) AND o.id IN ({one}, {two}) AND o.id <> e.id"
    )


def swap_checkpoints(forger: Forger) -> None:
    one, two = forger.dice.sample(SIGNED_AT, 2)
    forger.do(f"UPDATE {CHECKPOINT} SET sequence = {one + two} - sequence WHERE sequence IN ({one}, {two})")


def change_an_event_and_mend_it(forger: Forger) -> None:
    """The event's own digest and its seal fit again; the next seal does not."""
    seal, event = forger.chain()[forger.row() - 1]
    event.actor = "somebody-else"
    forger.do(
        f"UPDATE {EVENT} SET actor = 'somebody-else', digest = %(digest)s WHERE id = %(id)s",
        id=str(event.pk), digest=event.computed_digest(),
    )  # fmt: skip
    forger.do(
        f"UPDATE {SEAL} SET digest = %(digest)s WHERE id = %(id)s",
        id=str(seal.pk), digest=seal.computed_digest(event.computed_digest()),
    )  # fmt: skip


def change_history(forger: Forger) -> None:
    """One event says something else, and the whole chain behind it is computed anew, without a fault."""
    links = forger.chain()
    links[forger.row() - 1][1].actor = "somebody-else"
    forger.write_anew(links)


def leave_one_out(forger: Forger) -> None:
    links = forger.chain()
    del links[forger.row() - 1]
    forger.write_anew(links)


def slip_one_in(forger: Forger) -> None:
    links, row = forger.chain(), forger.row()
    seal, like = links[row - 1]
    forged = AuditEvent(
        id=UUID(int=forger.dice.getrandbits(128)), tenant_id=forger.acme, at=like.at, actor="forger",
        code="test:deed", subject="x", facts={},
    )  # fmt: skip
    links.insert(row - 1, (seal, forged))
    forger.write_anew(links)


def cut_the_end(forger: Forger) -> None:
    row = forger.row()
    forger.do(f"DELETE FROM {EVENT} WHERE id IN (SELECT event_id FROM {SEAL} WHERE tenant_id = %(acme)s AND"
              f" sequence >= {row})")  # fmt: skip
    forger.do(f"DELETE FROM {SEAL} WHERE tenant_id = %(acme)s AND sequence >= {row}")
    forger.cut_at = row


def cut_the_end_and_its_checkpoints(forger: Forger) -> None:
    cut_the_end(forger)
    forger.do(f"DELETE FROM {CHECKPOINT} WHERE sequence >= {forger.cut_at}")


def change_history_and_forget_the_checkpoints(forger: Forger) -> None:
    change_history(forger)
    forger.do(f"DELETE FROM {CHECKPOINT}")


def change_history_and_sign_it_with_another_key(forger: Forger) -> None:
    change_history(forger)
    forger.sign_anew()


def write_without_a_seal(forger: Forger) -> None:
    """In the past, or so far in the future that it never gets late."""
    days = forger.dice.choice((-1000, -1, 1, 1000))
    forger.do(
        f"INSERT INTO {EVENT} (id, tenant_id, at, actor, code, subject, facts, digest) VALUES (gen_random_uuid(),"
        f" %(acme)s, now() + interval '{days} days', 'forger', 'test:deed', 'x', '{{}}', '')"
    )


def forge_a_checkpoint(forger: Forger) -> None:
    """A head of today's chain where none was signed, with the right key's name and a wrong signature."""
    with acting_for(forger.acme):
        like = AuditCheckpoint.objects.order_by("sequence").last()
    row = forger.dice.choice([row for row in range(1, ROWS) if row not in SIGNED_AT])
    like.pk, like.sequence = UUID(int=forger.dice.getrandbits(128)), row
    like.head, like.previous = bytes(forger.chain()[row - 1][0].digest), max([0, *(s for s in SIGNED_AT if s < row)])
    like.signature = forger.own_key.sign(like.statement(), ec.ECDSA(hashes.SHA256()))
    forger.store(like)


def promise_more_rows(forger: Forger) -> None:
    """A checkpoint of a row that is not there yet, or never is."""
    with acting_for(forger.acme):
        like = AuditCheckpoint.objects.order_by("sequence").last()
    like.pk, like.sequence, like.previous = UUID(int=forger.dice.getrandbits(128)), forger.dice.choice((0, 99)), ROWS
    forger.store(like)


Deed = Callable[[Forger], None]

DEEDS: tuple[Deed, ...] = (
    lambda forger: change_a_column(forger, EVENT),
    lambda forger: change_a_column(forger, EVENT),
    lambda forger: change_a_column(forger, SEAL),
    lambda forger: change_a_column(forger, SEAL),
    lambda forger: change_a_column(forger, CHECKPOINT),
    lambda forger: change_a_column(forger, CHECKPOINT),
    delete_an_event, delete_a_seal, delete_both, delete_and_close_the_gap, delete_a_checkpoint,
    delete_every_checkpoint, delete_the_key, exchange_the_key, swap_places, swap_contents, swap_checkpoints,
    change_an_event_and_mend_it, change_history, leave_one_out, slip_one_in, cut_the_end,
    cut_the_end_and_its_checkpoints, change_history_and_forget_the_checkpoints,
    change_history_and_sign_it_with_another_key, write_without_a_seal, forge_a_checkpoint, promise_more_rows,
)  # fmt: skip

# What the database alone cannot show, because the newest checkpoints are gone from it or are the forger's own.
NEEDS_A_WITNESS = {
    delete_every_checkpoint, delete_a_checkpoint, cut_the_end_and_its_checkpoints,
    change_history_and_forget_the_checkpoints, change_history_and_sign_it_with_another_key,
}  # fmt: skip
