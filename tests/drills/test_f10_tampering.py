"""F10: whoever owns the database falsifies its journal, and cuts its end off; who finds it, and what nobody can."""

import random  # noqa: TID251 - the same ones every time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from portal.config import config
from portal.foundation import clock
from portal.foundation.audit import chain, check_journal
from portal.foundation.audit.export import Scope, stream
from portal.foundation.audit.models import AuditEvent
from portal.foundation.audit.verify import SEALED_WITHIN, Witness, verify
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from portal.notary import promises, tasks
from portal.notary.anchors import file_of, witnesses_in
from portal.notary.rounds import SIGN_AFTER, SIGN_EVERY
from tests.fakes.forger import (
    CHECKPOINT,
    DEEDS,
    NEEDS_A_WITNESS,
    ROWS,
    SEAL,
    SIGNED_AT,
    TABLES,
    UNIQUE,
    Forger,
    cut_the_end_and_its_checkpoints,
    delete_every_checkpoint,
    exchange_the_key,
    write_without_a_seal,
)
from tests.foundation.notarised import entered_key, seal, sign, tell
from tests.world import serving

pytestmark = pytest.mark.django_db

CHECKED_ALONE = 10  # every tenth of them by the stand-alone checker too
UNSIGNED = 5  # rows behind the newest checkpoint


@pytest.fixture
def anchors(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "anchors"
    monkeypatch.setattr(tasks, "config", replace(config, journal_anchors=str(folder)))
    return folder


@pytest.fixture
def key(world):
    return entered_key()


@pytest.fixture
def signed_chain(acme, globex, key, anchors):
    """Thirty rows of acme with four checkpoints, anchored; and a few of globex beside them."""
    told = 0
    for row in SIGNED_AT:
        tell(acme.pk, row - told)
        told = row
        assert sign(acme.pk, key, anchors)
    tell(globex.pk, 3)
    sign(globex.pk, key)


@pytest.fixture
def witnesses(acme, signed_chain, anchors) -> list[Witness]:
    return list(witnesses_in(file_of(anchors, acme.pk)))


@pytest.fixture
def without_unique_keys(owner):
    """Take away what would refuse a forger half-way, as an owner can."""
    for table, name, _key in UNIQUE:
        owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    yield
    owner.execute(f"TRUNCATE {SEAL}, {CHECKPOINT}")
    for table, name, unique in UNIQUE:
        owner.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {unique}")


@pytest.fixture
def restore(owner, signed_chain, without_unique_keys) -> Callable[[], None]:
    return kept(owner)


def kept(owner) -> Callable[[], None]:
    """Keep the journal as it is; return how to have it so again."""
    copies = {}
    for table in TABLES:
        copies[table] = StringIO()
        owner.copy_expert(f"COPY {table} TO STDOUT", copies[table])

    def restoring() -> None:
        owner.execute("SET session_replication_role = replica")
        for table, rows in copies.items():
            owner.execute(f"DELETE FROM {table}")
            rows.seek(0)
            owner.copy_expert(f"COPY {table} FROM STDIN", rows)
        owner.execute("SET session_replication_role = origin")

    return restoring


def forger_of(owner, acme, globex, number: int) -> Forger:
    return Forger(owner, acme.pk, globex.pk, random.Random(number), ec.generate_private_key(ec.SECP256R1()))


def exported(tenant, path: Path, **more: Any) -> Path:
    path.write_bytes(b"".join(stream(Scope(tenant, chain.FOREVER, clock.now() + 2 * SEALED_WITHIN, {}, **more))))
    return path


def compared_at_night(tenant_id: UUID) -> list[Errand]:
    """Let the signing worker hold the chain against anchors and keys, as it does every night; return its errands."""
    since = clock.now()
    with serving("relay"):
        assert promises.promise_nightly_comparison(tenant_id, since=since)
    done: list[Errand] = []
    while open_ones := Errand.objects.filter(task=tasks.compare_chain.name, done_at=None, parked_at=None):
        [errand] = open_ones
        with serving("signing"):
            run(errand)
        errand.refresh_from_db()
        assert errand.done_at or errand.parked_at, errand.last_error
        done.append(errand)
    return done


@pytest.mark.drill("F10", goal="every falsification is found")
def test_every_random_tampering_is_found_and_a_tenth_of_them_by_the_stand_alone_checker(
    drill, owner, acme, globex, restore, witnesses, tmp_path
):
    before = exported(acme, tmp_path / "before.zip")
    assert check_journal.check(before, set(), [before])
    assert verify(acme.pk, witnesses=witnesses).finding is None
    found: Counter[str] = Counter()
    wanted, seen = drill.times(2 * len(DEEDS), soak=500), set()
    for number in range(wanted):
        deed = DEEDS[number % len(DEEDS)]
        deed(forger_of(owner, acme, globex, number))
        seen.add(deed)
        with clock.frozen(clock.now() + 2 * SEALED_WITHIN):
            if verify(acme.pk).finding:
                found["by the database alone"] += 1
            else:
                moved = number % len(DEEDS) in {4, 5}  # the newest checkpoint, given to another tenant
                assert deed in NEEDS_A_WITNESS or moved, f"tampering {number}, {deed.__name__}, was not noticed"
                assert verify(acme.pk, witnesses=witnesses).finding, f"{number}, {deed.__name__}, was not noticed"
                assert compared_at_night(acme.pk)[-1].parked_at, f"{number}, {deed.__name__}, was not noticed at night"
                found["by copies kept elsewhere"] += 1
        if number % CHECKED_ALONE == 0 and deed is not write_without_a_seal:
            with pytest.raises(check_journal.Changed):
                check_journal.check(exported(acme, tmp_path / "after.zip"), set(), [before])
            found["by the stand-alone checker too"] += 1
        owner.execute("DELETE FROM outbox_errand")
        restore()
    assert seen == set(DEEDS)
    assert found["by the stand-alone checker too"] >= wanted // CHECKED_ALONE - len(DEEDS)
    assert verify(acme.pk, witnesses=witnesses).finding is None
    total = found["by the database alone"] + found["by copies kept elsewhere"]
    drill.measured(found=f"{total}/{wanted}", **{name.replace(" ", "_"): count for name, count in found.items()})
    assert total == wanted


@pytest.mark.drill("F10", goal="a cut is found up to the newest checkpoint, and the rest is at most 5 minutes")
def test_an_end_that_is_cut_off_is_found_up_to_the_newest_checkpoint(
    drill, owner, acme, globex, signed_chain, without_unique_keys, witnesses
):
    """The forger takes the checkpoints away as well: only the copies know.  Rows behind the last of them are lost."""
    tell(acme.pk, UNSIGNED)
    seal()
    restoring = kept(owner)
    found, unseen = [], []
    for row in range(1, ROWS + UNSIGNED + 1):
        forger = forger_of(owner, acme, globex, row)
        forger.row = lambda row=row: row  # type: ignore[method-assign]
        cut_the_end_and_its_checkpoints(forger)
        with clock.frozen(clock.now() + 2 * SEALED_WITHIN):
            (found if verify(acme.pk, witnesses=witnesses).finding else unseen).append(row)
        restoring()
    assert found == list(range(1, ROWS + 1))
    assert len(unseen) == UNSIGNED
    assert SIGN_EVERY <= 300
    drill.measured(found=f"{len(found)}/{ROWS}", exposed=f"rows of {SIGN_EVERY:g} s, or {SIGN_AFTER} rows if sooner")


def test_a_chain_that_is_as_it_was_written_is_compared_page_by_page_and_once_a_night(
    acme, signed_chain, anchors, monkeypatch
):
    monkeypatch.setattr(tasks, "ANCHORS", 3)
    since = clock.now()
    done = compared_at_night(acme.pk)
    assert len(done) == 3  # three copies, one copy, the keys
    assert all(errand.done_at for errand in done)
    with acting_for(acme.pk):
        [line] = AuditEvent.objects.filter(code="journal:compare")
    assert line.facts == {"intact": True, "anchors": len(SIGNED_AT)}
    with serving("relay"):
        assert not promises.promise_nightly_comparison(acme.pk, since=since)


@pytest.mark.parametrize("deed", [cut_the_end_and_its_checkpoints, delete_every_checkpoint])
def test_no_checkpoint_follows_one_that_was_cut_off_with_its_end(
    owner, acme, globex, signed_chain, restore, anchors, deed
):
    """Five minutes later the chain has grown again; its next head is signed only if the copies agree."""
    deed(forger_of(owner, acme, globex, 3))
    tell(acme.pk, ROWS)
    seal()
    before = file_of(anchors, acme.pk).read_bytes()
    with serving("relay"):
        assert promises.promise_checkpoint(acme.pk)
    [errand] = Errand.objects.filter(task=tasks.sign_chain.name)
    with serving("signing"):
        run(errand)
    errand.refresh_from_db()
    if deed is delete_every_checkpoint:  # the row is there as it was: the chain goes on, and the night finds the rest
        assert errand.done_at
        assert compared_at_night(acme.pk)[-1].parked_at
        return
    assert errand.parked_at
    assert "is not the one that the copy of a checkpoint that was kept elsewhere signed" in errand.last_error
    assert file_of(anchors, acme.pk).read_bytes() == before


def test_a_key_that_is_not_in_the_token_is_found_without_any_copy(owner, acme, globex, key, monkeypatch):
    """No anchors are configured; the forger signed everything anew with a key that they entered."""
    tell(acme.pk, 3)
    sign(acme.pk, key)
    assert compared_at_night(acme.pk)[-1].done_at
    seal()
    forger = forger_of(owner, acme, globex, 1)
    forger.sign_anew()
    with clock.frozen(clock.now() + 2 * SEALED_WITHIN):
        assert verify(acme.pk).finding is None
        [errand] = compared_at_night(acme.pk)
    assert "row 3: its checkpoint is signed by a key that is not in the token" in errand.last_error
    with acting_for(acme.pk):
        line = AuditEvent.objects.filter(code="journal:compare").latest("pk")
    assert (line.facts["intact"], line.facts["row"]) == (False, 3)
    exchange_the_key(forger)
    owner.execute("DELETE FROM outbox_errand")
    with clock.frozen(clock.now() + timedelta(days=1)):
        assert compared_at_night(acme.pk)[-1].parked_at
