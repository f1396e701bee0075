"""The journal's pages: read, narrowed, followed to what a line is about, verified; a tenant's and the platform's."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from lifecycle.requests.models import CertificateRequest
from portal.foundation import clock
from portal.foundation.audit.models import AuditCheckpoint, AuditEvent, AuditSeal, record
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_as, acting_for
from portal.foundation.tenancy.models import PLATFORM
from portal.notary import tasks
from portal.web.journal import views, words
from tests.foundation.notarised import entered_key, seal, sign, tell
from tests.web.browsing import Visitor
from tests.world import begun, issued, serving, signed_in

pytestmark = pytest.mark.django_db

JOURNAL = "/t/acme/journal/"


@pytest.fixture
def reader(vera) -> Visitor:
    return Visitor(vera)


def said(page) -> list[str]:
    """What the rows of a list say, in order."""
    rows = page.tree.findall(".//tbody/tr")
    return [" ".join("".join(row.find("td").itertext()).split()) for row in rows]


# --- the list ---------------------------------------------------------------------------------------------------------


def test_each_line_says_who_did_what_to_what_newest_first(acme, petra, reader):
    draft = begun(petra, acme)
    with clock.frozen(clock.now() + timedelta(hours=1)), acting_for(acme.pk):
        record(actor="worker:messages", code="notice:send", subject=draft.pk)
        record(actor=petra.pk, code="thing:nobody-has-words-for", subject="x" * 40)
    rows = said(reader.open(JOURNAL))
    assert rows == [
        "Petra Nováková: thing:nobody-has-words-for, xxxxxxxxxxxxx…",
        f"The portal itself sent a notice about request {draft.number}",
        f"Petra Nováková began request {draft.number}",
    ]


def test_a_line_leads_to_what_it_is_about(acme, petra, reader):
    certificate = issued(petra, acme)
    with acting_for(acme.pk):
        record(actor=petra.pk, code="certificate:upload", subject=certificate.pk)
    page = reader.open(JOURNAL)
    links = {a.get("href") for a in page.tree.findall(".//tbody//a")}
    assert reverse("certificate-detail", kwargs={"tenant": "acme", "pk": certificate.pk}) in links
    assert reverse("request-page", kwargs={"tenant": "acme", "pk": certificate.made_from}) in links


def test_a_page_shows_nothing_of_another_tenant_whatever_is_asked_for(acme, globex, hank, reader):
    theirs = begun(hank, globex)
    with acting_for(globex.pk):
        line = AuditEvent.objects.get(subject=str(theirs.pk))
    for query in ("", f"?about={theirs.number}", f"?about={theirs.pk}", "?who=hank@globex.example", "?words=issue"):
        page = reader.open(JOURNAL + query)
        assert said(page) == []
        assert theirs.number not in page.text.replace("To what: " + theirs.number, "")
    assert reader.open(f"{JOURNAL}{line.pk}/").status == 404


def test_it_is_empty_before_anything_happened_and_says_so(acme, reader):
    page = reader.open(JOURNAL)
    assert "Nothing has happened here yet." in page.text
    assert "No line of this journal fits the filters above." in reader.open(f"{JOURNAL}?about=x").text


def test_pages_follow_each_other_without_a_gap(acme, reader):
    tell(acme.pk, 60)
    address, seen = JOURNAL, []
    while address:
        page = reader.open(address)
        seen += [a.get("href") for a in page.tree.findall(".//tbody//a") if "/journal/" in a.get("href")]
        forward = page.tree.find(".//a[@rel='next']")
        address = JOURNAL + forward.get("href") if forward is not None else ""
    assert len(seen) == len(set(seen)) == 60


@pytest.fixture
def happenings(acme, petra, dan):
    """Lines of two people and the portal, on three days."""
    certificate = issued(petra, acme, name="Petra's Own")
    draft = begun(dan, acme)
    for days, word in ((40, "ancient"), (10, "recent")):
        with clock.frozen(clock.now() - timedelta(days=days)), acting_for(acme.pk):
            record(actor=dan.pk, code="sign-in:accept", subject=dan.pk, how=word)
    return {"certificate": certificate, "draft": draft}


def test_filters_narrow_to_what_they_say(acme, happenings, reader):
    certificate, draft = happenings["certificate"], happenings["draft"]
    with acting_for(acme.pk):
        number = CertificateRequest.objects.get(pk=certificate.made_from).number
    ten = f"{clock.now() - timedelta(days=20):%Y-%m-%d}"

    def found(query: str) -> set[str]:
        return {" ".join(row.split()) for row in said(reader.open(f"{JOURNAL}?{query}"))}

    assert found("who=Dan Král&deed=request:begin") == {f"Dan Král began request {draft.number}"}
    assert found("who=dan@acme.example&deed=request:begin") == found("who=dan&deed=request:begin")
    assert all(row.startswith(("The portal itself", "The policy")) for row in found("who=portal"))
    assert found("who=portal")
    for about in (number, number.lower(), str(certificate.made_from)):
        assert f"Petra Nováková submitted request {number}" in found(f"about={about}")
        assert not any(draft.number in row for row in found(f"about={about}"))
    assert any(number in row for row in found(f"about={certificate.serial.upper()}"))
    assert found(f"until={ten}&who=dan") == {"Dan Král signed in"}
    assert len(said(reader.open(f"{JOURNAL}?deed=sign-in:accept"))) == 2
    assert len(said(reader.open(f"{JOURNAL}?deed=sign-in:accept&since={ten}"))) == 1
    assert len(said(reader.open(f"{JOURNAL}?words=ANCIENT"))) == 1
    assert found("who=Nobody Here") == set()


def test_a_filter_that_makes_no_sense_narrows_nothing_and_says_why(happenings, reader):
    whole = said(reader.open(JOURNAL))
    page = reader.open(f"{JOURNAL}?since=yesterday&deed=nonsense")
    assert said(page) == whole
    assert "Enter a valid date." in page.text


def test_oldest_first_is_the_same_the_other_way_round(happenings, reader):
    newest, oldest = said(reader.open(JOURNAL)), said(reader.open(f"{JOURNAL}?sort=oldest"))
    assert oldest == newest[::-1]
    assert oldest[0] == "Dan Král signed in"


def test_every_sentence_has_room_for_who_and_what():
    for code, sentence in words.SENTENCES.items():
        assert re.findall(r"\{(\w+)\}", str(sentence)) in (["who", "what"], ["who"]), code
        assert "Ada" in words.sentence(code, "Ada", "a thing")


def test_what_people_typed_is_never_markup(acme, ada, reader):
    with acting_for(acme.pk):
        record(actor="<b>x</b>", code="request:begin", subject="<i>y</i>", note="<script>alert(1)</script>")
        line = AuditEvent.objects.get()
    for address in (JOURNAL, f"{JOURNAL}{line.pk}/"):
        content = reader.open(address).response.content.decode()
        assert "<i>y" not in content
        assert "<b>x" not in content
        assert "<script>alert" not in content


# --- one line ---------------------------------------------------------------------------------------------------------


def test_a_line_shows_all_it_says_its_seal_its_neighbours_and_the_checkpoint_that_covers_it(acme, world, reader):
    events = tell(acme.pk, 4)
    key = entered_key()
    sign(acme.pk, key)
    with acting_for(acme.pk):
        event, seal_ = AuditEvent.objects.get(pk=events[1]), AuditSeal.objects.get(sequence=2)
    page = reader.open(f"{JOURNAL}{events[1]}/")
    for shown in (bytes(event.digest).hex(), bytes(seal_.digest).hex(), bytes(seal_.previous).hex(), key.fingerprint):
        assert shown in page.text
    assert '"count": 1' in page.text
    assert "by the checkpoint of row 4" in page.text
    assert page.tree.find(".//a[@rel='prev']").get("href") == f"{JOURNAL}{events[0]}/"
    assert page.tree.find(".//a[@rel='next']").get("href") == f"{JOURNAL}{events[2]}/"


def test_a_line_that_is_not_sealed_or_not_signed_yet_says_so(acme, reader):
    [event] = tell(acme.pk, 1)
    assert "Waits for its seal" in reader.open(f"{JOURNAL}{event}/").text
    seal()
    assert "Not yet; within five minutes" in reader.open(f"{JOURNAL}{event}/").text


def test_a_line_that_was_changed_says_so_itself(owner, acme, reader):
    [event] = tell(acme.pk, 1)
    assert "This line was changed" not in reader.open(f"{JOURNAL}{event}/").text
    owner.execute("SET session_replication_role = replica")
    owner.execute("UPDATE audit_auditevent SET actor = 'x' WHERE id = %s", [str(event)])
    assert "This line was changed" in reader.open(f"{JOURNAL}{event}/").text


# --- verify -----------------------------------------------------------------------------------------------------------


def verifications(tenant_id) -> list[AuditEvent]:
    with acting_for(tenant_id):
        return list(AuditEvent.objects.filter(code="journal:verify").order_by("pk"))


def test_verifying_says_what_was_walked_and_is_itself_a_line(acme, vera, world, reader):
    tell(acme.pk, 3)
    sign(acme.pk, entered_key())
    page = reader.open(JOURNAL).press("Verify")
    assert re.search(r"3 rows as written, 1 checkpoint, \d+\.\d seconds", page.text)
    [line] = verifications(acme.pk)
    assert (line.actor, line.facts["intact"], line.facts["rows"], line.facts["signed_to"]) == (str(vera.pk), True, 3, 3)
    with acting_for(acme.pk):
        assert line.facts["head"] == bytes(AuditSeal.objects.get(sequence=3).digest).hex()
    assert "As written" in page.text


def test_a_changed_journal_is_said_first_and_alarms_the_operators(owner, acme, world, reader):
    tell(acme.pk, 3)
    sign(acme.pk, entered_key())
    owner.execute("SET session_replication_role = replica")
    owner.execute(
        "UPDATE audit_auditevent SET facts = '{}' WHERE id = (SELECT event_id FROM audit_auditseal WHERE sequence = 2"
        " AND tenant_id = %s)",
        [str(acme.pk)],
    )
    page = reader.open(JOURNAL).press("Verify")
    assert "This journal is not as it was written" in page.text
    assert "Row 2: the event does not say what was written." in page.text
    [errand] = Errand.objects.filter(task=tasks.verify_chain.name)
    with serving("messages"):
        run(errand)
    errand.refresh_from_db()
    assert errand.parked_at


def test_a_long_chain_is_verified_by_a_worker_and_the_page_shows_how_far_it_is(acme, world, reader, monkeypatch):
    monkeypatch.setattr(views, "WALKED_AT_ONCE", 4)
    monkeypatch.setattr(tasks, "PAGES", 1)
    monkeypatch.setattr("portal.foundation.audit.chain.PAGE", 3)
    tell(acme.pk, 5)
    seal()
    page = reader.open(JOURNAL).press("Verify")
    assert "It is being verified: 0 of 5 rows so far." in page.text
    assert verifications(acme.pk) == []
    for shown in ("3 of 5 rows so far", "5 of 5 rows so far", "5 rows as written"):
        [errand] = Errand.objects.filter(task=tasks.verify_chain.name, done_at=None)
        with serving("messages"):
            run(errand)
        assert shown in reader.open(JOURNAL).text
    assert len(verifications(acme.pk)) == 1


def test_the_page_says_plainly_that_nothing_is_signed_without_a_key(acme, world, reader):
    tell(acme.pk, 1)
    seal()
    assert "Checkpoints are not signed" in reader.open(JOURNAL).text
    key = entered_key()
    assert "Checkpoints are not signed" not in reader.open(JOURNAL).text
    with clock.frozen(clock.now() + timedelta(minutes=20)):
        assert "The newest lines are not signed yet" in reader.open(JOURNAL).text
    sign(acme.pk, key)
    page = reader.open(JOURNAL)
    assert "All of them" in page.text
    assert "not signed" not in page.text


# --- the platform's ---------------------------------------------------------------------------------------------------


def test_operators_read_and_verify_the_platforms_journal_at_an_address_of_its_own(world, acme, petra, olu):
    tell(acme.pk, 2)
    with acting_as(petra.pk):
        record(actor=petra.pk, code="sign-in:accept", subject=petra.pk)
    seal()
    page = Visitor(olu).open("/platform/journal/")
    assert said(page) == ["Petra Nováková signed in"]
    page = page.press("Verify")
    assert "1 row as written" in page.text
    assert [line.actor for line in verifications(PLATFORM)] == [str(olu.pk)]
    assert verifications(acme.pk) == []
    with acting_for(PLATFORM):
        line = AuditEvent.objects.get(code="sign-in:accept")
    assert Visitor(olu).open(f"/platform/journal/{line.pk}/").status == 200


def test_nobody_without_the_right_verifies_or_exports(owner, acme, globex, world):
    tell(acme.pk, 1)
    owner.execute("SELECT count(*) FROM audit_auditevent")
    before = owner.fetchone()
    for short in ("petra", "wei", "jonas", "hank", "olu"):
        client = signed_in(Client(), world.people[short])
        for deed in ("verify", "export"):
            assert client.post(f"{JOURNAL}{deed}/").status_code in {403, 404}
            if short != "olu":
                assert client.post(f"/platform/journal/{deed}/").status_code == 404
    owner.execute("SELECT count(*) FROM audit_auditevent")
    assert owner.fetchone() == before
    assert not Errand.objects.exists()
    with acting_for(acme.pk):
        assert not AuditCheckpoint.objects.exists()
