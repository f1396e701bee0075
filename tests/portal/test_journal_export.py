"""The export: made while it is read, true to the database, and judged by a program that knows no portal."""

import json
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.foundation import clock
from portal.foundation.audit import chain, check_journal
from portal.foundation.audit.export import Scope, stream
from portal.foundation.audit.models import AuditEvent, AuditSeal
from portal.foundation.outbox.models import Errand, Heartbeat
from portal.foundation.tenancy.context import acting_for, current_unit
from portal.notary import tasks
from portal.notary.anchors import file_of
from portal.web.journal import views
from tests.foundation.notarised import entered_key, seal, sign, tell
from tests.web.browsing import Visitor
from tests.world import begun, serving, signed_in

pytestmark = pytest.mark.django_db

EXPORT = "/t/acme/journal/export/"


@pytest.fixture
def key(world):
    return entered_key()


@pytest.fixture
def client_of_vera(client, vera):
    return signed_in(client, vera)


@pytest.fixture
def exported(client_of_vera, tmp_path):
    """Export as vera does; return the file."""

    def exporting(query: str = "", name: str = "journal.zip") -> Path:
        answer = client_of_vera.post(f"{EXPORT}{query}")
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
        path = tmp_path / name
        path.write_bytes(b"".join(answer.streaming_content))
        return path

    return exporting


def check_alone(tmp_path: Path, path: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the program that is in the export, in a folder of its own, by a Python that finds no Django and no portal."""
    folder = tmp_path / "elsewhere"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(path) as archive:
        archive.extract("check_journal.py", folder)
    blind = "import sys; [sys.modules.__setitem__(name, None) for name in ('django', 'portal', 'lifecycle')];"
    program = f"{blind} sys.argv = sys.argv[1:]; import runpy; runpy.run_path(sys.argv[0], run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-I", "-c", program, folder / "check_journal.py", path, *map(str, arguments)],
        cwd=folder,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )


def lines_of(path: Path, name: str) -> list[dict]:
    with zipfile.ZipFile(path) as archive:
        return [json.loads(line) for line in archive.read(name).splitlines()]


def manifest_of(path: Path) -> dict:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("manifest.json"))


# --- the whole --------------------------------------------------------------------------------------------------------


def test_the_whole_journal_is_proven_by_a_program_that_knows_no_portal(acme, petra, vera, key, exported, tmp_path):
    begun(petra, acme)
    tell(acme.pk, 5)
    sign(acme.pk, key)
    path = exported()
    ended = check_alone(tmp_path, path, "--key", key.fingerprint.upper())
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "acme: 6 rows in one chain, 6 of them shown, all as written." in ended.stdout
    assert "Signed up to row 6, in 1 checkpoints." in ended.stdout
    assert key.fingerprint in ended.stdout
    manifest = manifest_of(path)
    assert manifest["rows"] == {"all": 6, "shown": 6, "signed": 6}
    assert (manifest["scope"], manifest["made_for"], manifest["made_by"]) == ("whole", vera.name, str(vera.pk))
    with acting_for(acme.pk):
        events = list(AuditEvent.objects.exclude(code="journal:export").order_by("pk"))
        seals = list(AuditSeal.objects.order_by("sequence"))
    rows = lines_of(path, "rows.jsonl")
    assert [row["event"] for row in rows] == [event.content() for event in events]
    assert [row["digest"] for row in rows] == [bytes(each.digest).hex() for each in seals]


def test_an_export_is_itself_a_line_and_says_what_was_asked_for(acme, vera, exported):
    exported("?who=petra&deed=request:submit")
    with acting_for(acme.pk):
        [line] = AuditEvent.objects.all()
    assert (line.actor, line.code, line.subject) == (str(vera.pk), "journal:export", str(acme.pk))
    assert line.facts == {"filters": ["who=petra", "deed=request:submit"]}


def test_it_holds_nothing_of_another_tenant(acme, globex, hank, key, exported):
    begun(hank, globex)
    tell(acme.pk, 1)
    sign(globex.pk, key)
    sign(acme.pk, key)
    path = exported()
    with zipfile.ZipFile(path) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    for theirs in (str(globex.pk), str(hank.pk), "globex"):
        assert theirs.encode() not in content


def test_what_is_not_signed_yet_is_said_and_an_export_that_nothing_vouches_for_is_not_accepted(
    acme, key, exported, tmp_path
):
    tell(acme.pk, 3)
    seal()
    unsigned = check_alone(tmp_path, exported())
    assert unsigned.returncode == 1
    assert "no checkpoint vouches for any of these rows" in unsigned.stdout
    sign(acme.pk, key)
    tell(acme.pk, 2)
    seal()
    partly = check_alone(tmp_path, exported())
    assert partly.returncode == 0
    assert "are newer than the newest checkpoint: not signed yet." in partly.stdout


def test_a_fresh_checkpoint_is_asked_for_and_awaited_where_a_worker_lives(acme, key, exported, monkeypatch):
    tell(acme.pk, 3)
    seal()
    monkeypatch.setattr(views.time, "sleep", lambda _seconds: sign(acme.pk, key))
    with serving("signing"):
        Heartbeat.objects.create(worker="signing@test", service="signing", at=clock.now())
    manifest = manifest_of(exported())
    assert manifest["rows"]["signed"] == manifest["rows"]["all"] == 4  # the export's own line among them
    assert Errand.objects.filter(task=tasks.sign_chain.name).count() == 1


def test_nobody_waits_for_a_worker_that_is_not_there(acme, key, exported, monkeypatch):
    tell(acme.pk, 1)
    seal()
    monkeypatch.setattr(views.time, "sleep", lambda _seconds: pytest.fail("it waited"))
    assert manifest_of(exported())["rows"]["signed"] == 0


def test_an_export_that_cannot_be_journalled_is_not_made(owner, acme, client_of_vera):
    """F9: the file would be an effect without its line."""
    tell(acme.pk, 1)
    client_of_vera.raise_request_exception = False
    owner.execute("REVOKE INSERT ON audit_auditevent FROM portal_web")
    try:
        for deed in ("export", "verify"):
            answer = client_of_vera.post(f"/t/acme/journal/{deed}/")
            assert (answer.status_code, answer.streaming) == (500, False)
    finally:
        owner.execute("GRANT INSERT ON audit_auditevent TO portal_web")
    assert not Errand.objects.exists()
    with acting_for(acme.pk):
        assert AuditEvent.objects.count() == 1


# --- an extract -------------------------------------------------------------------------------------------------------


def test_an_extract_proves_each_row_it_shows_and_holds_no_word_of_the_others(acme, key, exported, tmp_path):
    tell(acme.pk, 4, code="test:shown")
    tell(acme.pk, 4, actor="somebody-hidden")
    sign(acme.pk, key)
    path = exported("?about=2")
    assert [row["sequence"] for row in lines_of(path, "rows.jsonl") if "event" in row] == [3, 7]
    path = exported("?who=test")
    rows = lines_of(path, "rows.jsonl")
    assert [row["sequence"] for row in rows if "event" in row] == [1, 2, 3, 4]
    with zipfile.ZipFile(path) as archive:
        assert b"somebody-hidden" not in archive.read("rows.jsonl")
    assert manifest_of(path)["scope"] == "extract"
    assert manifest_of(path)["filters"] == {"who": "test"}
    ended = check_alone(tmp_path, path)
    assert ended.returncode == 0
    assert "4 of them shown" in ended.stdout
    assert "that no other row fits it is not" in ended.stdout


def test_the_button_exports_what_the_list_shows(acme, vera, key):
    tell(acme.pk, 2)
    page = Visitor(vera).open("/t/acme/journal/?about=1")
    form = next(form for form in page.tree.findall(".//form") if "export" in form.get("action", ""))
    assert form.get("action") == f"{EXPORT}?about=1"
    assert "Export this extract" in "".join(form.itertext())


# --- what the checker finds -------------------------------------------------------------------------------------------


def altered(path: Path, name: str, change) -> Path:
    """Write the export again with the lines of one file changed, and a manifest that fits them."""
    told = manifest_of(path)
    with zipfile.ZipFile(path) as archive:
        files = {each: archive.read(each) for each in archive.namelist()}
    lines = change([json.loads(line) for line in files[name].splitlines()])
    files[name] = b"".join(check_journal.canonical(line) + b"\n" for line in lines)
    told["files"][name] = check_journal.hashlib.sha256(files[name]).hexdigest()
    rows = [json.loads(line) for line in files["rows.jsonl"].splitlines()]
    signed = [json.loads(line)["statement"]["sequence"] for line in files["checkpoints.jsonl"].splitlines()]
    told["rows"] = {"all": len(rows), "shown": sum("event" in row for row in rows), "signed": max(signed, default=0)}
    files["manifest.json"] = json.dumps(told).encode()
    other = path.with_name(f"altered-{path.name}")
    with zipfile.ZipFile(other, "w") as archive:
        for each, content in files.items():
            archive.writestr(each, content)
    return other


def _forge(rows):
    rows[2]["event"]["actor"] = "somebody-else"
    return rows


def _mend(rows):
    rows[2]["event"]["actor"] = "somebody-else"
    rows[2]["event_digest"] = check_journal.digest_of(rows[2]["event"])
    return rows


def _drop_signature(lines):
    lines[0]["signature"] = lines[1]["signature"]
    return lines


FORGERIES = {
    "an event": ("rows.jsonl", _forge, "row 3: the event does not say what was written"),
    "an event and its digest": ("rows.jsonl", _mend, "row 3: the seal does not fit its event"),
    "a row taken out": ("rows.jsonl", lambda rows: rows[:2] + rows[3:], "row 3 is missing from the chain"),
    "the end cut off": ("rows.jsonl", lambda rows: rows[:5], "row 6 is cut off"),
    "an event taken out": ("rows.jsonl", lambda rows: [{**rows[0], "event_digest": None}, *rows[1:]], "event is gone"),
    "a signature": ("checkpoints.jsonl", _drop_signature, "the checkpoint of row 4 is not what was signed"),
    "the first checkpoint": ("checkpoints.jsonl", lambda lines: lines[1:], "a checkpoint before"),
    "every checkpoint": ("checkpoints.jsonl", lambda _lines: [], "no checkpoint vouches"),
    "the key": ("keys.jsonl", lambda _lines: [], "a key that the export does not hold"),
}


@pytest.fixture
def good(acme, key, exported):
    for count in (4, 4):
        tell(acme.pk, count)
        sign(acme.pk, key)
    return exported()


@pytest.mark.parametrize("forgery", FORGERIES)
def test_whoever_alters_an_export_is_found(good, tmp_path, forgery):
    name, change, complaint = FORGERIES[forgery]
    ended = check_alone(tmp_path, altered(good, name, change))
    assert ended.returncode == 1
    assert complaint in ended.stdout
    assert ended.stdout.startswith("NOT AS WRITTEN: ")


def test_an_export_signed_by_another_key_than_the_one_that_was_named_is_refused(good, tmp_path):
    ended = check_alone(tmp_path, good, "--key", "ab" * 32)
    assert (ended.returncode, "not the one you named" in ended.stdout) == (1, True)


def test_a_chain_that_was_cut_with_its_checkpoints_is_found_by_an_older_export_and_by_anchors(
    owner, acme, key, exported, tmp_path
):
    anchors = tmp_path / "anchors"
    for count in (4, 4):
        tell(acme.pk, count)
        sign(acme.pk, key, anchors)
    older = exported(name="older.zip")
    later = clock.now() + check_journal.AT_ONCE * 2
    owner.execute("SET session_replication_role = replica")
    owner.execute("DELETE FROM audit_auditseal WHERE tenant_id = %s AND sequence > 4", [str(acme.pk)])
    owner.execute("DELETE FROM audit_auditcheckpoint WHERE sequence > 4")
    with clock.frozen(later):
        cut = exported(name="cut.zip")
    assert check_alone(tmp_path, cut).returncode == 0  # by itself it is a shorter journal
    for kept in (older, file_of(anchors, acme.pk)):
        ended = check_alone(tmp_path, cut, "--kept", kept)
        assert (ended.returncode, "row 5 is cut off" in ended.stdout) == (1, True)


def test_checkpoints_that_are_newer_than_the_export_are_not_held_against_it(acme, key, good, exported, tmp_path):
    anchors = tmp_path / "anchors"
    with clock.frozen(clock.now() + check_journal.AT_ONCE * 2):
        tell(acme.pk, 1)
        sign(acme.pk, key, anchors)
    ended = check_alone(tmp_path, good, "--kept", file_of(anchors, acme.pk))
    assert ended.returncode == 0
    assert "signed as the export was made, or later: not compared." in ended.stdout


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04"])
def test_what_is_no_export_is_unreadable_and_not_wrong(good, tmp_path, content):
    (tmp_path / "other.zip").write_bytes(content)
    with zipfile.ZipFile(good) as archive:
        program = archive.extract("check_journal.py", tmp_path)
    ended = subprocess.run(
        [sys.executable, "-I", program, tmp_path / "other.zip"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "cannot be read as an export" in ended.stderr
    assert "Traceback" not in ended.stderr


# --- large ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [4_000, 12_000])
def test_memory_does_not_grow_with_the_chain_and_no_unit_of_work_stays_open(acme, owner, rows):
    """Three times the rows, the same memory: a page of them and what is left of the file."""
    owner.execute(
        "INSERT INTO audit_auditevent (id, tenant_id, at, actor, code, subject, facts, digest)"
        " SELECT gen_random_uuid(), %s, now(), 'test', 'test:deed', n::text, '{}', sha256(n::text::bytea)"
        " FROM generate_series(1, %s) n",
        [str(acme.pk), rows],
    )
    with serving("relay"):
        owner.execute(
            "INSERT INTO audit_auditseal (id, tenant_id, sequence, event_id, previous, digest)"
            " SELECT id, tenant_id, row_number() OVER (), id, '', '' FROM audit_auditevent"
        )
    scope = Scope(acme, chain.FOREVER, clock.now(), {})
    tracemalloc.start()
    size = 0
    with CaptureQueriesContext(connection) as asked:
        for piece in stream(scope):
            size += len(piece)
            assert current_unit() is None
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > rows * 10
    assert peak < 30_000_000
    reads = [each for each in asked.captured_queries if "audit_auditseal" in each["sql"]]
    assert len(reads) == rows // chain.PAGE + 1  # one query a page, and one that finds the end
