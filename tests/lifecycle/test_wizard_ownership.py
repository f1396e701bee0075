"""“Domain ownership” where control has to be proven: what is known of each name, proving it, going on without it."""

from datetime import timedelta

import pytest

from lifecycle.certificates.models import Certificate
from lifecycle.requests.models import CertificateRequest
from lifecycle.validation import control
from lifecycle.validation.caa import Reason
from lifecycle.validation.models import CaaCheck, Domain, DomainControl
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.context import acting_for
from tests.fakes.zone import Zone
from tests.lifecycle.test_wizard_domains import fill_and_submit, step
from tests.web.browsing import Visitor, nothing_happens, said
from tests.world import (
    at_domains,
    carry_out,
    forbid,
    issued,
    look,
    next_policies,
    permit,
    prove,
    see,
)

pytestmark = pytest.mark.django_db

NAMES = ("api.acme.example", "shop.acme.example", "www.acme.example")


@pytest.fixture
def strict(acme):
    next_policies(acme, proves_control=True)
    return acme


def stored(draft):
    with acting_for(draft.tenant_id):
        return CertificateRequest.objects.select_related("profile", "policy", "predecessor").get(pk=draft.pk)


def rows(page):
    """Each name's chips, in the order of the page."""
    found = {}
    for panel in page.having_class("domain"):
        [heading] = panel.iter("h2")
        found[said(heading)] = [
            said(each) for each in panel.iter("span") if "chip" in (each.get("class") or "").split()
        ]
    return found


def shut(page, form):
    """The buttons of *form* that do nothing now, each with the reason it names."""
    told = {element.get("id"): said(element) for element in page.tree.iter() if element.get("id")}
    return {
        said(button): told[button.get("aria-describedby")]
        for button in page.all("button")
        if button.get("aria-disabled") == "true" and button.get("form") == form
    }


def known(tenant):
    """Everything that is known of names: what must not be touched by what is done with another one."""
    with acting_for(tenant.pk):
        looks = set(CaaCheck.objects.values_list("name", "state", "checked_at"))
        return looks | set(DomainControl.objects.values_list("domain__name", "state", "proved_at"))


@pytest.mark.rule("1.R20")
def test_control_comes_first_then_the_records(petra, strict, owner):
    draft = at_domains(petra, strict, *NAMES)
    visitor = Visitor(petra)

    page = visitor.open(step(draft, "domains"))
    assert rows(page) == {name: ["Not proven", "Unverified"] for name in NAMES}
    assert "Opens when every name is proven and permitted: 3 are not, of 3." in page.text
    assert "Verify" not in page.buttons(), "there is nothing to verify before control is proven"
    with nothing_happens(owner):
        assert page.press("Next").status == 422
        visitor.post(f"/t/acme/requests/{draft.pk}/domains/verify/", {})
        visitor.post(f"/t/acme/requests/{draft.pk}/domains/verify/", {"name": NAMES[0]})
        assert visitor.open(step(draft, "confirm")).address == step(draft, "domains")

    prove(strict, "shop.acme.example", by=petra)
    page = visitor.open(step(draft, "domains")).press("Verify")
    assert rows(page) == {
        "api.acme.example": ["Not proven", "Unverified"],
        "shop.acme.example": ["Proven", "Verifying"],
        "www.acme.example": ["Not proven", "Unverified"],
    }
    prove(strict, "acme.example", by=petra)
    permit(draft)
    page = visitor.open(step(draft, "domains"))
    assert rows(page) == {name: ["Proven", "Verified"] for name in NAMES}
    assert "through acme.example (DNS record); it counts until" in page.text
    page = page.press("Next")
    assert page.rail[5] == ("Check and confirm", "current")
    assert carry_out(stored(fill_and_submit(draft, petra))).state == "completed"


@pytest.mark.rule("1.R20")
@pytest.mark.parametrize("domain", ["acme.example", "www.acme.example"])
def test_one_press_puts_the_domain_into_the_ledger_and_opens_its_page_which_leads_back(petra, strict, domain):
    draft = at_domains(petra, strict, "www.acme.example")
    page = Visitor(petra).open(step(draft, "domains"))

    page = page.press(f"Prove {domain}")

    with acting_for(strict.pk):
        [added] = Domain.objects.all()
        [line] = AuditEvent.objects.filter(code="domain:add")
    assert (added.name, added.kind, added.method) == (domain, "dns", "dns-change")
    assert (line.actor, line.subject) == (str(petra.pk), str(added.pk))
    assert page.address.startswith(f"/t/acme/domains/{added.pk}/")
    assert step(draft, "domains") in page.links().values()
    again = page.visitor.open(step(draft, "domains")).press(f"Prove {domain}")
    assert again.address.startswith(f"/t/acme/domains/{added.pk}/")
    with acting_for(strict.pk):
        assert Domain.objects.count() == 1


def test_only_what_the_request_names_is_added(petra, strict, owner):
    draft = at_domains(petra, strict, "www.acme.example")
    visitor = Visitor(petra)

    with nothing_happens(owner):
        for strange in ("evil.example", "example", "", "api.acme.example", "*.acme.example", "x@acme.example"):
            assert visitor.post(f"/t/acme/requests/{draft.pk}/domains/prove/", {"domain": strange}).status == 404


def test_what_stands_in_the_way_of_a_proof_is_said(petra, strict, owner):
    draft = at_domains(petra, strict, "www.acme.example")
    visitor = Visitor(petra)

    def told():
        [chips] = rows(visitor.open(step(draft, "domains"))).values()
        return chips[0], visitor.open(step(draft, "domains")).text

    assert "Nobody has proven yet" in told()[1]
    with acting_for(strict.pk, person=petra.pk):
        domain = control.add("acme.example", kind="dns", method="dns-change", by=petra.pk)
        attempt = control.begin(domain, method="dns-change", by=petra.pk)
    chip, text = told()
    assert chip == "Proof under way"
    assert "A proof through acme.example is under way" in text
    see(attempt)
    assert told()[0] == "Proven"
    owner.execute("SET session_replication_role = replica")
    owner.execute("UPDATE validation_domaincontrol SET proved_at = proved_at - interval '200 days'")
    owner.execute("SET session_replication_role = origin")
    chip, text = told()
    assert chip == "Not proven"
    assert "is too old to count; prove it again" in text
    with clock.frozen(clock.now() + timedelta(seconds=1)):
        prove(strict, "acme.example", by=petra, method="http-file")
        chip, text = told()
    assert chip == "Not proven"
    assert "in a way (File on the web server) that does not cover this name" in text
    next_policies(strict, corroborates=True)
    with clock.frozen(clock.now() + timedelta(seconds=2)):
        prove(strict, "acme.example", by=petra, corroborated=False)
        chip, text = told()
    assert chip == "Not proven"
    assert "not enough perspectives saw it" in text


def test_who_of_the_perspectives_saw_it_is_there_to_unfold(petra, strict):
    draft = at_domains(petra, strict, "www.acme.example")
    prove(strict, "acme.example", by=petra)

    page = Visitor(petra).open(step(draft, "domains"))

    assert "5 of 5 perspectives agree." in page.text
    prove(strict, "www.acme.example", by=petra, corroborated=False)
    page = Visitor(petra).open(step(draft, "domains"))
    assert "3 of 5 perspectives agree." in page.text
    assert "Saw something else, or could not be asked: p0, p1." in page.text


# --- going on without one name ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", NAMES)
def test_a_name_that_fails_is_left_out_and_all_else_stays(petra, strict, failing):
    prove(strict, "acme.example", by=petra)
    draft = at_domains(petra, strict, *NAMES)
    forbid(draft, failing)
    before, answers = known(strict), stored(draft).answers
    visitor = Visitor(petra)

    page = visitor.open(step(draft, "domains")).press(f"Leave it out {failing}")

    left = [name for name in NAMES if name != failing]
    assert page.heading == "Domain ownership"
    assert rows(page) == {name: ["Proven", "Verified"] for name in left}
    assert known(strict) == before
    now = stored(draft).answers
    assert now["names"] == {"dns": left}
    assert {slug: now[slug] for slug in ("subject", "validity", "key")} == {
        slug: answers[slug] for slug in ("subject", "validity", "key")
    }
    page = page.press("Next")
    assert page.rail[5] == ("Check and confirm", "current")
    done = carry_out(stored(fill_and_submit(draft, petra)))
    assert done.state == "completed"
    with acting_for(strict.pk):
        names = Certificate.objects.get(made_from=draft.pk).x509.extensions
    assert failing not in str(list(names))


def test_what_is_ready_has_nothing_to_be_left_out_for(petra, strict):
    prove(strict, "acme.example", by=petra)
    draft = at_domains(petra, strict, *NAMES)
    permit(draft)

    assert not [word for word in Visitor(petra).open(step(draft, "domains")).buttons() if "Leave it out" in word]


def test_the_last_name_stays_and_the_page_says_why(petra, strict, owner):
    draft = at_domains(petra, strict, "www.acme.example")
    visitor = Visitor(petra)
    page = visitor.open(step(draft, "domains"))

    [(word, why)] = shut(page, "leave-out").items()

    assert word == "Leave it out www.acme.example"
    assert "“www.acme.example” is the last one" in why
    with nothing_happens(owner):
        refused = visitor.post(f"/t/acme/requests/{draft.pk}/domains/leave-out/", {"name": "www.acme.example"})
    assert refused.status == 422
    assert "is the last one" in refused.text


def test_a_rekey_keeps_its_names_and_says_so(petra, strict, owner):
    source = issued(petra, strict, profile="tls-server", dns="\n".join(NAMES))
    owner.execute("SET session_replication_role = replica")
    owner.execute("DELETE FROM validation_caacheck")
    owner.execute("SET session_replication_role = origin")
    draft = at_domains(petra, strict, source=source)
    forbid(draft, *NAMES)
    visitor = Visitor(petra)
    page = visitor.open(step(draft, "domains"))

    buttons = shut(page, "leave-out")

    assert set(buttons) == {f"Leave it out {name}" for name in NAMES}
    assert all("keeps the names of the certificate as they are" in why for why in buttons.values())
    with nothing_happens(owner):
        refused = visitor.post(f"/t/acme/requests/{draft.pk}/domains/leave-out/", {"name": NAMES[0]})
    assert refused.status == 409


def test_a_name_that_is_not_there_cannot_be_left_out(petra, strict, owner):
    draft = at_domains(petra, strict, *NAMES)
    visitor = Visitor(petra)

    with nothing_happens(owner):
        for strange in ("evil.example", "", "acme.example", "@acme.example", "WWW.acme.example"):
            answer = visitor.post(f"/t/acme/requests/{draft.pk}/domains/leave-out/", {"name": strange})
            assert answer.status == 404


def test_names_that_change_after_the_step_was_settled_open_it_again(petra, acme):
    """What was checked has to be what the certificate names, or the signing worker refuses it."""
    draft = at_domains(petra, acme, *NAMES)
    permit(draft)
    visitor = Visitor(petra)
    visitor.open(step(draft, "domains")).press("Next")

    visitor.open(step(draft, "names")).press("Next", dns="\n".join(NAMES[:2]))

    page = visitor.open(step(draft, "confirm"))
    assert page.address == step(draft, "domains")
    assert page.press("Next").rail[5] == ("Check and confirm", "current")
    assert stored(draft).answers["domains"] == {"names": sorted(NAMES[:2])}


# --- mailboxes --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("1.R20")
@pytest.mark.parametrize("through", ["petra@acme.example", "acme.example"])
def test_mailboxes_are_proven_by_themselves_or_by_their_domain(petra, strict, through):
    draft = at_domains(petra, strict, profile="secure-email")
    page = Visitor(petra).open(step(draft, "domains"))
    assert rows(page) == {"petra@acme.example": ["Not proven"]}
    ways = [word for word in page.buttons() if word.startswith("Prove")]
    assert ways == ["Prove acme.example", "Prove petra@acme.example"]

    prove(strict, through, by=petra)

    page = page.visitor.open(page.address)
    assert rows(page) == {"petra@acme.example": ["Proven"]}
    assert page.press("Next").rail[-1] == ("Check and confirm", "current")


def test_the_mail_of_a_domain_is_one_row_and_its_mailboxes_are_others(petra, strict):
    next_policies(strict, checks_caa=True)
    draft = at_domains(petra, strict, profile="secure-email", email="petra@acme.example\nhelp@acme.example")
    page = Visitor(petra).open(step(draft, "domains"))
    assert rows(page) == {
        "Mail of acme.example": ["Unverified"],
        "help@acme.example": ["Not proven"],
        "petra@acme.example": ["Not proven"],
    }

    prove(strict, "acme.example", by=petra)

    page = page.visitor.open(page.address).press("Verify")
    assert rows(page)["Mail of acme.example"] == ["Verifying"]
    with acting_for(strict.pk):
        assert list(CaaCheck.objects.values_list("name", flat=True)) == ["@acme.example"]


def test_leaving_out_the_mail_of_a_domain_leaves_out_its_mailboxes(petra, strict, owner):
    next_policies(strict, checks_caa=True)
    mailboxes = ["a@acme.example", "b@acme.example", "c@sub.acme.example"]
    draft = at_domains(petra, strict, profile="secure-email", email="\n".join(mailboxes))
    prove(strict, "acme.example", by=petra)
    look(draft, Zone({"acme.example": Reason.SERVER_FAILED}))
    visitor = Visitor(petra)

    visitor.open(step(draft, "domains")).press("Leave it out Mail of acme.example")
    assert stored(draft).answers["names"] == {"email": ["c@sub.acme.example"]}

    with nothing_happens(owner):
        answer = visitor.post(f"/t/acme/requests/{draft.pk}/domains/leave-out/", {"name": "@sub.acme.example"})
    assert answer.status == 422
