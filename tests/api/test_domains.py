"""Domains, the CAA adviser, publishing ways and the rules' calendar for programs, under the rules of the pages."""

import base64
import json

import pytest

from lifecycle.validation import proving
from lifecycle.validation.account import account_uri
from lifecycle.validation.models import ControlLook, Domain, DomainControl, PublishingWay
from lifecycle.validation.questions import Asked
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.context import acting_for
from tests.api.doors import refused, shut, stands
from tests.fakes.everywhere import PLACES, Everywhere
from tests.lifecycle.validation.proofs import added, begun, looked, proven, reread, shown, work
from tests.lifecycle.wizards.test_caa_adviser import Dns, record
from tests.lifecycle.wizards.test_caa_adviser import work as survey_work
from tests.rows import everything

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "shop.example"
KEY = base64.b64encode(b"a secret of 32 bytes, no fewer!!").decode()
UPDATES = {
    "title": "Our name server", "kind": "rfc2136", "address": "ns1.acme.example", "zone": "acme.example",
    "key_name": "portal.acme", "algorithm": "hmac-sha256", "secret": KEY,
}  # fmt: skip
ADVISED = "a.www.acme.example"
NOBODYS = "019ab0d4-6f2e-7c3a-9d51-8e4b6a2f1c70"


@pytest.fixture(autouse=True)
def _nobody_asks_for_more(monkeypatch):
    """Whether perspectives have to agree, each test says by itself."""
    monkeypatch.setattr(proving, "_needs", [])


@pytest.fixture
def calls(program, petra):
    return program(petra, "domains:manage")


@pytest.fixture
def sets_up(program, ada):
    return program(ada, "publishing:manage", "domains:manage")


def attempt_of(row):
    """The attempt that a detail tells of, as it is kept."""
    return DomainControl.objects.select_related("domain", "tenant").get(pk=row["attempt"]["id"])


def lines(tenant, code):
    with acting_for(tenant.pk):
        return list(AuditEvent.objects.filter(code=code).order_by("at", "id"))


# --- the ledger ----------------------------------------------------------------------------------------------------


def test_domains_are_listed_narrowed_and_paged(calls, acme, petra):
    proven(acme, petra, "proven.example")
    begun(acme, petra, added(acme, petra, "waiting.example"), "http-file")
    added(acme, petra, "somebody@shop.example", kind="mailbox", method="mailbox")
    rows = calls.get("domains")["results"]
    assert [(row["name"], row["kind"], row["state"]) for row in rows] == [
        ("proven.example", "dns", "proved"),
        ("somebody@shop.example", "mailbox", "new"),
        ("waiting.example", "dns", "pending"),
    ]
    assert (rows[0]["next_step"], bool(rows[0]["usable_until"]), rows[1]["usable_until"]) == ("", True, None)
    for query, names in {
        "state=proved": ["proven.example"],
        "state=attention": ["waiting.example"],
        "method=mailbox": ["somebody@shop.example"],
        "kind=dns&sort=-name": ["waiting.example", "proven.example"],
        "name=shop": ["somebody@shop.example"],
    }.items():
        assert [row["name"] for row in calls.get(f"domains?{query}")["results"]] == names, query
    found, address = [], "domains?limit=1"
    while address:
        page = calls.get(address)
        found += page["results"]
        address = page["next"]
    assert found == rows


@pytest.mark.parametrize("query", ["stat=new", "state=odd", "limit=0", "after=nonsense", "sort=size", "ends=soon"])
def test_the_list_tells_what_it_does_not_understand(calls, query):
    assert refused(calls, "GET", f"domains?{query}") == (422, "invalid")


def test_a_domain_is_added_once(calls, acme, petra, owner):
    answer = calls.call("POST", "domains", {"name": "*.Shop.example"}, **{"Idempotency-Key": "k-1"})
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert (made["name"], made["kind"], made["method"], made["state"]) == (NAME, "dns", "dns-change", "new")
    assert made["next_step"] == "Choose how to prove it."
    assert calls.get(answer["Location"]) == made
    assert [line.facts["through_token"] for line in lines(acme, "domain:add")] == [calls.secret[:12]]
    before = stands(owner)
    again = calls.call("POST", "domains", {"name": "*.Shop.example"}, **{"Idempotency-Key": "k-1"})
    assert (again.status_code, again.json()) == (201, made)
    assert refused(calls, "POST", "domains", {"name": NAME}) == (409, "domain-already-there")
    for name, status in {"com": 422, "192.0.2.1": 422, "no host": 422, "": 422, "x" * 321: 422}.items():
        assert refused(calls, "POST", "domains", {"name": name})[0] == status
    assert refused(calls, "POST", "domains", {"name": NAME, "kind": "dns"}) == (422, "invalid")
    assert stands(owner) == before


# --- proving -------------------------------------------------------------------------------------------------------


@pytest.mark.rule("1.R20")
@pytest.mark.parametrize(
    ("name", "wish", "parts"),
    [
        (
            "www.shop.example",
            {"method": "dns-change"},
            {"kind": "txt", "owner": "_portal-validation.www.shop.example", "zone": NAME,
             "within": "_portal-validation.www", "folder": "", "file": ""},
        ),
        (NAME, {"method": "dns-change", "cname": True}, {"kind": "cname", "owner": "_portal-validation.shop.example"}),
        (NAME, {"method": "dns-persist"}, {"kind": "txt", "owner": "_validation-persist.shop.example"}),
        (NAME, {"method": "http-file"}, {"kind": "file", "folder": "/.well-known/pki-validation/", "zone": ""}),
        (NAME, {"method": "constructed-email", "sent_to": "hostmaster@shop.example"},
         {"kind": "mail", "owner": "hostmaster@shop.example", "value": ""}),
        ("somebody@shop.example", {"method": "mailbox"}, {"kind": "mail", "owner": "somebody@shop.example"}),
    ],
)  # fmt: skip
def test_an_attempt_says_what_to_publish_in_parts(calls, acme, name, wish, parts):
    made = calls.post("domains", {"name": name})
    begun_one = calls.post(f"domains/{made['id']}/attempts", wish)
    attempt = begun_one["attempt"]
    told = attempt["instruction"]
    assert {part: told[part] for part in parts} == parts
    assert (begun_one["state"], begun_one["method"], attempt["method"]) == ("pending", wish["method"], wish["method"])
    assert (attempt["state"], attempt["automatic"], attempt["contacts"]) == ("pending", False, [])
    assert wish["method"] in {each["slug"] for each in begun_one["methods"]}
    with acting_for(acme.pk):
        kept = attempt_of(begun_one)
        assert (kept.asked_by, kept.sent_to) == (str(begun_one["added_by"]), wish.get("sent_to", kept.sent_to))
    match told["kind"]:
        case "file":
            assert told["owner"] == f"http://{name}{told['folder']}{told['file']}"
            assert told["value"] == kept.value
            assert kept.value not in told["owner"]
        case "txt":
            assert told["value"] in told["line"]
            assert kept.value in told["value"]
        case "cname":
            assert told["line"].endswith(f" CNAME {kept.value}.")
    if wish["method"] == "dns-persist":
        assert account_uri(acme) in told["value"]


def test_a_mailbox_is_chosen_among_those_that_the_dns_names(calls, acme, petra, owner):
    made = calls.post("domains", {"name": NAME})
    path = f"domains/{made['id']}"
    found_out = calls.post(f"{path}/attempts", {"method": "txt-email"})
    assert found_out["attempt"]["instruction"] is None
    assert "looked up" in found_out["next_step"]
    work(Everywhere({(Asked.TXT, f"_validation-contactemail.{NAME}"): [b"it@shop.example", b"ops@hoster.example"]}))
    found_out = calls.get(path)
    assert (found_out["attempt"]["reason"], found_out["attempt"]["contacts"]) == (
        "choose-contact", ["it@shop.example", "ops@hoster.example"],
    )  # fmt: skip
    before = stands(owner)
    stranger = {"method": "txt-email", "sent_to": "eve@elsewhere.example"}
    assert refused(calls, "POST", f"{path}/attempts", stranger) == (422, "invalid")
    assert stands(owner) == before
    chosen = calls.post(f"{path}/attempts", {"method": "txt-email", "sent_to": "ops@hoster.example"})
    assert chosen["attempt"]["instruction"]["owner"] == "ops@hoster.example"


@pytest.mark.parametrize(
    ("wish", "pointer"),
    [
        ({"method": "pigeon"}, "/method"),
        ({}, "/method"),
        ({"method": "mailbox"}, "/method"),
        ({"method": "dns-change", "sent_to": "admin@shop.example"}, "/sent_to"),
        ({"method": "http-file", "cname": True}, "/cname"),
        ({"method": "dns-change", "cname": "yes"}, "/cname"),
        ({"method": "constructed-email", "sent_to": "eve@shop.example"}, "/sent_to"),
        ({"method": "constructed-email", "sent_to": ""}, "/sent_to"),
        ({"method": "dns-change", "value": "mine"}, "/value"),
    ],
)
def test_what_a_method_cannot_use_is_refused_by_its_place(calls, acme, petra, owner, wish, pointer):
    domain = added(acme, petra, NAME)
    before = stands(owner)
    answer = calls.call("POST", f"domains/{domain.pk}/attempts", wish)
    assert answer.status_code == 422, answer.content
    assert pointer in {each["pointer"] for each in answer.json()["errors"]}
    assert stands(owner) == before


def test_nobody_is_flooded_with_mails_and_the_answer_says_until_when(calls, acme, petra, owner):
    domain = added(acme, petra, NAME)
    wish = {"method": "constructed-email", "sent_to": f"admin@{NAME}"}
    for _mail in range(5):
        calls.post(f"domains/{domain.pk}/attempts", wish)
    before = stands(owner)
    answer = calls.call("POST", f"domains/{domain.pk}/attempts", wish)
    assert (answer.status_code, answer.json()["code"]) == (429, "too-many-approval-mails")
    assert 86_000 < int(answer["Retry-After"]) <= 86_400
    assert stands(owner) == before


def test_an_attempt_that_is_sent_twice_begins_once(calls, acme, petra):
    domain = added(acme, petra, NAME)
    path, key = f"domains/{domain.pk}/attempts", {"Idempotency-Key": "attempt-1"}
    first = calls.call("POST", path, {"method": "dns-change"}, **key)
    assert calls.call("POST", path, {"method": "dns-change"}, **key).json() == first.json()
    with acting_for(acme.pk):
        assert DomainControl.objects.count() == 1
    assert refused(calls, "POST", path, {"method": "http-file"}, **key)[0] in {409, 422}
    calls.post(path, {"method": "dns-change"})
    with acting_for(acme.pk):
        assert sorted(DomainControl.objects.values_list("state", flat=True)) == ["failed", "pending"]


# --- looking -------------------------------------------------------------------------------------------------------


def test_a_look_is_promised_made_and_told_place_by_place(calls, acme, petra, monkeypatch):
    monkeypatch.setattr(proving, "_needs", [lambda *_args: True])
    domain = added(acme, petra, NAME)
    attempt = begun(acme, petra, domain, "dns-change")
    path = f"domains/{domain.pk}"
    answer = calls.call("POST", f"{path}/looks", {})
    assert (answer.status_code, answer.json()["state"]) == (202, "verifying")
    assert calls.get(f"{path}/looks")["results"] == []
    held = shown(attempt)
    work(Everywhere(held, there={"tokyo": {}}, places=PLACES))
    [look] = calls.get(f"{path}/looks")["results"]
    assert (look["reason"], look["attempt"], look["agreement"]) == ("seen", str(attempt.pk), "4 of 5")
    assert len(look["places"]) == 1 + len(PLACES)
    results = {place["name"]: (place["region"], place["result"], place["saw"]) for place in look["places"]}
    assert results["tokyo"] == ("APNIC", "Nothing there", [])
    assert results["lagos"] == ("AFRINIC", "As expected", [attempt.value])
    after = calls.get(path)
    assert (after["state"], after["attempt"], after["proof"]["corroborated"]) == ("proved", None, True)
    assert (after["proof"]["method"], after["proof"]["dnssec"]) == ("dns-change", "secure")
    assert after["proof"]["usable_until"] == after["usable_until"]
    assert refused(calls, "POST", f"{path}/looks", {}) == (409, "attempt-over")


def test_a_look_in_vain_says_what_is_wrong_and_from_when_to_look_again(calls, acme, petra, owner):
    domain = added(acme, petra, NAME)
    attempt = begun(acme, petra, domain, "dns-change")
    looked(acme, petra, attempt)
    work(Everywhere({(Asked.TXT, f"_portal-validation.{NAME}"): [b"another's"]}))
    path = f"domains/{domain.pk}"
    [look] = calls.get(f"{path}/looks")["results"]
    assert (look["reason"], look["found"], look["expected"]) == ("other-value", ["another's"], attempt.value)
    assert "another's" in look["sentence"]
    row = calls.get(path)
    assert (row["state"], row["attempt"]["state"], row["attempt"]["reason"]) == ("pending", "pending", "other-value")
    assert row["attempt"]["looks_again_at"]
    before = stands(owner)
    answer = calls.call("POST", f"{path}/looks", {})
    assert (answer.status_code, answer.json()["code"]) == (429, "looked-a-moment-ago")
    assert 1 <= int(answer["Retry-After"]) <= 11
    assert stands(owner) == before


def test_there_is_nothing_to_look_for_before_an_attempt_and_with_a_mail(calls, acme, petra, owner):
    domain = added(acme, petra, NAME)
    before = stands(owner)
    assert refused(calls, "POST", f"domains/{domain.pk}/looks", {}) == (409, "attempt-over")
    assert stands(owner) == before
    begun(acme, petra, domain, "constructed-email", sent_to=f"admin@{NAME}")
    before = stands(owner)
    assert refused(calls, "POST", f"domains/{domain.pk}/looks", {}) == (422, "decided-by-mail")
    assert stands(owner) == before


# --- as a whole ----------------------------------------------------------------------------------------------------


def test_a_domain_is_retired_and_taken_up_again(calls, acme, petra, owner):
    domain = proven(acme, petra, NAME)
    path = f"domains/{domain.pk}"
    assert calls.post(f"{path}/retirement")["state"] == "retired"
    before = stands(owner)
    for deed, body in {"retirement": {}, "attempts": {"method": "dns-change"}, "publishing": {"way": None}}.items():
        assert refused(calls, "POST", f"{path}/{deed}", body) == (409, "domain-retired")
    assert stands(owner) == before
    again = calls.post(f"{path}/revival")
    assert (again["state"], again["retired_at"]) == ("proved", None)
    assert [line.code for line in (*lines(acme, "domain:retire"), *lines(acme, "domain:revive"))] == [
        "domain:retire", "domain:revive",
    ]  # fmt: skip


def test_a_way_is_named_by_a_domain_and_publishes_the_next_attempt(sets_up, calls, acme, petra, owner):
    way = sets_up.post("publishing-ways", UPDATES | {"zone": NAME})
    domain = added(acme, petra, NAME)
    path = f"domains/{domain.pk}"
    assert calls.post(f"{path}/publishing", {"way": way["id"]})["publishing"] == way["id"]
    assert sets_up.get(f"publishing-ways/{way['id']}")["domains"] == 1
    assert [row["domains"] for row in sets_up.get("publishing-ways")["results"]] == [1]
    begun_one = calls.post(f"{path}/attempts", {"method": "dns-change"})
    assert (begun_one["attempt"]["automatic"], "by itself" in begun_one["next_step"]) == (True, True)
    assert calls.post(f"{path}/publishing", {"way": None})["publishing"] is None
    before = stands(owner)
    for odd in (str(domain.pk), "no id", 5, ""):
        assert refused(calls, "POST", f"{path}/publishing", {"way": odd}) == (422, "invalid")
    assert refused(calls, "POST", f"{path}/publishing", {}) == (422, "invalid")
    assert stands(owner) == before


# --- publishing ways -----------------------------------------------------------------------------------------------


def test_a_way_is_added_tried_and_retired_and_its_secret_never_comes_out(sets_up, acme, ada, owner):
    answer = sets_up.call("POST", "publishing-ways", UPDATES, **{"Idempotency-Key": "way-1"})
    assert answer.status_code == 201, answer.content
    way = answer.json()
    assert (way["address"], way["key_name"], way["made_by"]) == ("ns1.acme.example:53", "portal.acme", str(ada.pk))
    assert sets_up.call("POST", "publishing-ways", UPDATES, **{"Idempotency-Key": "way-1"}).json() == way
    path = f"publishing-ways/{way['id']}"
    assert sets_up.get(answer["Location"]) == sets_up.get(path) == way
    tried = sets_up.call("POST", f"{path}/trial", {})
    assert (tried.status_code, tried.json()["trying"]) == (202, True)
    assert sets_up.get("publishing-ways?state=used&kind=rfc2136")["results"] == [sets_up.get(path)]
    retired = sets_up.post(f"{path}/retirement")
    assert retired["retired_at"]
    for deed in ("trial", "retirement"):
        assert refused(sets_up, "POST", f"{path}/{deed}", {}) == (409, "way-retired")
    told = json.dumps([way, tried.json(), retired, sets_up.get("publishing-ways")])
    assert "secret" not in told
    for clear in (KEY, base64.b64decode(KEY).decode(), base64.b64decode(KEY).hex()):
        assert clear not in told
        assert clear not in str(everything(owner))
    with acting_for(acme.pk):
        assert PublishingWay.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"secret": ""}, "invalid"),
        ({"secret": "   "}, "invalid"),
        ({"secret": None}, "invalid"),
        ({"secret": "short"}, "not-a-tsig-key"),
        ({"kind": "pigeon"}, "invalid"),
        ({"kind": "webhook", "address": "http://hooks.acme.example/"}, "not-a-hook"),
        ({"kind": "webhook", "address": "https://hooks.acme.example/", "secret": "mine"}, "not-a-hook-secret"),
        ({"address": "ns1.acme.example:25"}, "not-a-dns-server"),
        ({"title": "x" * 81}, "invalid"),
        ({"password": "x"}, "invalid"),
    ],
)
def test_a_way_that_could_not_work_is_refused_and_not_kept(sets_up, owner, change, code):
    before = stands(owner)
    answer = sets_up.call("POST", "publishing-ways", UPDATES | change)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert stands(owner) == before
    assert KEY not in answer.content.decode()


def test_no_secret_is_made_for_a_program(sets_up, owner):
    hook = {"title": "Our hook", "kind": "webhook", "address": "https://hooks.acme.example/"}
    before = stands(owner)
    answer = sets_up.call("POST", "publishing-ways", hook)
    assert answer.status_code == 422
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [("/secret", "required")]
    assert stands(owner) == before


# --- the adviser, and the calendar ---------------------------------------------------------------------------------


@pytest.mark.rule("4.R18")
def test_a_survey_tells_the_labels_the_verdicts_and_what_others_would_mean(calls, acme, owner):
    answer = calls.call("POST", "caa-surveys", {"name": ADVISED})
    assert answer.status_code == 202, answer.content
    asked = answer.json()
    path = f"caa-surveys/{asked['id']}"
    assert (asked["answered_at"], asked["levels"], asked["verdicts"]) == (None, [], [])
    before = stands(owner)
    assert refused(calls, "POST", f"{path}/thoughts", {"records": ""}) == (409, "survey-unanswered")
    assert stands(owner) == before
    survey_work(Dns({"acme.example": (record("ca.elsewhere.example"),)}))
    told = calls.get(answer["Location"])
    assert told["id"] == asked["id"]
    assert [(each["label"], each["decides"]) for each in told["levels"]][:3] == [
        (ADVISED, False), ("www.acme.example", False), ("acme.example", True),
    ]  # fmt: skip
    [level] = [each for each in told["levels"] if each["decides"]]
    assert level["records"] == ['0 issue "ca.elsewhere.example"']
    assert told["account"] == account_uri(acme)
    [verdict] = [each for each in told["verdicts"] if each["profile"] == "TLS Server"]
    assert verdict["permitted"] is False
    assert "ca.acme.example" in verdict["publish"]
    assert told["only_ours"]
    ours = next(line for each in told["only_ours"] for line in each["records"])
    thought = calls.post(f"{path}/thoughts", {"records": verdict["publish"]})
    assert [each["permitted"] for each in thought["verdicts"] if each["profile"] == "TLS Server"] == [True]
    assert account_uri(acme) in ours
    before = stands(owner)
    odd = calls.call("POST", f"{path}/thoughts", {"records": "nonsense"})
    assert odd.status_code == 422
    assert [(each["pointer"], each["code"]) for each in odd.json()["errors"]] == [("/records", "unreadable-line")]
    assert stands(owner) == before


@pytest.mark.parametrize("name", ["", "no host", "192.0.2.1", "com", "@"])
def test_a_survey_of_what_is_no_name_is_refused(calls, owner, name):
    before = stands(owner)
    assert refused(calls, "POST", "caa-surveys", {"name": name}) == (422, "invalid")
    assert stands(owner) == before


def test_the_same_name_is_not_surveyed_twice_at_once(calls):
    first = calls.post("caa-surveys", {"name": ADVISED})
    assert calls.post("caa-surveys", {"name": ADVISED})["id"] == first["id"]


def test_what_the_rules_change_when(program, vera):
    changes = program(vera, "rules:read").get("rules-by-date")["changes"]
    assert [each["day"] for each in changes] == sorted(each["day"] for each in changes)
    assert len({each["slug"] for each in changes}) == len(changes)
    today = clock.now().date().isoformat()
    assert {each["in_force"] for each in changes if each["day"] > today} == {False}
    assert any(each["in_force"] for each in changes)
    assert not [each for each in changes if each["day"] <= today and each["reach"]]
    assert all(each["source"] and each["sentence"] for each in changes)


# --- the doors -----------------------------------------------------------------------------------------------------


def test_the_doors(program, world, acme, globex, owner, sets_up):
    petra, wei, ada, vera = (world.people[name] for name in ("petra", "wei", "ada", "vera"))
    domain = proven(acme, petra, NAME)
    attempt = begun(acme, petra, domain, "dns-change")
    way = sets_up.post("publishing-ways", UPDATES)["id"]
    survey = program(petra, "domains:read").post("caa-surveys", {"name": ADVISED})["id"]
    path, ways = f"domains/{domain.pk}", f"publishing-ways/{way}"
    reading = [("GET", each) for each in ("domains", path, f"{path}/looks", f"caa-surveys/{survey}")]
    asking = [("POST", "caa-surveys", {"name": "x.acme.example"}), ("POST", f"caa-surveys/{survey}/thoughts", {})]
    writing = [
        ("POST", "domains", {"name": "new.example"}),
        ("POST", f"{path}/attempts", {"method": "dns-change"}),
        ("POST", f"{path}/publishing", {"way": way}),
        *(("POST", f"{path}/{deed}", {}) for deed in ("looks", "retirement", "revival")),
    ]
    rules = [("GET", each) for each in ("publishing-ways", ways, "rules-by-date")]
    setting_up = [("POST", "publishing-ways", UPDATES), *(("POST", f"{ways}/{d}", {}) for d in ("trial", "retirement"))]
    everybodys = [*reading, *asking, *writing, *rules, *setting_up]
    foreign = program(vera, tenant=globex)
    foreign.tenant = "acme"
    shut(owner, foreign, everybodys, (401, "token-wanted"))
    shut(owner, program(ada, "people:read"), everybodys, (403, "token-may-not"))
    shut(owner, program(ada, "domains:read"), [*writing, *rules, *setting_up], (403, "token-may-not"))
    shut(owner, program(ada, "domains:manage"), [*rules, *setting_up], (403, "token-may-not"))
    shut(owner, program(ada, "rules:change"), [*reading, *writing, *setting_up], (403, "token-may-not"))
    shut(owner, program(petra), [*rules, *setting_up], (403, "may-not"))
    shut(owner, program(wei), [*writing, *rules, *setting_up], (403, "may-not"))
    shut(owner, program(vera), [*writing, *setting_up], (403, "may-not"))
    assert reread(attempt).state == "pending"


def test_what_belongs_to_another_tenant_is_not_there(acme, globex, vera, sets_up, owner):
    domain = added(globex, vera, NAME)
    with acting_for(globex.pk, person=vera.pk):
        assert Domain.objects.filter(pk=domain.pk).exists()
    for pk in (domain.pk, NOBODYS):
        path = f"domains/{pk}"
        doors = [
            ("GET", path),
            ("GET", f"{path}/looks"),
            ("POST", f"{path}/attempts", {"method": "dns-change"}),
            ("POST", f"{path}/publishing", {"way": None}),
            *(("POST", f"{path}/{deed}", {}) for deed in ("looks", "retirement", "revival")),
        ]
        shut(owner, sets_up, doors, (404, "not-found"))
    gone = [("GET", f"caa-surveys/{NOBODYS}"), ("GET", f"publishing-ways/{NOBODYS}")]
    gone += [("POST", f"publishing-ways/{NOBODYS}/{deed}", {}) for deed in ("trial", "retirement")]
    shut(owner, sets_up, [*gone, ("POST", f"caa-surveys/{NOBODYS}/thoughts", {"records": ""})], (404, "not-found"))
    mine = sets_up.post("domains", {"name": NAME})  # whose else it may be is not told
    assert mine["state"] == "new"
    with acting_for(acme.pk):
        assert not ControlLook.objects.exists()
