"""A request from its beginning to its certificate, by a program."""

import re
from uuid import uuid4

import pytest
from django import forms
from django.core import mail

from auth2fa import challenges
from auth2fa.protocol import Person
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.states import State
from lifecycle.wizards.api.showing import NOT_FOR_PROGRAMS
from lifecycle.wizards.api.steps import ANSWERS
from lifecycle.wizards.identity import SUBJECT_FIELDS
from lifecycle.wizards.steps import STEPS
from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.context import acting_for
from tests.api.doors import refused, stands
from tests.rows import everything
from tests.world import (
    ask_for_codes,
    at_domains,
    begun,
    carry_out,
    csr,
    filled,
    forbid,
    issued,
    next_policies,
    permit,
    prove,
)

pytestmark = pytest.mark.django_db


def settled(petra, begun):
    """Answer every step of a rekey as a program would: reading what is asked, and sending what it has."""
    path = f"requests/{begun['id']}"
    while slug := begun["open_step"]:
        step = petra.get(f"{path}/steps/{slug}")
        values = {field["name"]: field["value"] for field in step["fields"] if not field["locked"]}
        wishes = {"csr": csr(), "use_case": "changed", "message": "", "consent": True}
        answer = {name: wishes.get(name, value) for name, value in values.items()}
        begun = petra.put(f"{path}/steps/{slug}", answer)
    return begun


def test_a_program_rekeys_a_certificate(program, acme, petra):
    source = issued(petra, acme)
    calls = program(petra)
    [seen] = calls.get("certificates")["results"]
    assert seen["id"] == str(source.pk)
    draft = settled(calls, calls.post("requests", {"kind": "rekey", "certificate": seen["id"]}))
    assert {step["status"] for step in draft["steps"]} == {"settled"}
    wanted = calls.post(f"requests/{draft['id']}/submission")
    assert wanted["state"] == "ready"
    with acting_for(acme.pk):
        request = CertificateRequest.objects.get(pk=wanted["id"])
    carry_out(request)
    done = calls.get(f"requests/{wanted['id']}")
    assert done["state"] == "completed"
    new = calls.get(f"certificates/{done['certificate']}")
    assert (new["predecessor"], new["not_after"]) == (seen["id"], seen["not_after"])
    assert new["spki_sha256"] != seen["spki_sha256"]
    pem = calls.call("GET", f"certificates/{new['id']}/files/pem")
    assert pem["Content-Type"] == "application/pem-certificate-chain"
    assert pem.content.startswith(b"-----BEGIN CERTIFICATE-----")
    with acting_for(acme.pk):
        told = AuditEvent.objects.get(code="request:submit", subject=wanted["id"])
    assert told.facts["through_token"] == calls.secret[:12]


def test_the_second_factor_is_asked_of_programs_too(program, acme, petra):
    source = issued(petra, acme)
    ask_for_codes(acme)
    calls = program(petra)
    draft = settled(calls, calls.post("requests", {"kind": "rekey", "certificate": str(source.pk)}))
    assert draft["factor"] == "email-code"
    path = f"requests/{draft['id']}"
    early = calls.call("POST", f"{path}/submission", {})
    assert (early.status_code, early.json()["code"]) == (409, "code-wanted")
    asked = calls.post(f"{path}/confirmation")["confirmation"]
    assert asked["tries_left"] == 5
    assert petra.email not in asked["sent_to"]
    wrong = calls.call("POST", f"{path}/submission", {"code": "000000"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "wrong-answer")
    [code] = re.findall(r"^ {4}(\d+)\r?$", str(mail.outbox[-1].body), re.MULTILINE)
    assert calls.post(f"{path}/submission", {"code": code})["state"] == "ready"
    again = calls.post(f"{path}/submission", {"code": code})
    assert again["state"] == "ready"  # what is submitted stays as it is


def test_a_code_that_was_taken_by_a_process_that_died_before_it_submitted_still_counts(program, acme, petra, owner):
    source = issued(petra, acme)
    ask_for_codes(acme)
    calls = program(petra)
    draft = settled(calls, calls.post("requests", {"kind": "rekey", "certificate": str(source.pk)}))
    path = f"requests/{draft['id']}"
    calls.post(f"{path}/confirmation")
    [code] = re.findall(r"^ {4}(\d+)\r?$", str(mail.outbox[-1].body), re.MULTILINE)
    with acting_for(acme.pk):
        question = CertificateRequest.objects.get(pk=draft["id"]).challenge
    challenges.answer(question, Person(id=petra.pk, name=petra.name, email=petra.email), {"code": code})
    assert calls.get(path)["state"] == "draft"
    assert calls.post(f"{path}/submission", {"code": code})["state"] == "ready"
    owner.execute("SELECT count(*) FROM auth2fa_challenge WHERE spent_at IS NOT NULL")
    assert owner.fetchall() == [(1,)]


def test_a_code_that_was_taken_is_good_for_nothing_but_its_deed(program, acme, petra, dan, owner):
    source = issued(petra, acme)
    ask_for_codes(acme)
    calls = program(petra)
    draft = settled(calls, calls.post("requests", {"kind": "rekey", "certificate": str(source.pk)}))
    path = f"requests/{draft['id']}"
    calls.post(f"{path}/confirmation")
    [code] = re.findall(r"^ {4}(\d+)\r?$", str(mail.outbox[-1].body), re.MULTILINE)
    with acting_for(acme.pk):
        question = CertificateRequest.objects.get(pk=draft["id"]).challenge
    challenges.answer(question, Person(id=petra.pk, name=petra.name, email=petra.email), {"code": code})
    calls.put(f"{path}/steps/key", {"csr": csr()})
    settled(calls, calls.get(path))
    before = everything(owner, but={"access_apitoken"})
    refused = calls.call("POST", f"{path}/submission", {"code": code})
    assert (refused.status_code, refused.json()["code"]) == (409, "challenge-over")
    assert everything(owner, but={"access_apitoken"}) == before
    with acting_for(acme.pk):
        assert CertificateRequest.objects.get(pk=draft["id"]).state == State.DRAFT


def test_a_first_certificate_is_asked_for_by_its_profile(program, acme, petra):
    calls = program(petra)
    draft = calls.post("requests", {"kind": "issue", "profile": "desktop-signing"})
    assert draft["open_step"] == draft["steps"][0]["slug"]
    assert draft["predecessor"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "rekey"},
        {"kind": "issue"},
        {"kind": "issue", "certificate": str(uuid4())},
        {"kind": "rekey", "certificate": "x"},
        {"kind": "steal", "profile": "desktop-signing"},
        {"kind": "issue", "profile": "desktop-signing", "owner": "me"},
        [],
        {},
    ],
)
def test_what_begins_nothing_is_told_place_by_place(program, acme, petra, body):
    answer = program(petra).call("POST", "requests", body)
    assert answer.status_code == 422
    assert answer.json()["errors"]
    with acting_for(acme.pk):
        assert not CertificateRequest.objects.exists()


def test_steps_are_answered_in_their_order(program, acme, petra):
    source = issued(petra, acme)
    calls = program(petra)
    draft = calls.post("requests", {"kind": "rekey", "certificate": str(source.pk)})
    early = calls.call("PUT", f"requests/{draft['id']}/steps/confirm", {"seen": "x", "consent": True})
    assert (early.status_code, early.json()["code"]) == (409, "step-is-ahead")
    unfinished = calls.call("POST", f"requests/{draft['id']}/submission", {})
    assert (unfinished.status_code, unfinished.json()["code"]) == (409, "steps-open")
    nothing = calls.call("GET", f"requests/{draft['id']}/steps/nonsense")
    assert nothing.status_code == 404


def test_a_draft_is_somebodys_own(program, acme, globex, petra, dan, wei, hank):
    draft = begun(petra, acme)
    for person, tenant in ((dan, acme), (hank, globex)):
        calls = program(person, tenant=tenant)
        for answer in (
            calls.call("GET", f"requests/{draft.pk}"),
            calls.call("PUT", f"requests/{draft.pk}/steps/key", {"csr": csr()}),
            calls.call("POST", f"requests/{draft.pk}/withdrawal", {}),
        ):
            gone = calls.call("GET", f"requests/{uuid4()}")
            assert (answer.status_code, answer.json()["code"]) == (404, gone.json()["code"])
    reads = program(wei)
    assert reads.get(f"requests/{draft.pk}")["steps"] == []  # a reviewer reads, and is not asked
    with acting_for(acme.pk):
        assert CertificateRequest.objects.get(pk=draft.pk).state == State.DRAFT


def test_reviewers_decide_through_the_api(program, acme, petra, wei):
    source = issued(petra, acme)
    next_policies(acme, approvals=1)
    calls, reviews = program(petra), program(wei)
    draft = settled(calls, calls.post("requests", {"kind": "rekey", "certificate": str(source.pk)}))
    wanted = calls.post(f"requests/{draft['id']}/submission")
    assert (wanted["state"], wanted["approvals"]) == ("in review", {"given": 0, "needed": 1})
    path = f"requests/{wanted['id']}/reviews"
    assert calls.call("POST", path, {"verdict": "approve"}).json()["code"] == "may-not"
    assert reviews.call("POST", path, {"verdict": "reject"}).json()["code"] == "comment-needed"
    deeds = {each["deed"]: each["why_not"] for each in reviews.get(f"requests/{wanted['id']}")["may"]}
    assert deeds == {"approve": "", "reject": ""}
    assert reviews.post(path, {"verdict": "approve"})["state"] == "ready"


def test_withdrawing_is_done_once_whatever_is_sent_again(program, acme, petra):
    draft = begun(petra, acme)
    calls = program(petra)
    key = {"Idempotency-Key": "once"}
    first = calls.call("POST", f"requests/{draft.pk}/withdrawal", {}, **key)
    again = calls.call("POST", f"requests/{draft.pk}/withdrawal", {}, **key)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert again["Idempotency-Replayed"] == "true"
    anew = calls.call("POST", f"requests/{draft.pk}/withdrawal", {})
    assert anew.status_code == 409
    with acting_for(acme.pk):
        assert AuditEvent.objects.filter(code="request:withdraw").count() == 1


def test_names_are_looked_up_and_told_with_the_record_to_publish(program, acme, petra):
    draft = at_domains(petra, acme, "www.acme.example")
    calls = program(petra)
    step = calls.get(f"requests/{draft.pk}/steps/domains")
    assert [row["state"] for row in step["domains"]] == ["unverified"]
    for names in ([], ["other.example"]):
        refused = calls.call("POST", f"requests/{draft.pk}/domain-checks", {"names": names})
        assert refused.status_code == 422
    [row] = calls.get(f"requests/{draft.pk}/steps/domains")["domains"]
    assert row["state"] == "unverified"
    calls.post(f"requests/{draft.pk}/domain-checks")
    [row] = calls.get(f"requests/{draft.pk}/steps/domains")["domains"]
    assert row["state"] == "verifying"
    permit(draft)
    assert calls.put(f"requests/{draft.pk}/steps/domains", {})["open_step"] == "confirm"


def test_what_is_proven_of_each_name_is_told_with_the_domains_that_would_prove_it(program, acme, petra):
    next_policies(acme, proves_control=True, corroborates=True)
    draft = at_domains(petra, acme, "www.acme.example")
    calls = program(petra)
    [row] = calls.get(f"requests/{draft.pk}/steps/domains")["domains"]
    assert (row["ready"], row["state"], row["control"]["proven"]) == (False, "unverified", False)
    assert row["control"]["ways"] == [
        {"domain": "acme.example", "id": None},
        {"domain": "www.acme.example", "id": None},
    ]
    calls.post(f"requests/{draft.pk}/domain-checks")
    [row] = calls.get(f"requests/{draft.pk}/steps/domains")["domains"]
    assert row["state"] == "unverified", "its records are looked at once it is proven"
    proof = prove(acme, "acme.example", by=petra)
    permit(draft)
    [row] = calls.get(f"requests/{draft.pk}/steps/domains")["domains"]
    assert (row["ready"], row["state"]) == (True, "verified")
    told = row["control"]
    assert (told["proven"], told["method"], told["domain"]) == (True, "dns-change", str(proof.domain_id))
    assert told["usable_until"] > told["proven_at"]
    five = {"agreeing": ["p0", "p1", "p2", "p3", "p4"], "dissenting": []}
    assert told["perspectives"] == row["perspectives"] == five
    assert calls.put(f"requests/{draft.pk}/steps/domains", {})["open_step"] == "confirm"


def test_a_program_goes_on_without_a_name(program, acme, petra, owner):
    names = ("a.acme.example", "b.acme.example", "c.acme.example")
    draft = at_domains(petra, acme, *names)
    forbid(draft, "b.acme.example")
    calls = program(petra)
    path = f"requests/{draft.pk}/steps/domains"
    before = stands(owner)
    for answer, code in (
        ({"leave_out": ["evil.example"]}, "invalid"),
        ({"leave_out": []}, "invalid"),
        ({"leave_out": ["b.acme.example"], "names": ["x"]}, "invalid"),
        ({"leave_out": ["a.acme.example", "evil.example"]}, "invalid"),
        ({"leave_out": list(names)}, "last-name"),
    ):
        assert refused(calls, "PUT", path, answer) == (422, code)
    assert stands(owner) == before
    told = calls.put(path, {"leave_out": ["b.acme.example"]})
    assert told["open_step"] == "confirm", "nothing is left to be done for the others, so the step is settled"
    assert [row["name"] for row in calls.get(path)["domains"]] == ["a.acme.example", "c.acme.example"]


def test_a_program_that_leaves_a_name_out_is_told_what_is_left(program, acme, petra):
    draft = at_domains(petra, acme, "a.acme.example", "b.acme.example", "c.acme.example")
    forbid(draft, "a.acme.example", "b.acme.example")
    calls = program(petra)
    told = calls.put(f"requests/{draft.pk}/steps/domains", {"leave_out": ["b.acme.example"]})
    assert told["open_step"] == "domains"
    [failed] = [row for row in calls.get(f"requests/{draft.pk}/steps/domains")["domains"] if not row["ready"]]
    assert (failed["name"], failed["why_kept"]) == ("a.acme.example", "")


def test_a_rekeys_names_stay(program, acme, petra, owner):
    source = issued(petra, acme, profile="tls-server", dns="a.acme.example\nb.acme.example")
    draft = filled(petra, acme, source=source)
    calls = program(petra)
    before = stands(owner)
    answer = {"leave_out": ["a.acme.example"]}
    assert refused(calls, "PUT", f"requests/{draft.pk}/steps/domains", answer) == (409, "names-stay")
    assert stands(owner) == before
    assert "keeps the names" in calls.get(f"requests/{draft.pk}/steps/domains")["domains"][0]["why_kept"]


def test_the_table_of_answers_is_the_forms(acme, petra):
    """A field that a form asks and the table leaves out could not be answered by a program."""
    assert set(ANSWERS) == {step.slug for step in STEPS}
    for step in STEPS:
        asked = {
            name
            for name, field in step.form.base_fields.items()
            if isinstance(field, forms.Field) and name not in NOT_FOR_PROGRAMS
        }
        told = set(ANSWERS[step.slug]().fields)
        assert asked <= told, step.slug
    assert set(ANSWERS["subject"]().fields) == set(SUBJECT_FIELDS)
