"""The journal read, verified and exported by programs."""

import json
import zipfile
from datetime import timedelta
from uuid import uuid4

import pytest

from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from portal.web.journal import views
from portal.web.journal.api import TAKEN_WITHIN
from tests.api.doors import refused, shut, stands
from tests.foundation.notarised import entered_key, seal, sign, tell
from tests.portal.test_journal_export import check_alone
from tests.world import begun

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def calls(program, vera):
    return program(vera)


def lines(tenant, code):
    with acting_for(tenant.pk):
        return list(AuditEvent.objects.filter(code=code).order_by("at"))


def file_of(calls, address):
    answer = calls.call("GET", address, Accept="application/zip")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    return answer, b"".join(answer.streaming_content)


def test_the_journal_is_listed_narrowed_and_paged(calls, acme, petra):
    draft = begun(petra, acme)
    told = calls.get(f"journal?about={draft.number}")["results"]
    assert [(row["code"], row["actor"], row["actor_name"]) for row in told] == [
        ("request:begin", str(petra.pk), petra.name)
    ]
    assert told[0]["said"] == f"{petra.name} began request {draft.number}"
    everything = calls.get("journal?limit=100&sort=oldest")["results"]
    assert [row["at"] for row in everything] == sorted(row["at"] for row in everything)
    first = calls.get("journal?limit=1&sort=oldest")
    assert first["results"] + calls.get(first["next"])["results"] == everything[:2]


@pytest.mark.parametrize("query", ["since=yesterday", "deed=nothing:done", "by=petra", "before=x"])
def test_the_list_tells_what_it_does_not_understand(calls, query):
    assert refused(calls, "GET", f"journal?{query}") == (422, "invalid")


def test_a_line_shows_its_place_in_the_chain(calls, acme):
    first, second = tell(acme.pk, 2)
    key = entered_key()
    assert calls.get(f"journal/{first}")["seal"] is None
    sign(acme.pk, key)
    line, other = calls.get(f"journal/{first}"), calls.get(f"journal/{second}")
    assert (line["intact"], line["after"], other["before"]) == (True, str(second), str(first))
    assert other["seal"]["previous"] == line["seal"]["digest"]
    assert line["checkpoint"]["key"] == key.fingerprint
    assert line["facts"] == {"count": 0}


def test_the_journal_is_verified_and_the_verification_is_a_line(calls, acme, vera):
    tell(acme.pk, 3)
    sign(acme.pk, entered_key())
    assert calls.get("journal/standing")["verified"] is None
    key = str(uuid4())
    first, again = (calls.call("POST", "journal/verifications", {}, **{"Idempotency-Key": key}) for _ in range(2))
    assert (first.status_code, first.json()["intact"], again.json()) == (201, True, first.json())
    [line] = lines(acme, "journal:verify")
    assert (str(line.pk), line.actor) == (first.json()["line"], str(vera.pk))
    stands = calls.get("journal/standing")
    assert (stands["verified"], stands["verifying"], stands["signed_to"]) == (first.json(), False, first.json()["rows"])


def test_a_long_journal_is_verified_by_a_worker(calls, acme, monkeypatch):
    tell(acme.pk, 3)
    seal()
    monkeypatch.setattr(views, "WALKED_AT_ONCE", 2)
    answer = calls.call("POST", "journal/verifications", {})
    assert (answer.status_code, answer.json()["verifying"]) == (202, True)
    assert Errand.objects.filter(task__endswith="verify_chain", done_at=None).count() == 1
    assert lines(acme, "journal:verify") == []


def test_a_journal_that_was_changed_is_told_of(calls, acme, owner):
    [first, _second] = tell(acme.pk, 2)
    seal()
    row = calls.get(f"journal/{first}")["seal"]["row"]
    owner.execute("SET session_replication_role = replica")
    owner.execute("UPDATE audit_auditevent SET facts = '{}' WHERE id = %s", [str(first)])
    answer = calls.post("journal/verifications")
    assert answer["intact"] is False
    assert answer["finding"].startswith(f"Row {row}:")
    assert calls.get("journal/standing")["notice"].startswith("This journal is not as it was written")
    assert calls.get(f"journal/{first}")["intact"] is False


def test_an_export_is_noted_once_and_proves_itself(calls, acme, vera, tmp_path):
    tell(acme.pk, 4)
    key = entered_key()
    sign(acme.pk, key)
    same = str(uuid4())
    first, again = (calls.call("POST", "journal/exports", {}, **{"Idempotency-Key": same}) for _ in range(2))
    assert (first.status_code, again.json(), first.json()["whole"]) == (201, first.json(), True)
    [line] = lines(acme, "journal:export")
    assert (line.actor, line.facts["through_token"]) == (str(vera.pk), calls.secret[:12])
    answer, content = file_of(calls, first["Location"])
    assert answer["ETag"].startswith('W/"')
    path = tmp_path / "journal.zip"
    path.write_bytes(content)
    ended = check_alone(tmp_path, path, "--key", key.fingerprint)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert lines(acme, "journal:export") == [line]


def test_an_extract_shows_what_was_asked_for(calls, acme, petra, tmp_path):
    tell(acme.pk, 3)
    begun(petra, acme)
    seal()
    told = calls.post("journal/exports", {"deed": "request:begin", "since": "2020-02-03"})
    assert told["whole"] is False
    path = tmp_path / "journal.zip"
    path.write_bytes(file_of(calls, told["file"])[1])
    with zipfile.ZipFile(path) as archive:
        rows = [json.loads(row) for row in archive.read("rows.jsonl").splitlines()]
        manifest = json.loads(archive.read("manifest.json"))
    assert [row["event"]["code"] for row in rows if "event" in row] == ["request:begin"]
    assert manifest["filters"] == {"deed": "request:begin", "since": "2020-02-03"}


@pytest.mark.parametrize("body", [{"deed": "nothing:done"}, {"since": "soon"}, {"sort": "oldest"}, {"who": 5}])
def test_an_export_of_nothing_known_is_not_noted(calls, owner, body):
    shut(owner, calls, [("POST", "journal/exports", body)], (422, "invalid"))


def test_a_file_is_for_whoever_asked_for_it_and_for_a_quarter_of_an_hour(calls, program, ada, acme):
    file = calls.post("journal/exports", {})["file"]
    assert refused(program(ada), "GET", file) == (404, "not-found")
    with clock.frozen(clock.now() + TAKEN_WITHIN + timedelta(seconds=1)):
        assert refused(calls, "GET", file) == (404, "export-over")
    file_of(calls, file)
    [line] = lines(acme, "journal:export")
    other = f"journal/exports/{tell(acme.pk, 1, actor=line.actor)[0]}/file"
    assert refused(calls, "GET", other) == (404, "not-found")


def test_the_doors(program, acme, globex, vera, ada, petra, hank, owner):
    [mine], [theirs] = tell(acme.pk, 1), tell(globex.pk, 1)
    every = [("GET", path) for path in ("journal", f"journal/{mine}", "journal/standing")]
    every += [("POST", path) for path in ("journal/verifications", "journal/exports")]
    foreign = program(hank, tenant=globex)
    foreign.tenant = "acme"
    shut(owner, foreign, every, (401, "token-wanted"))
    shut(owner, program(ada, "rules:read"), every, (403, "token-may-not"))
    shut(owner, program(petra), every, (403, "may-not"))
    both = program(vera)
    elsewhere = [("GET", f"journal/{pk}{rest}") for pk in (theirs, uuid4()) for rest in ("", "/file")]
    elsewhere += [("GET", f"journal/exports/{pk}/file") for pk in (theirs, mine, uuid4())]
    shut(owner, both, elsewhere, (404, "not-found"))
    before = stands(owner)
    assert both.get("journal")["results"]
    assert stands(owner) == before
