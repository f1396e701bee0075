"""Checkpoints: signed in the token, one after the other, kept elsewhere as well, and promised by the relay in time."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from portal import config as configuration
from portal.config import config
from portal.foundation import clock
from portal.foundation.audit import chain
from portal.foundation.audit.models import AuditCheckpoint, AuditEvent, AuditSeal, JournalKey
from portal.foundation.audit.signatures import fingerprint_of, is_signed
from portal.foundation.audit.verify import verify
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import not_ready, vitals_of
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM
from portal.foundation.token import token_at
from portal.notary import promises, rounds, signing, tasks
from portal.notary.anchors import Unreadable, append, file_of, last_anchored, line_of, witnesses_in
from portal.notary.keys import journal_key
from portal.notary.rounds import SIGN_AFTER, SIGN_EVERY, Rounds
from portal.notary.signing import ChainBroken, Signer, sign_head
from tests.foundation.notarised import entered_key, seal, sign, tell, the_token
from tests.world import serving

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(world) -> JournalKey:
    return entered_key()


@pytest.fixture
def anchors(tmp_path, monkeypatch) -> Path:
    """Let the signing worker keep its anchors in a folder of this test."""
    folder = tmp_path / "anchors"
    for module in (tasks,):
        monkeypatch.setattr(module, "config", replace(config, journal_anchors=str(folder)))
    return folder


def checkpoints(tenant) -> list[AuditCheckpoint]:
    with acting_for(tenant.pk):
        return list(AuditCheckpoint.objects.order_by("sequence"))


def errands(task) -> list[Errand]:
    return list(Errand.objects.filter(task=task.name, done_at=None).order_by("pk"))


def work(errand: Errand, service: str) -> Errand:
    with serving(service):
        run(errand)
    errand.refresh_from_db()
    return errand


# --- what is signed ---------------------------------------------------------------------------------------------------


def test_a_checkpoint_says_how_long_the_chain_is_and_what_its_head_is_and_the_token_signed_it(acme, key):
    tell(acme.pk, 5)
    sign(acme.pk, key)
    [made] = checkpoints(acme)
    with acting_for(acme.pk):
        head = AuditSeal.objects.latest("sequence")
    assert (made.sequence, bytes(made.head), made.previous) == (5, bytes(head.digest), 0)
    assert json.loads(made.statement()) == {
        "what": "journal checkpoint", "id": str(made.pk), "tenant": str(acme.pk), "sequence": 5, "previous": 0,
        "head": bytes(head.digest).hex(), "at": made.at.isoformat(timespec="microseconds"), "key": key.fingerprint,
    }  # fmt: skip
    public = load_der_public_key(bytes(key.spki))
    public.verify(bytes(made.signature), made.statement(), ec.ECDSA(hashes.SHA256()))
    verdict = verify(acme.pk)
    assert (verdict.finding, verdict.rows, verdict.checkpoints, verdict.signed_to) == (None, 5, 1, 5)


@pytest.mark.parametrize("kind", ["ec-p384", "rsa-3072"])
def test_whatever_kind_the_key_is_its_checkpoints_are_verified(acme, world, kind):
    key = entered_key(f"{sum(kind.encode()):032x}", kind)
    tell(acme.pk, 1)
    made = sign(acme.pk, key)
    assert made
    assert is_signed(made.statement(), bytes(made.signature), bytes(key.spki))
    assert verify(acme.pk).signed_to == 1


def test_each_checkpoint_follows_the_one_before_and_a_chain_that_did_not_move_gets_none(acme, key):
    for count in (2, 3):
        tell(acme.pk, count)
        assert sign(acme.pk, key)
    assert sign(acme.pk, key) is None
    assert [(each.sequence, each.previous) for each in checkpoints(acme)] == [(2, 0), (5, 2)]


def test_each_tenant_has_checkpoints_of_its_own_and_so_has_the_platform(acme, globex, key):
    tell(acme.pk, 1)
    tell(globex.pk, 2)
    assert [sign(tenant, key).sequence for tenant in (acme.pk, globex.pk, PLATFORM)] == [1, 2, 1]
    assert [verify(tenant).signed_to for tenant in (acme.pk, globex.pk, PLATFORM)] == [1, 2, 1]


def test_of_two_workers_at_once_one_makes_the_checkpoint(acme, key):
    tell(acme.pk, 3)
    seal()
    together = Barrier(2)
    signer = Signer(key, the_token())

    class Together:
        key = signer.key

        def sign(self, statement: bytes) -> bytes:
            together.wait(10)
            return signer.sign(statement)

    def work(_number: int) -> bool:
        try:
            with serving("signing"):
                return sign_head(acme.pk, Together()) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(work, range(2))) == [False, True]
    assert len(checkpoints(acme)) == 1
    assert verify(acme.pk).finding is None


def test_a_checkpoint_never_changes_and_only_the_signing_worker_makes_one(owner, table_owner, acme, key):
    tell(acme.pk, 1)
    sign(acme.pk, key)
    with acting_for(acme.pk):
        like = AuditCheckpoint(sequence=2, head=b"", at=clock.now(), key="", signature=b"", previous=1)
    for service in ("web", "messages", "relay"):
        with serving(service), pytest.raises(DatabaseError, match="permission denied"), acting_for(acme.pk):
            like.save(force_insert=True)
    for statement in ("UPDATE audit_auditcheckpoint SET sequence = 9", "DELETE FROM audit_auditcheckpoint"):
        with pytest.raises(Exception, match="never change"):
            owner.execute(statement)
    assert len(checkpoints(acme)) == 1


def test_a_checkpoint_signed_by_a_wrong_key_is_refused(owner, acme, key):
    """Its name is right, its signature is somebody else's."""
    tell(acme.pk, 2)
    sign(acme.pk, key)
    [made] = checkpoints(acme)
    wrong = ec.generate_private_key(ec.SECP256R1()).sign(made.statement(), ec.ECDSA(hashes.SHA256()))
    owner.execute("SET session_replication_role = replica")
    owner.execute("UPDATE audit_auditcheckpoint SET signature = %s", [wrong])
    finding = verify(acme.pk).finding
    assert finding
    assert (finding.sequence, finding.complaint) == (2, "its checkpoint is not what was signed")


def test_a_key_that_one_did_not_name_is_refused_although_the_portal_has_it(acme, key):
    tell(acme.pk, 1)
    sign(acme.pk, key)
    assert verify(acme.pk, only_keys=[key.fingerprint]).finding is None
    finding = verify(acme.pk, only_keys=["ab" * 32]).finding
    assert finding
    assert finding.complaint == "its checkpoint is signed by a key that is not the one you named"


def test_a_signature_that_does_not_fit_is_never_stored(acme, key, monkeypatch):
    tell(acme.pk, 1)
    seal()
    monkeypatch.setattr(signing, "key_in", lambda *_: ec.generate_private_key(ec.SECP256R1()))
    monkeypatch.setattr(signing, "EcTokenKey", ec.EllipticCurvePrivateKey)
    assert promises.promise_checkpoint(acme.pk)
    [errand] = errands(tasks.sign_chain)
    done = work(errand, "signing")
    assert done.done_at is None
    assert done.parked_at is None  # it is tried again: the token is at fault
    assert "does not fit" in done.last_error
    assert checkpoints(acme) == []


def test_nothing_is_signed_over_a_chain_that_lost_what_was_signed_before(owner, acme, key):
    tell(acme.pk, 4)
    sign(acme.pk, key)
    owner.execute("SET session_replication_role = replica")
    owner.execute("DELETE FROM audit_auditseal WHERE tenant_id = %s AND sequence = 4", [str(acme.pk)])
    owner.execute("SET session_replication_role = origin")
    with pytest.raises(ChainBroken, match="Row 4"):
        sign(acme.pk, key)
    assert len(checkpoints(acme)) == 1


# --- the key ----------------------------------------------------------------------------------------------------------


def test_the_command_makes_the_key_once_and_prints_what_must_be_kept(world, capsys):
    with serving("owner"):
        call_command("create_journal_key")
        call_command("create_journal_key")
    first, second = capsys.readouterr().out.split(f"JOURNAL_KEY_ID={config.journal_key_id}\n")[1:]
    assert first == second
    [key] = JournalKey.objects.all()
    assert first == f"fingerprint {key.fingerprint}\n"
    assert fingerprint_of(the_token().public_key(bytes.fromhex(config.journal_key_id))) == key.fingerprint
    with acting_for(PLATFORM):
        [line] = AuditEvent.objects.filter(code="journal:enter-key")
    assert line.facts == {"fingerprint": key.fingerprint, "kind": "ec-p256"}


def test_without_a_token_the_command_makes_nothing(world, monkeypatch):
    monkeypatch.setattr(
        "portal.management.commands.create_journal_key.config", replace(config, pkcs11_module="", pkcs11_token="")
    )
    with pytest.raises(CommandError, match="must name the token"):
        call_command("create_journal_key")
    assert not JournalKey.objects.exists()


def test_a_worker_without_a_key_signs_nothing_and_says_so(acme, anchors, monkeypatch):
    tell(acme.pk, 1)
    seal()
    promises.promise_checkpoint(acme.pk)
    assert "create_journal_key" in vitals_of("signing")["journal_key"]
    assert journal_key() is None
    [errand] = errands(tasks.sign_chain)
    assert work(errand, "signing").done_at
    assert checkpoints(acme) == []
    assert not anchors.exists()
    for module in (tasks, configuration):
        monkeypatch.setattr(module, "config", replace(config, journal_key_id=""))
    assert "JOURNAL_KEY_ID is not set" in vitals_of("signing")["journal_key"]


def test_a_worker_with_a_key_is_well(key):
    assert vitals_of("signing")["journal_key"] == "ok"


# --- anchors ----------------------------------------------------------------------------------------------------------


def test_every_checkpoint_is_copied_to_its_tenants_file(acme, globex, key, anchors):
    for tenant in (acme, globex, acme):
        tell(tenant.pk, 2)
        seal()
        assert promises.promise_checkpoint(tenant.pk)
        [errand] = errands(tasks.sign_chain)
        assert work(errand, "signing").done_at
    assert file_of(anchors, acme.pk).read_bytes() == b"".join(map(line_of, checkpoints(acme)))
    assert [each.sequence for each in witnesses_in(file_of(anchors, acme.pk))] == [2, 4]
    assert [each.sequence for each in witnesses_in(file_of(anchors, globex.pk))] == [2]
    with acting_for(acme.pk):
        head = chain.head()
    assert [each.head for each in witnesses_in(file_of(anchors, acme.pk))][-1] == bytes(head.digest)


def test_a_copy_that_a_dying_worker_left_out_or_half_is_added_by_the_next(acme, key, anchors):
    tell(acme.pk, 1)
    sign(acme.pk, key)  # died before the copy
    tell(acme.pk, 1)
    sign(acme.pk, key, anchors)
    path = file_of(anchors, acme.pk)
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])  # died while it wrote
    assert last_anchored(anchors, acme.pk) == 1
    tell(acme.pk, 1)
    sign(acme.pk, key, anchors)
    assert path.read_bytes() == b"".join(map(line_of, checkpoints(acme)))
    append(anchors, acme.pk, checkpoints(acme))  # again, by a second worker
    assert [each.sequence for each in witnesses_in(path)] == [1, 2, 3]


def test_a_folder_that_cannot_be_written_makes_the_errand_wait_and_loses_no_checkpoint(acme, key, anchors):
    tell(acme.pk, 1)
    seal()
    anchors.write_text("this is a file")
    promises.promise_checkpoint(acme.pk)
    [errand] = errands(tasks.sign_chain)
    done = work(errand, "signing")
    assert "anchor" in done.last_error
    assert (done.done_at, done.parked_at) == (None, None)
    anchors.unlink()
    assert work(done, "signing").done_at
    assert [each.sequence for each in witnesses_in(file_of(anchors, acme.pk))] == [1]


def test_a_line_that_is_no_checkpoint_is_said_to_be_none(tmp_path):
    (tmp_path / "anchors.jsonl").write_text('{"statement": {"sequence": 1}}\n')
    with pytest.raises(Unreadable, match="line 1 of"):
        list(witnesses_in(tmp_path / "anchors.jsonl"))


def test_the_command_finds_a_cut_end_by_the_anchors_alone(owner, acme, key, tmp_path, capsys):
    tell(acme.pk, 6)
    sign(acme.pk, key, tmp_path)
    call_command("verify_journal", "acme", anchors=tmp_path, key=[key.fingerprint])
    owner.execute("SET session_replication_role = replica")
    owner.execute("DELETE FROM audit_auditevent WHERE id IN (SELECT event_id FROM audit_auditseal WHERE sequence > 4)")
    owner.execute("DELETE FROM audit_auditseal WHERE tenant_id = %s AND sequence > 4", [str(acme.pk)])
    owner.execute("DELETE FROM audit_auditcheckpoint")
    call_command("verify_journal", "acme")
    with pytest.raises(CommandError, match="of 1 tenant"):
        call_command("verify_journal", "acme", anchors=tmp_path)
    assert capsys.readouterr().out.splitlines() == [
        "acme: 6 rows, all as written, signed up to row 6, 1 anchors agree",
        "acme: 4 rows, all as written, not signed",
        "acme: row 5: is cut off: a checkpoint was signed for rows up to 6",
    ]


def test_the_command_says_what_is_wrong_with_its_anchors(acme, tmp_path):
    with pytest.raises(CommandError, match="There is no folder"):
        call_command("verify_journal", "acme", anchors=tmp_path / "none")
    file_of(tmp_path, acme.pk).write_text("nonsense\n")
    with pytest.raises(CommandError, match="acme: line 1"):
        call_command("verify_journal", "acme", anchors=tmp_path)


# --- what the relay promises ------------------------------------------------------------------------------------------


@pytest.fixture
def ticking(monkeypatch):
    """A clock of the relay's that a test can turn."""
    now = [1000.0]
    monkeypatch.setattr(rounds.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def by_day():
    """Before the nightly verification is due."""
    with clock.frozen(datetime(2026, 11, 21, 1, 0, tzinfo=UTC)):
        yield


def test_the_relay_promises_a_checkpoint_after_five_minutes_or_a_thousand_rows(acme, globex, ticking, by_day):
    with serving("relay"):
        relay = Rounds()
        relay.go({})  # nothing is sealed yet, so its look around promises nothing
        assert errands(tasks.sign_chain) == []
    tell(acme.pk, 1)
    tell(globex.pk, 1)
    seal()
    with serving("relay"):
        relay.go({acme.pk: 1})
        ticking[0] += SIGN_EVERY - 1
        relay.go({})
        assert errands(tasks.sign_chain) == []
        relay.go({globex.pk: SIGN_AFTER})
        assert [each.tenant_id for each in errands(tasks.sign_chain)] == [globex.pk]
        ticking[0] += 1
        relay.go({})
        assert [each.tenant_id for each in errands(tasks.sign_chain)] == [globex.pk, acme.pk]
        ticking[0] += SIGN_EVERY
        relay.go({acme.pk: SIGN_AFTER})
        assert len(errands(tasks.sign_chain)) == 2  # promised already


def test_a_relay_that_was_away_promises_what_waits_at_its_start(acme, key, ticking, by_day):
    tell(acme.pk, 1)
    seal()
    with serving("relay"):
        Rounds().go({})
    assert {each.tenant_id for each in errands(tasks.sign_chain)} == {acme.pk, PLATFORM}  # the key was entered there
    [errand] = [each for each in errands(tasks.sign_chain) if each.tenant_id == acme.pk]
    assert work(errand, "signing").done_at
    with serving("relay"):
        Rounds().go({})
    assert {each.tenant_id for each in errands(tasks.sign_chain)} == {PLATFORM}


def test_every_night_every_chain_is_verified_once(acme, globex, ticking):
    tell(acme.pk, 3)
    seal()
    night = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
    with serving("relay"):
        relay = Rounds()
        with clock.frozen(night - timedelta(seconds=1)):
            relay.go({})
        assert errands(tasks.verify_chain) == []
        with clock.frozen(night):
            relay.go({})
            relay.go({})
            Rounds().go({})  # another relay, or the same one started again
        promised = errands(tasks.verify_chain)
        assert {each.tenant_id for each in promised} == {acme.pk, globex.pk, PLATFORM}
        assert len(promised) == 3
    for errand in promised:
        assert work(errand, "messages").done_at
    with acting_for(acme.pk):
        line = AuditEvent.objects.get(code="journal:verify")
    assert (line.actor, line.subject) == ("relay:nightly", str(acme.pk))
    assert (line.facts["intact"], line.facts["rows"]) == (True, 3)


# --- verification as an errand ----------------------------------------------------------------------------------------


def test_a_long_chain_is_walked_piece_by_piece(acme, key, monkeypatch):
    monkeypatch.setattr(chain, "PAGE", 4)
    monkeypatch.setattr(tasks, "PAGES", 2)
    for count in (5, 9, 6):
        tell(acme.pk, count)
        sign(acme.pk, key)
    with acting_for(acme.pk):
        promises.ask_for_verification(by="test")
    reached = []
    while waiting := errands(tasks.verify_chain):
        [errand] = waiting
        reached.append(errand.args[1])
        assert work(errand, "messages").done_at
    assert reached == ["0", "8", "16"]
    with acting_for(acme.pk):
        line = AuditEvent.objects.get(code="journal:verify")
    told = {name: line.facts[name] for name in ("intact", "rows", "checkpoints", "signed_to")}
    assert told == {"intact": True, "rows": 20, "checkpoints": 3, "signed_to": 20}


@pytest.mark.parametrize("row", [1, 8, 9, 20])
def test_wherever_it_was_changed_a_piece_finds_it_writes_it_down_and_alarms_the_operators(
    owner, acme, key, monkeypatch, row
):
    monkeypatch.setattr(chain, "PAGE", 4)
    monkeypatch.setattr(tasks, "PAGES", 2)
    tell(acme.pk, 20)
    sign(acme.pk, key)
    owner.execute("SET session_replication_role = replica")
    owner.execute(
        "UPDATE audit_auditevent SET actor = 'x' WHERE id ="
        " (SELECT event_id FROM audit_auditseal WHERE tenant_id = %s AND sequence = %s)",
        [str(acme.pk), row],
    )
    with acting_for(acme.pk):
        promises.ask_for_verification(by="test")
    while running := [errand for errand in errands(tasks.verify_chain) if errand.parked_at is None]:
        work(running[0], "messages")
    [parked] = errands(tasks.verify_chain)
    assert f"row {row}" in parked.last_error
    assert "does not say what was written" in parked.last_error
    with acting_for(acme.pk):
        line = AuditEvent.objects.get(code="journal:verify")
        assert not promises.ask_for_verification(by="test")  # the alarm stands until an operator has looked
    assert (line.facts["intact"], line.facts["row"]) == (False, row)


def test_a_token_that_is_away_makes_the_errand_wait(acme, key, monkeypatch):
    tell(acme.pk, 1)
    seal()
    promises.promise_checkpoint(acme.pk)
    monkeypatch.setattr(
        tasks, "token_at", lambda module, _label, pin: token_at(module, "a token that is not there", pin)
    )
    [errand] = errands(tasks.sign_chain)
    for _round in range(30):  # more than it has tries
        done = work(errand, "signing")
    assert (done.done_at, done.parked_at, done.tries) == (None, None, 0)
    assert done.last_error.startswith("WorldAway")
    assert tasks.sign_chain.name in not_ready("signing")  # it is not even taken up while the token rests
    assert checkpoints(acme) == []
    monkeypatch.undo()
    assert tasks.sign_chain.name not in not_ready("signing")
    assert work(done, "signing").done_at
    assert len(checkpoints(acme)) == 1
