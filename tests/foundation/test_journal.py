"""The journal: no deed without its line, and no line changed unnoticed."""

import hashlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.utils.translation import gettext_lazy

from portal.foundation import clock
from portal.foundation.audit import sealer
from portal.foundation.audit.models import AuditEvent, AuditSeal, Unsealed, plain, record
from portal.foundation.audit.sealer import seal, seal_everything
from portal.foundation.audit.verify import SEALED_WITHIN, Finding, verify
from portal.foundation.outbox.drain import run
from portal.foundation.tenancy.context import acting_as, acting_for
from portal.foundation.tenancy.errors import NoTenant
from portal.foundation.tenancy.models import PLATFORM
from tests.plugins.services import ROOT
from tests.world import begun, errand_of, filled, serving, signed_in, submit, submitted

pytestmark = pytest.mark.django_db

ROWS = 6


def tell(tenant_id: UUID, count: int = ROWS) -> list[UUID]:
    with acting_for(tenant_id):
        return [record(actor="test", code="test:deed", subject=number, count=number).pk for number in range(count)]


@pytest.fixture
def chain(acme, globex):
    """Six sealed lines of acme, and one of globex beside them."""
    events = tell(acme.pk)
    tell(globex.pk, 1)
    with serving("relay"):
        seal_everything()
    return events


# --- record


def test_a_line_is_written_only_inside_the_unit_of_work_whose_effect_it_tells(owner, acme):
    with pytest.raises(NoTenant):
        record(actor="test", code="test:deed", subject="x")
    owner.execute("SELECT count(*) FROM audit_auditevent")
    assert owner.fetchone() == (0,)


def test_a_line_says_who_did_what_to_what_and_when_by_the_databases_clock(acme, petra):
    with acting_for(acme.pk):
        record(actor=petra.pk, code="test:deed", subject=acme.pk, count=3, name=gettext_lazy("Request"))
    with acting_for(acme.pk):
        [line] = AuditEvent.objects.all()
    assert (line.actor, line.code, line.subject) == (str(petra.pk), "test:deed", str(acme.pk))
    assert line.facts == {"count": 3, "name": "Request"}
    assert abs(line.at - datetime.now(UTC)) < timedelta(seconds=5)  # noqa: TID251 - the clock itself is in question


def test_what_belongs_to_no_tenant_stands_in_the_platforms_journal(petra):
    with acting_as(petra.pk):
        assert record(actor=petra.pk, code="test:deed", subject=petra.pk).tenant_id == PLATFORM


FACTS = {
    "none": None,
    "yes": True,
    "number": 2**70,
    "text": "Nováková ☃ \U0001f600 \\ \" '",
    "empty": "",
    "moment": datetime(2026, 2, 28, 23, 59, 59, 1, tzinfo=UTC),
    "id": UUID(int=7),
    "list": ["a", 1, None, (UUID(int=8), ["deep"])],
    "decimal": Decimal("1.10"),
    "lazy": gettext_lazy("Request"),
    "mapping": {"not": "nested"},
}


def test_what_is_digested_now_is_what_is_read_later_whatever_the_facts_are(acme):
    with acting_for(acme.pk):
        written = record(actor="test", code="test:deed", subject="x", **FACTS)
    with acting_for(acme.pk):
        read = AuditEvent.objects.get()
    assert read.facts == plain(FACTS)
    assert bytes(read.digest) == read.computed_digest() == bytes(written.digest)
    assert read.facts["moment"] == "2026-02-28T23:59:59.000001+00:00"


def test_the_digest_is_the_one_that_anybody_can_compute(acme):
    with acting_for(acme.pk):
        line = record(actor="test", code="test:deed", subject="x", count=1)
    content = {
        "actor": "test", "at": line.at.isoformat(timespec="microseconds"), "code": "test:deed", "facts": {"count": 1},
        "id": str(line.pk), "subject": "x", "tenant": str(acme.pk),
    }  # fmt: skip
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert bytes(line.digest) == hashlib.sha256(text.encode()).digest()


def test_a_line_waits_for_the_sealer_from_the_moment_it_is_written(owner, acme):
    [event] = tell(acme.pk, 1)
    owner.execute("SELECT event_id::text, tenant_id::text FROM audit_unsealed")
    assert owner.fetchall() == [(str(event), str(acme.pk))]


# --- sealing


def test_the_sealer_chains_every_line_of_a_tenant_and_leaves_none_waiting(acme, chain):
    with acting_for(acme.pk):
        seals = list(AuditSeal.objects.order_by("sequence").select_related("event"))
    assert [each.event_id for each in seals] == chain
    assert [each.sequence for each in seals] == list(range(1, ROWS + 1))
    previous = bytes(32)
    for each in seals:
        assert bytes(each.previous) == previous
        number = each.sequence.to_bytes(8)
        previous = hashlib.sha256(number + previous + bytes(each.event.digest)).digest()
        assert bytes(each.digest) == previous
    with serving("relay"):
        assert not Unsealed.objects.exists()
    assert verify(acme.pk).finding is None
    assert verify(acme.pk).rows == ROWS


def test_each_tenant_has_a_chain_of_its_own_and_so_has_the_platform(acme, globex, chain, petra):
    with acting_as(petra.pk):
        record(actor="test", code="test:deed", subject="x")
    with serving("relay"):
        assert seal_everything() == {PLATFORM: 1}
    assert [verify(tenant).rows for tenant in (acme.pk, globex.pk, PLATFORM)] == [ROWS, 1, 1]


def test_a_chain_goes_on_where_it_ended(acme, chain):
    tell(acme.pk, 3)
    with serving("relay"):
        assert seal(acme.pk) == 3
        assert seal(acme.pk) == 0
    assert verify(acme.pk).rows == ROWS + 3
    assert verify(acme.pk).finding is None


def test_a_long_queue_is_sealed_batch_by_batch(acme, monkeypatch):
    monkeypatch.setattr(sealer, "BATCH", 4)
    tell(acme.pk, 10)
    with serving("relay"):
        assert [seal(acme.pk) for _ in range(4)] == [4, 4, 2, 0]
    assert verify(acme.pk).rows == 10
    assert verify(acme.pk).finding is None


def test_of_several_sealers_at_once_each_line_is_sealed_once(acme, monkeypatch):
    monkeypatch.setattr(sealer, "BATCH", 10)
    tell(acme.pk, 60)
    together = Barrier(3)

    def sealing(_number: int) -> int:
        try:
            together.wait(10)
            with serving("relay"):
                done = 0
                while Unsealed.objects.exists():
                    done += sum(seal_everything().values())
                return done
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(sealing, range(3))) == 60
    assert verify(acme.pk).rows == 60
    assert verify(acme.pk).finding is None


def test_a_sealer_that_finds_another_one_at_work_leaves_the_tenant_to_it(owner, acme):
    tell(acme.pk, 1)
    owner.execute("SELECT pg_advisory_lock(hashtext('journal'), hashtext(%s))", [str(acme.pk)])
    with serving("relay"):
        assert seal(acme.pk) == 0
    owner.execute("SELECT pg_advisory_unlock_all()")
    with serving("relay"):
        assert seal(acme.pk) == 1


def test_no_service_but_the_relay_can_seal(acme):
    tell(acme.pk, 1)
    for service in ("web", "signing", "messages"):
        with serving(service), pytest.raises(DatabaseError, match="permission denied"):
            seal(acme.pk)
    with acting_for(acme.pk):
        assert not AuditSeal.objects.exists()


# --- tampering

_E, _S = "audit_auditevent", "audit_auditseal"
_THIS = "(SELECT event_id FROM audit_auditseal WHERE tenant_id = %(acme)s AND sequence = %(n)s)"
_NEXT = "(SELECT event_id FROM audit_auditseal WHERE tenant_id = %(acme)s AND sequence = %(n)s + 1)"
_SEAL = "WHERE tenant_id = %(acme)s AND sequence = %(n)s"
_REST = "WHERE tenant_id = %(acme)s AND sequence >= %(n)s"

FORGED = "the event does not say what was written"
GONE = "the event is gone"
UNFIT = "the seal does not fit its event"
LOOSE = "the seal does not follow the one before it"
OTHER = "the seal is not the one that was set"
MISSING = "is missing from the chain"
UNSEALED = "was never sealed"

KINDS = {
    # kind                         what the owner does                                                     complaint
    "event.at":         (f"UPDATE {_E} SET at = at + interval '1 microsecond' WHERE id = {_THIS}",          FORGED),
    "event.actor":      (f"UPDATE {_E} SET actor = 'nobody' WHERE id = {_THIS}",                            FORGED),
    "event.code":       (f"UPDATE {_E} SET code = 'test:other' WHERE id = {_THIS}",                         FORGED),
    "event.subject":    (f"UPDATE {_E} SET subject = 'other' WHERE id = {_THIS}",                           FORGED),
    "event.facts":      (f"UPDATE {_E} SET facts = '{{\"count\": 99}}' WHERE id = {_THIS}",                 FORGED),
    "event.facts, one more": (f"UPDATE {_E} SET facts = facts || '{{\"more\": 1}}' WHERE id = {_THIS}",     FORGED),
    "event.facts, as text":  (f"UPDATE {_E} SET facts = '{{\"count\": \"1\"}}' WHERE id = {_THIS}",        FORGED),
    "event.digest":     (f"UPDATE {_E} SET digest = sha256(digest) WHERE id = {_THIS}",                     FORGED),
    "event.tenant_id":  (f"UPDATE {_E} SET tenant_id = %(globex)s WHERE id = {_THIS}",                      GONE),
    "event.id":         (f"UPDATE {_E} SET id = gen_random_uuid() WHERE id = {_THIS}",                      GONE),
    "event deleted":    (f"DELETE FROM {_E} WHERE id = {_THIS}",                                            GONE),
    "seal.id":          (f"UPDATE {_S} SET id = gen_random_uuid() {_SEAL}",                                 OTHER),
    "seal.event_id":    (f"UPDATE {_S} SET event_id = gen_random_uuid() {_SEAL}",                           GONE),
    "seal.previous":    (f"UPDATE {_S} SET previous = sha256(previous) {_SEAL}",                            LOOSE),
    "seal.digest":      (f"UPDATE {_S} SET digest = sha256(digest) {_SEAL}",                                UNFIT),
    "seal.sequence":    (f"UPDATE {_S} SET sequence = sequence + 100 {_SEAL}",                              MISSING),
    "numbered anew":    (f"UPDATE {_S} SET sequence = sequence + 100 {_REST}",                              MISSING),
}  # fmt: skip
"""Kinds that are noticed at the very row, wherever in the chain it is."""


@pytest.fixture
def tamper(owner, acme, globex):
    """Do something to the journal past every trigger and key, as its owner could."""

    def doing(statement, n, **more):
        owner.execute("SET session_replication_role = replica")
        owner.execute(statement, {"acme": str(acme.pk), "globex": str(globex.pk), "n": n, **more})
        owner.execute("SET session_replication_role = origin")

    return doing


@pytest.fixture
def restored(owner):
    """Return a function that puts the journal back as it was when the fixture was made."""
    kept = {}
    for table in (_E, _S, "audit_unsealed"):
        kept[table] = StringIO()
        owner.copy_expert(f"COPY {table} TO STDOUT", kept[table])

    def restore():
        owner.execute("SET session_replication_role = replica")
        for table, rows in kept.items():
            owner.execute(f"DELETE FROM {table}")
            rows.seek(0)
            owner.copy_expert(f"COPY {table} FROM STDIN", rows)
        owner.execute("SET session_replication_role = origin")

    return restore


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_was_done_to_a_line_or_its_seal_the_first_bad_row_is_named(acme, chain, tamper, restored, kind):
    statement, complaint = KINDS[kind]
    for n in range(1, ROWS + 1):
        tamper(statement, n)
        found = verify(acme.pk).finding
        assert found, f"{kind} of row {n} was not noticed"
        assert (found.sequence, found.complaint) == (n, complaint)
        if complaint in {FORGED, UNFIT, LOOSE, OTHER}:
            assert found.event == chain[n - 1]
        restored()
        assert verify(acme.pk).finding is None


def test_every_column_of_the_journal_is_in_the_table_of_kinds(owner):
    owner.execute(
        "SELECT attrelid::regclass::text, attname FROM pg_attribute"
        " WHERE attrelid IN ('audit_auditevent'::regclass, 'audit_auditseal'::regclass) AND attnum > 0"
    )
    named = {"audit_auditevent": "event", "audit_auditseal": "seal"}
    columns = {f"{named[table]}.{column}" for table, column in owner.fetchall()}
    assert columns - set(KINDS) == {"seal.tenant_id"}  # the next test: it is as if the seal were deleted
    assert len(columns) == 14


@pytest.mark.parametrize(
    "statement",
    [f"DELETE FROM {_S} {_SEAL}", f"UPDATE {_S} SET tenant_id = %(globex)s, sequence = 77 {_SEAL}"],
)
def test_a_seal_that_is_gone_leaves_a_gap_and_the_last_one_a_line_that_was_never_sealed(
    acme, chain, tamper, restored, statement
):
    for n in range(1, ROWS + 1):
        tamper(statement, n)
        with clock.frozen(clock.now() + SEALED_WITHIN + timedelta(seconds=1)):
            found = verify(acme.pk).finding
        assert found
        if n < ROWS:
            assert (found.sequence, found.complaint) == (n, MISSING)
        else:
            assert found == Finding(None, chain[-1], UNSEALED)
        restored()


def test_the_other_tenants_chain_shows_what_was_pushed_into_it(acme, globex, chain, tamper):
    tamper(f"UPDATE {_S} SET tenant_id = %(globex)s, sequence = 2 {_SEAL}", 3)
    assert verify(globex.pk).finding == Finding(2, chain[2], GONE)


SWAPS = {
    "two seals' events": f"""
        UPDATE {_S} SET event_id = CASE event_id WHEN {_THIS} THEN {_NEXT} ELSE {_THIS} END,
                        id = CASE event_id WHEN {_THIS} THEN {_NEXT} ELSE {_THIS} END
         WHERE tenant_id = %(acme)s AND sequence IN (%(n)s, %(n)s + 1)""",
    "two numbers": f"""
        UPDATE {_S} SET sequence = 2 * %(n)s + 1 - sequence
         WHERE tenant_id = %(acme)s AND sequence IN (%(n)s, %(n)s + 1)""",
    "two lines' contents": f"""
        UPDATE {_E} e SET facts = o.facts, subject = o.subject FROM {_E} o
         WHERE e.id IN ({_THIS}, {_NEXT}) AND o.id IN ({_THIS}, {_NEXT}) AND o.id <> e.id""",
    "two whole lines, digests and all": f"""
        UPDATE {_E} e SET facts = o.facts, subject = o.subject, digest = o.digest FROM {_E} o
         WHERE e.id IN ({_THIS}, {_NEXT}) AND o.id IN ({_THIS}, {_NEXT}) AND o.id <> e.id""",
}


@pytest.mark.parametrize("kind", SWAPS)
def test_two_rows_that_were_swapped_are_noticed_at_the_first(acme, chain, tamper, without_keys, restored, kind):
    for n in range(1, ROWS):
        tamper(SWAPS[kind], n)
        found = verify(acme.pk).finding
        assert found, f"{kind} at {n} was not noticed"
        assert found.sequence == n
        restored()
        assert verify(acme.pk).finding is None


@pytest.fixture
def without_keys(owner):
    """Take the unique keys of the seals away, as an owner can; they would refuse a swap half-way."""
    keys = {
        "seal_numbers_once": "UNIQUE (tenant_id, sequence)",
        "seal_seals_once": "UNIQUE (tenant_id, event_id)",
        f"{_S}_pkey": "PRIMARY KEY (id)",
        f"{_S}_tenant_key": "UNIQUE (tenant_id, id)",
    }
    owner.execute(f"ALTER TABLE {_S} {', '.join(f'DROP CONSTRAINT {name}' for name in keys)}")
    yield
    owner.execute(f"TRUNCATE {_S}")
    owner.execute(f"ALTER TABLE {_S} {', '.join(f'ADD CONSTRAINT {name} {key}' for name, key in keys.items())}")


def test_a_forger_who_mends_the_digest_of_the_line_is_found_by_the_seal(owner, acme, chain, tamper, restored):
    for n in range(1, ROWS + 1):
        with acting_for(acme.pk):
            line = AuditEvent.objects.get(pk=chain[n - 1])
        line.actor = "somebody-else"
        mended = f"UPDATE {_E} SET actor = 'somebody-else', digest = %(digest)s WHERE id = {_THIS}"
        tamper(mended, n, digest=line.computed_digest())
        assert verify(acme.pk).finding == Finding(n, line.pk, UNFIT)
        restored()


def test_a_forger_who_mends_the_seal_as_well_is_found_by_the_next_one(owner, acme, chain, tamper, restored):
    for n in range(1, ROWS):
        with acting_for(acme.pk):
            line = AuditEvent.objects.get(pk=chain[n - 1])
            sealed = AuditSeal.objects.get(sequence=n)
        line.actor = "somebody-else"
        digest = line.computed_digest()
        mended = f"UPDATE {_E} SET actor = 'somebody-else', digest = %(digest)s WHERE id = {_THIS}"
        tamper(mended, n, digest=digest)
        tamper(f"UPDATE {_S} SET digest = %(digest)s {_SEAL}", n, digest=sealed.computed_digest(digest))
        assert verify(acme.pk).finding == Finding(n + 1, chain[n], LOOSE)
        restored()


def test_a_line_put_in_between_is_found_behind_it_however_well_it_is_sealed(owner, acme, chain, tamper, restored):
    for n in range(1, ROWS + 1):
        with acting_for(acme.pk):
            forged = AuditEvent(id=uuid4(), at=clock.now(), actor="forger", code="test:deed", subject="x", facts={})
            before = AuditSeal.objects.filter(sequence=n - 1).first()
            sealed = AuditSeal(sequence=n, event=forged, previous=before.digest if before else bytes(32))
        tamper(f"UPDATE {_S} SET sequence = sequence + 1000 WHERE tenant_id = %(acme)s AND sequence >= %(n)s", n)
        tamper(f"UPDATE {_S} SET sequence = sequence - 999 WHERE tenant_id = %(acme)s AND sequence >= 1000", n)
        digest = forged.computed_digest()
        tamper(
            f"INSERT INTO {_E} (id, tenant_id, at, actor, code, subject, facts, digest)"
            " VALUES (%(id)s, %(acme)s, %(at)s, 'forger', 'test:deed', 'x', '{}', %(digest)s)",
            n,
            id=str(forged.pk),
            at=forged.at,
            digest=digest,
        )
        tamper(
            f"INSERT INTO {_S} (id, tenant_id, sequence, event_id, previous, digest)"
            " VALUES (%(id)s, %(acme)s, %(n)s, %(id)s, %(previous)s, %(digest)s)",
            n,
            id=str(forged.pk),
            previous=bytes(sealed.previous),
            digest=sealed.computed_digest(digest),
        )
        assert verify(acme.pk).finding == Finding(n + 1, chain[n - 1], LOOSE)
        restored()


def test_a_line_that_no_sealer_ever_heard_of_is_found_after_ten_seconds(owner, acme, chain, tamper):
    tamper(
        f"INSERT INTO {_E} (id, tenant_id, at, actor, code, subject, facts, digest)"
        " VALUES (gen_random_uuid(), %(acme)s, now(), 'forger', 'test:deed', 'x', '{}', '')",
        0,
    )
    assert verify(acme.pk).finding is None  # the sealer may still come
    with clock.frozen(clock.now() + SEALED_WITHIN + timedelta(seconds=1)):
        found = verify(acme.pk).finding
    assert found
    assert (found.sequence, found.complaint) == (None, UNSEALED)


def test_a_sealer_that_stopped_is_noticed_too(acme, chain):
    [late] = tell(acme.pk, 1)
    with clock.frozen(clock.now() + SEALED_WITHIN + timedelta(seconds=1)):
        assert verify(acme.pk).finding == Finding(None, late, UNSEALED)


# --- the command


def test_the_command_says_for_every_tenant_that_all_is_as_written(acme, globex, chain, capsys):
    call_command("verify_journal")
    assert capsys.readouterr().out.splitlines() == [
        f"acme: {ROWS} rows, all as written, not signed",
        "globex: 1 rows, all as written, not signed",
        "platform: 0 rows, all as written, not signed",
    ]


def test_the_command_names_the_first_bad_row_and_fails(acme, chain, tamper, capsys):
    tamper(KINDS["event.actor"][0], 4)
    tamper(KINDS["event.actor"][0], 5)
    with pytest.raises(CommandError, match="of 1 tenant"):
        call_command("verify_journal", "globex", "acme")
    assert capsys.readouterr().out.splitlines() == [
        f"acme: row 4, event {chain[3]}: {FORGED}",
        "globex: 1 rows, all as written, not signed",
    ]


def test_the_command_knows_the_tenants_there_are(world):
    with pytest.raises(CommandError, match=r"There is no tenant notary\."):
        call_command("verify_journal", "acme", "notary")


@pytest.mark.parametrize("bad", [False, True])
def test_the_command_ends_with_a_status_that_a_script_can_read(acme, chain, tamper, service_environment, bad):
    if bad:
        tamper(KINDS["event deleted"][0], 2)
    ended = subprocess.run(
        [sys.executable, "manage.py", "verify_journal", "acme"],
        env=service_environment("relay"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == bad
    assert ended.stdout == (
        f"acme: row 2, event {chain[1]}: {GONE}\n" if bad else f"acme: {ROWS} rows, all as written, not signed\n"
    )
    assert ("first bad row is above" in ended.stderr) is bad


# --- no deed without its line (F9)


@pytest.fixture
def full_disk(owner):
    """From here on no service can write a line of the journal."""

    def deny(service):
        owner.execute(f"REVOKE INSERT ON audit_auditevent FROM portal_{service}")

    yield deny
    for service in ("web", "signing"):
        owner.execute(f"GRANT INSERT ON audit_auditevent TO portal_{service}")


def everything(owner):
    owner.execute(
        "SELECT (SELECT jsonb_agg(r ORDER BY id) FROM requests_certificaterequest r),"
        " (SELECT count(*) FROM policies_agreementacceptance), (SELECT jsonb_agg(e ORDER BY id) FROM outbox_errand e),"
        " (SELECT count(*) FROM audit_auditevent), (SELECT count(*) FROM requests_issuanceattempt),"
        " (SELECT count(*) FROM certificates_certificate)"
    )
    return owner.fetchone()


def test_a_service_that_cannot_write_its_line_does_nothing(owner, acme, petra, full_disk):
    draft = filled(petra, acme)
    before = everything(owner)
    full_disk("web")
    for deed in (lambda: begun(petra, acme), lambda: submit(draft, petra)):
        with pytest.raises(DatabaseError, match="permission denied for table audit_auditevent"):
            deed()
        assert everything(owner) == before


def test_the_person_is_told_so_and_nothing_was_done(owner, acme, petra, full_disk, client):
    client = signed_in(client, petra)
    client.raise_request_exception = False
    before = everything(owner)
    full_disk("web")
    shown = client.post("/t/acme/requests/begin/issue/", {"profile": "desktop-signing"})
    assert shown.status_code == 500
    assert b"accident" in shown.content
    assert everything(owner) == before


def test_the_signing_worker_asks_no_token_when_it_cannot_write_its_line(owner, acme, petra, full_disk):
    errand = errand_of(submitted(petra, acme))
    before = everything(owner)
    full_disk("signing")
    with serving("signing"):
        run(errand)
    errand.refresh_from_db()
    assert errand.done_at is None
    assert errand.parked_at is None
    assert "permission denied" in errand.last_error
    after = everything(owner)
    assert (after[0], after[1], after[3:]) == (before[0], before[1], before[3:])
