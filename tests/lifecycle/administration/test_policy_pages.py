"""Policies over HTTP: what an administrator saves is what the very next request obeys."""

import re

import pytest

from lifecycle.policies.models import Policy
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.context import acting_for
from tests.lifecycle.test_limits import public
from tests.rows import everything
from tests.web.browsing import Page, Visitor
from tests.world import begun, filled, issued, next_policies, prove

pytestmark = pytest.mark.django_db

HOME = "/t/acme/policies/desktop-signing/"
MATRIX = f"{HOME}change/"


def saved(page: Page, **answers) -> Page:
    """Fill the matrix in, look at the review, save."""
    return page.press("Review the change", **answers).press("Save policies")


def matrix(person) -> Page:
    return Visitor(person).open(MATRIX)


def answers(**settings) -> dict:
    return {name.replace("__", "-"): value for name, value in settings.items()}


# --- off and on -------------------------------------------------------------------------------------------------------


@pytest.mark.rule("0.R10")
@pytest.mark.rule("0.R11")
def test_rekey_switched_off_is_gone_from_menus_and_refused_until_it_is_switched_on_again(owner, acme, ada, petra):
    certificate = issued(petra, acme)
    draft = filled(petra, acme, source=issued(petra, acme))
    detail = f"/t/acme/certificates/{certificate.pk}/"
    visitor = Visitor(petra)
    assert "Rekey" in visitor.open(detail).text
    saved(matrix(ada), **answers(rekey__enabled=False))
    assert not [button for button in visitor.open(detail).buttons() if "Rekey" in button]
    assert "Rekey Certificate" not in visitor.open(f"{detail}action/").text
    before = everything(owner)
    direct = visitor.post("/t/acme/requests/begin/rekey/", {"certificate": str(certificate.pk)})
    since = f"has switched this operation off for this kind of certificate (since {clock.now():%Y-%m-%d})"
    assert (direct.status, since in direct.text) == (422, True)
    action = visitor.post(f"{detail}action/", {"action": "rekey", "confirmation": "on"})
    assert action.status == 422
    assert everything(owner) == before
    step = visitor.open(f"/t/acme/requests/{draft.pk}/confirm/").press("Rekey", consent=True, use_case="lost")
    assert (step.status, "switched this operation off" in step.text) == (422, True)
    with acting_for(acme.pk):
        draft.refresh_from_db()
        assert draft.is_draft
    saved(matrix(ada), **answers(rekey__enabled=True))
    begun_again = visitor.open(detail).press("Rekey")
    assert "/requests/" in begun_again.address


def test_one_finds_out_since_when_an_operation_is_off(acme, ada):
    saved(matrix(ada), **answers(rekey__enabled=False))
    saved(matrix(ada), **answers(rekey__approvals="1"))
    with acting_for(acme.pk):
        policy = Policy.objects.in_force(profile="desktop-signing", operation="rekey")
        assert (policy.version, policy.since().version, policy.since().enabled) == (3, 2, False)


# --- review -----------------------------------------------------------------------------------------------------------


def test_the_review_says_from_what_to_what_and_whom_it_reaches_and_saves_nothing(owner, acme, ada, petra):
    issued(petra, acme)
    draft = begun(petra, acme, source=issued(petra, acme))
    page = matrix(ada)
    before = everything(owner)
    review = page.press("Review the change", **answers(rekey__agreement="", rekey__factor="email-code"))
    assert everything(owner) == before
    assert "Rekey: Agreement" in review.text
    assert "Subscribers no longer promise how they keep their key." in review.text
    assert "Subscribers promise nothing about how they keep their key. (BR 9.6.3)" in review.text
    assert "2 valid certificates follow this profile." in review.text
    assert "1 draft is asked the new questions" in review.text
    assert draft.number in review.text
    back = review.press("Back to the matrix")
    assert back.value("rekey-seen") == "1"
    chosen = next(option for option in back.fields()["rekey-factor"].iter("option") if "selected" in option.attrib)
    assert chosen.get("value") == "email-code"
    off = page.press("Review the change", **answers(rekey__enabled=False))
    assert "1 draft can no longer be submitted." in off.text
    assert "2 people who can make requests lose this action." in off.text


def test_a_saved_change_is_one_version_for_each_operation_and_told_in_the_journal(owner, acme, ada):
    page = matrix(ada)
    before = everything(owner, but={"policies_policy", "audit_auditevent", "audit_unsealed"})
    done = saved(page, **answers(rekey__approvals="1", issue__longest_days="30", recover__factor="email-code"))
    assert done.address.startswith(HOME)
    assert "Saved and in force" in done.text
    assert everything(owner, but={"policies_policy", "audit_auditevent", "audit_unsealed"}) == before
    with acting_for(acme.pk):
        versions = {
            policy.operation: policy for policy in Policy.objects.filter(profile="desktop-signing", made_by=str(ada.pk))
        }
        events = list(AuditEvent.objects.filter(code="policy:change"))
    assert {name: policy.version for name, policy in versions.items()} == {"rekey": 2, "issue": 2, "recover": 1}
    assert versions["issue"].limits == {"longest_days": 30}
    assert {event.subject for event in events} == {str(policy.pk) for policy in versions.values()}
    [rekey] = [event for event in events if event.facts["operation"] == "rekey"]
    assert ('"approvals":0' in rekey.facts["before"], '"approvals":1' in rekey.facts["after"]) == (True, True)
    assert "Rekey: Approvals: None 1 approval" in done.text


def test_nothing_changed_is_nothing_saved(owner, ada, acme):
    page = matrix(ada)
    before = everything(owner)
    refused = page.press("Review the change")
    assert (refused.status, refused.complaints[0].startswith("Nothing would change")) == (422, True)
    assert everything(owner) == before


# --- two at once ------------------------------------------------------------------------------------------------------


def test_the_second_of_two_administrators_is_told_what_the_first_saved_and_loses_nothing(owner, acme, ada):
    first, second = matrix(ada), matrix(ada)
    saved(first, **answers(rekey__approvals="1"))
    before = everything(owner)
    told = second.press("Review the change", **answers(rekey__factor="email-code", issue__factor="email-code"))
    assert told.status == 409
    assert "Rekey: Approvals: None 1 approval" in told.text
    assert everything(owner) == before
    again = told.press("Review the change")
    assert "1 approval" in again.text  # what this person would take back is a change like any other
    again.press("Save policies")
    with acting_for(acme.pk):
        policy = Policy.objects.in_force(profile="desktop-signing", operation="rekey")
        assert (policy.version, policy.factor, policy.approvals) == (3, "email-code", 0)


def test_what_somebody_else_changed_and_one_left_alone_stays(acme, ada):
    first, second = matrix(ada), matrix(ada)
    saved(first, **answers(rekey__approvals="1"))
    saved(second, **answers(issue__factor="email-code"))
    with acting_for(acme.pk):
        rekey = Policy.objects.in_force(profile="desktop-signing", operation="rekey")
        issue = Policy.objects.in_force(profile="desktop-signing", operation="issue")
    assert (rekey.version, rekey.approvals, issue.version, issue.factor) == (2, 1, 2, "email-code")


# --- what is asked of names -------------------------------------------------------------------------------------------

SERVERS = "/t/acme/policies/tls-server/"


def test_control_and_perspectives_are_switched_on_reviewed_and_told_in_the_history(acme, ada, petra):
    page = (
        Visitor(ada)
        .open(f"{SERVERS}change/")
        .press("Review the change", **answers(issue__proves_control=True, issue__corroborates=True))
    )
    assert "Issue: Domain control" in page.text
    assert "Issue: Perspectives" in page.text
    assert "No domain is proven yet: every name has to be" in page.text
    done = page.press("Save policies")
    assert "Issue: Domain control: Off On" in done.text
    with acting_for(acme.pk):
        first, second = Policy.objects.filter(profile="tls-server", operation="issue").order_by("version")
    assert (first.proves_control, first.corroborates) == (False, False), "what was saved before stays off"
    assert (second.proves_control, second.corroborates, second.checks_caa) == (True, True, True)
    export = done.visitor.open("/t/acme/policies/export.csv").response.content.decode()
    [row] = [line for line in export.splitlines() if line.startswith("tls-server,issue")]
    assert row.count(",On") == len(("Domain control", "CAA check", "Perspectives"))
    draft = begun(petra, acme, profile="tls-server")
    assert Visitor(petra).open(f"/t/acme/requests/{draft.pk}/subject/").rail[4][0] == "Domain ownership"


def test_whoever_switches_control_on_reads_how_much_is_proven(acme, ada, petra):
    prove(acme, "acme.example", by=petra)
    page = Visitor(ada).open(f"{SERVERS}change/").press("Review the change", **answers(issue__proves_control=True))
    assert "1 domain is proven; names that it does not cover have to be proven" in page.text


def test_switching_it_off_says_what_is_given_up(acme, ada):
    next_policies(acme, proves_control=True, corroborates=True)
    page = (
        Visitor(ada)
        .open(f"{SERVERS}change/")
        .press("Review the change", **answers(issue__proves_control=False, issue__corroborates=False))
    )
    assert "Whoever may ask is given a certificate for any name, theirs or not." in page.text
    assert "What one network sees is believed" in page.text
    assert "(BR 3.2.2.4, S/MIME BR 3.2.2)" in page.text, "the rules of public trust are advice for private ones"


def test_perspectives_that_would_look_at_nothing_are_refused(owner, acme, ada):
    page = Visitor(ada).open(f"{SERVERS}change/")
    before = everything(owner)
    refused = page.press("Review the change", **answers(issue__checks_caa=False, issue__corroborates=True))
    assert refused.status == 422
    assert "nothing that perspectives could see" in " ".join(refused.complaints)
    assert everything(owner) == before


def test_public_trust_shows_all_three_with_a_lock(owner, acme, ada):
    public(acme)
    page = Visitor(ada).open(f"{SERVERS}change/")
    names = ("proves_control", "checks_caa", "corroborates")
    assert not {f"issue-{name}" for name in names} & set(page.fields())
    done = saved(page, **answers(issue__approvals="1"))
    assert done.status == 200
    with acting_for(acme.pk):
        policy = Policy.objects.in_force(profile="tls-server", operation="issue")
    assert all(getattr(policy, name) for name in names)


# --- bad input --------------------------------------------------------------------------------------------------------

HOSTILE = {
    "a factor nobody knows": {"rekey-factor": "carrier-pigeon"},
    "approvals below nothing": {"rekey-approvals": "-1"},
    "approvals beyond all": {"rekey-approvals": "4"},
    "more approvals than reviewers": {"rekey-approvals": "2"},
    "an agreement nobody wrote": {"rekey-agreement": "promises"},
    "CAA without names": {"issue-checks_caa": "on", "issue-agreement": "nobody"},
    "no days": {"issue-longest_days": "0"},
    "days beyond all": {"issue-longest_days": "99999999999999999999"},
    "words for a number": {"issue-tries": "many"},
    "a NUL": {"issue-tries": "1\x00", "issue-factor": "a\x00b"},
    "half a surrogate pair": {"issue-agreement": "\\ud800"},
    "a version from the future": {"rekey-seen": "99", "rekey-approvals": "1"},
    "a version that is no number": {"rekey-seen": "x" * 5000, "rekey-approvals": "1"},
    "a huge version": {"rekey-seen": "9" * 400, "rekey-approvals": "1"},
    "keys from nowhere": {"recover-enabled": "on"},
}


@pytest.mark.parametrize("bad", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("button", ["review", "save", "edit"])
def test_what_contradicts_itself_is_refused_in_words_and_nothing_is_saved(owner, ada, acme, bad, button):
    page = matrix(ada)
    good = {name: page.value(name) for name in page.fields() if name.endswith("-seen")}
    good |= {f"{name}-enabled": "on" for name in ("issue", "rekey")}
    good |= {f"{name}-agreement": "subscriber" for name in ("issue", "rekey")}
    good |= {f"{name}-approvals": "0" for name in ("issue", "rekey", "reissue", "renew", "revoke", "recover")}
    before = everything(owner)
    refused = page.visitor.post(MATRIX, {**good, **bad, button: "1"})
    assert refused.status in {200, 409, 422}
    if button != "edit":
        assert refused.status != 200
        assert refused.complaints
    assert everything(owner) == before


def test_every_complaint_comes_at_once(owner, ada, acme):
    page = matrix(ada)
    refused = page.press(
        "Review the change", **answers(rekey__approvals="3", issue__approvals="2", issue__agreement="")
    )
    assert refused.status == 422
    assert [line.split(":")[0] for line in refused.complaints] == ["Issue", "Rekey"]


def test_an_auditor_reads_and_changes_nothing(owner, vera, acme):
    visitor = Visitor(vera)
    assert "Change policies" not in visitor.open(HOME).links()
    before = everything(owner)
    assert visitor.open(MATRIX).status == 403
    assert visitor.post(MATRIX, {"save": "1"}).status == 403
    assert everything(owner) == before


def test_another_tenants_profile_is_not_there(ada, globex, acme):
    assert Visitor(ada).open("/t/acme/policies/no-such/").status == 404
    assert Visitor(ada).open("/t/globex/policies/desktop-signing/").status == 404


def test_the_export_runs_no_formula(ada, acme, owner):
    page = Visitor(ada).open("/t/acme/policies/export.csv")
    lines = page.response.content.decode().splitlines()
    assert lines[0].startswith("Profile,Operation,Version")
    assert any(line.startswith("desktop-signing,rekey,1,Allowed,None") for line in lines)
    assert not [line for line in lines if re.search(r"(^|,)[=+@]", line)]
