"""Lists, details and the action screen: what is offered, what is not and why, and how one gets there."""

import csv
import io
from datetime import timedelta

import pytest

from lifecycle.certificates import services as certificates
from lifecycle.certificates.models import Certificate, Reason
from lifecycle.requests.kinds import MEANING, Kind
from lifecycle.requests.models import CertificateRequest
from portal.foundation import clock
from portal.foundation.tenancy.context import acting_for
from tests.web.browsing import Visitor, nothing_happens, said
from tests.world import begun, filled, issued, next_policies, serving, submitted

ACTIONS = [kind for kind, meaning in MEANING.items() if meaning.starts_from_certificate]


def days_ago(days):
    return clock.frozen(clock.now() - timedelta(days=days))


def revoke(tenant, certificate):
    with serving("signing"), acting_for(tenant.pk):
        certificates.revoke(certificate, reason=Reason.CESSATION, by="test")


def _active(person, tenant):
    return issued(person, tenant)


def _expiring(person, tenant):
    with days_ago(350):
        return issued(person, tenant)


def _expired(person, tenant):
    with days_ago(400):
        return issued(person, tenant)


def _revoked(person, tenant):
    certificate = issued(person, tenant)
    revoke(tenant, certificate)
    return certificate


def _under_way(person, tenant):
    certificate = issued(person, tenant)
    submitted(person, tenant, source=certificate)
    return certificate


def _rekeyed(person, tenant):
    certificate = issued(person, tenant)
    issued(person, tenant, source=certificate)
    return certificate


def _drafted(person, tenant):
    certificate = issued(person, tenant)
    begun(person, tenant, source=certificate)
    return certificate


STATES = {
    # state       how a certificate gets there   the chip        why nothing can be begun, or "" where it can
    "active":    (_active,    "Active",   ""),
    "expiring":  (_expiring,  "Expiring", ""),
    "rekeyed":   (_rekeyed,   "Active",   ""),
    "drafted":   (_drafted,   "Active",   ""),
    "expired":   (_expired,   "Expired",  "This certificate expired on "),
    "revoked":   (_revoked,   "Revoked",  "This certificate was revoked on "),
    "under way": (_under_way, "Rekeying", " for this certificate is still under way."),
}  # fmt: skip
"""Every state a certificate can be in, for its owner."""


@pytest.mark.rule("0.R14")
@pytest.mark.parametrize("kind", ACTIONS)
@pytest.mark.parametrize("state", STATES)
def test_each_action_is_offered_or_says_why_not_and_the_server_agrees(petra, acme, owner, state, kind):
    make, word, why = STATES[state]
    certificate = make(petra, acme)
    visitor = Visitor(petra)
    title = str(MEANING[kind].title)

    detail = visitor.open(f"/t/acme/certificates/{certificate.pk}/")
    screen = visitor.open(f"/t/acme/certificates/{certificate.pk}/action/")
    row = visitor.open("/t/acme/certificates/?sort=expires")

    assert said(detail.having_class("chip")[0]) == word
    offered = [button for button in detail.buttons() if button.startswith(title)]
    refused = [said(item) for item in detail.having_class("menu__no") if said(item).startswith(title)]
    listed = [said(item) for group in screen.having_class("reasons") for item in group.iter("li")]
    if not why:
        assert offered
        assert not refused
        assert kind in _choices(screen)
        page = visitor.post(f"/t/acme/requests/begin/{kind}/", {"certificate": str(certificate.pk)})
        assert page.rail
        return
    assert not offered
    assert len(refused) == 1
    assert why in refused[0]
    assert why in " ".join(listed)
    assert kind not in _choices(screen)
    assert not any(button.startswith(title) for button in _buttons_of(row, certificate))
    with nothing_happens(owner):
        page = visitor.post(f"/t/acme/requests/begin/{kind}/", {"certificate": str(certificate.pk)})
        chosen = visitor.post(screen.address, {"action": kind, "confirmation": "on"})
    assert page.status == 422
    assert why in page.heading
    assert chosen.status == 422
    assert why in chosen.text


def _choices(screen):
    return [option.get("value") for option in screen.all("option")]


def _buttons_of(page, certificate):
    """The buttons of one row, found by the certificate that their forms name."""
    return [
        said(button)
        for form in page.all("form")
        if any(field.get("value") == str(certificate.pk) for field in form.iter("input"))
        for button in form.iter("button")
    ]


@pytest.mark.parametrize("who", ["wei", "ada", "vera"])
def test_who_may_only_read_is_told_which_role_is_needed(request, petra, acme, owner, who):
    certificate = issued(petra, acme)
    visitor = Visitor(request.getfixturevalue(who))

    detail = visitor.open(f"/t/acme/certificates/{certificate.pk}/")
    screen = visitor.open(f"/t/acme/certificates/{certificate.pk}/action/")

    for page in (detail, screen):
        assert "This needs the role Subscriber." in page.text
        assert not [button for button in page.buttons() if button.startswith("Rekey")]
    with nothing_happens(owner):
        assert visitor.post(screen.address, {"action": "rekey", "confirmation": "on"}).status == 422
        begin = visitor.post("/t/acme/requests/begin/rekey/", {"certificate": str(certificate.pk)})
    assert begin.status == 403
    assert "it needs the role Subscriber" in begin.heading


@pytest.mark.rule("0.R10", "0.R11")
def test_a_switched_off_operation_is_absent_and_refused(petra, acme, owner):
    certificate = issued(petra, acme)
    visitor = Visitor(petra)
    screen_at, detail_at = (f"/t/acme/certificates/{certificate.pk}/{part}" for part in ("action/", ""))
    assert "rekey" in _choices(visitor.open(screen_at))
    next_policies(acme, enabled=False)

    screen = visitor.open(screen_at)
    assert "rekey" not in _choices(screen)
    assert "Nothing can be done with this certificate" in screen.text
    for page in (visitor.open(detail_at), visitor.open("/t/acme/certificates/")):
        assert not [button for button in page.buttons() if button.startswith("Rekey")]
    with nothing_happens(owner):
        chosen = visitor.post(screen_at, {"action": "rekey", "confirmation": "on"})
        begun_at_once = visitor.post("/t/acme/requests/begin/rekey/", {"certificate": str(certificate.pk)})
    assert chosen.status == 422
    assert begun_at_once.status == 422
    assert "An administrator has switched this operation off" in begun_at_once.heading
    assert begun_at_once.response.context["code"] == "policy-forbids"


@pytest.mark.rule("0.R10", "0.R11")
def test_a_switched_off_first_certificate_is_absent_and_refused(petra, acme, owner):
    visitor = Visitor(petra)
    assert "desktop-signing" in [field.get("value") for field in visitor.open(START).all("input")]
    next_policies(acme, enabled=False)

    page = visitor.open(START)
    assert "desktop-signing" not in [field.get("value") for field in page.all("input")]
    with nothing_happens(owner):
        assert visitor.post(START, {"profile": "desktop-signing"}).status == 422


START = "/t/acme/requests/begin/issue/"


@pytest.mark.rule("0.R15")
def test_each_rows_action_menu_has_more_actions(petra, acme):
    made = [issued(petra, acme), _expired(petra, acme), _revoked(petra, acme)]
    page = Visitor(petra).open("/t/acme/certificates/")

    rows = [row for row in page.all("tr") if row.find("th[@scope='row']") is not None]
    assert len(rows) == len(made)
    for row in rows:
        [menu] = row.iter("details")
        links = {said(link): link.get("href") for link in menu.iter("a")}
        assert links["More actions"].endswith("/action/")


@pytest.mark.rule("0.R16")
@pytest.mark.parametrize("area", ["", "areas/desktop-signing/"])
def test_more_actions_opens_the_action_screen_whose_drop_down_has_rekey_certificate(petra, acme, area):
    certificate = issued(petra, acme)

    page = Visitor(petra).open(f"/t/acme/{area}certificates/").follow("More actions")

    assert page.heading == "Certificate action"
    assert page.address == f"/t/acme/certificates/{certificate.pk}/action/"
    assert {said(option): option.get("value") for option in page.all("option")} == {
        "Choose …": "",
        "Rekey Certificate": "rekey",
    }


@pytest.mark.rule("0.R17")
@pytest.mark.parametrize(
    ("answers", "complaints"),
    [
        ({}, ["Choose an action.", "Tick the box to confirm that you are sure."]),
        ({"action": "rekey"}, ["Tick the box to confirm that you are sure."]),
        ({"confirmation": True}, ["Choose an action."]),
    ],
)
def test_view_request_needs_an_action_and_the_confirmation(petra, acme, owner, answers, complaints):
    screen = Visitor(petra).open(f"/t/acme/certificates/{issued(petra, acme).pk}/action/")

    with nothing_happens(owner):
        refused = screen.press("View request", **answers)

    assert refused.status == 422
    assert refused.complaints == complaints
    assert refused.press("View request", action="rekey", confirmation=True).rail


@pytest.mark.rule("0.R9")
def test_two_menus_lead_to_the_issued_certificates(petra, acme):
    signing, mail = issued(petra, acme, name="Signing"), issued(petra, acme, profile="secure-email", name="Mail")
    home = Visitor(petra).open("/t/acme/")
    nav = next(nav for nav in home.all("nav") if nav.get("id") == "nav")
    menus = {}
    for part in nav.iter():
        if part.tag == "h2":
            menu = menus.setdefault(said(part), {})
        elif part.tag == "a" and menus:
            menu[said(part)] = part.get("href")

    generic = home.visitor.open(menus["Certificate Center"]["Issued certificates"])
    area = home.visitor.open(menus["Desktop Signing"]["Issued certificates"])

    assert {"Signing", "Mail"} <= set(generic.links())
    assert "Signing" in area.links()
    assert "Mail" not in area.links()
    assert area.heading == "Desktop Signing"
    assert {signing.name, mail.name} == {"Signing", "Mail"}


@pytest.mark.rule("1.R29")
def test_the_new_certificate_is_in_the_list_and_on_the_home_page(petra, acme):
    source = issued(petra, acme, name="Petra Nováková")
    fresh = issued(petra, acme, source=source)
    visitor = Visitor(petra)

    assert f"/t/acme/certificates/{fresh.pk}/" in visitor.open("/t/acme/certificates/").leads_to
    assert "Certificate issued" in visitor.open("/t/acme/").text


@pytest.mark.rule("1.R32")
def test_both_details_pages_show_the_lineage_and_link_to_each_other(petra, acme):
    source = issued(petra, acme)
    fresh = issued(petra, acme, source=source)
    visitor = Visitor(petra)

    for here, other in ((source, fresh), (fresh, source)):
        page = visitor.open(f"/t/acme/certificates/{here.pk}/")
        [tree] = page.having_class("lineage")
        assert [link.get("href") for link in tree.iter("a")] == [f"/t/acme/certificates/{other.pk}/"]
        assert "Rekeyed on" in said(tree)
    with acting_for(acme.pk):
        stored = Certificate.objects.get(pk=fresh.pk)
    assert (stored.predecessor_id, stored.made_by) == (source.pk, "rekey")


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        ("status=active", {"Now"}),
        ("status=expired", {"Long ago"}),
        ("status=revoked", {"Gone"}),
        ("q=long", {"Long ago"}),
        ("q=LONG ago", {"Long ago"}),
        ("q=nobody", set()),
        ("status=revoked&q=now", set()),
        ("expires={soon}", {"Now", "Gone"}),
        ("status=expired&sort=name", {"Long ago"}),
        ("source=issued&status=active", {"Now"}),
        ("source=uploaded", set()),
        ("profile=desktop-signing", {"Now", "Gone", "Long ago"}),
        ("profile=secure-email", set()),
        ("key=ec-p256&issuer=Acme Industries Issuing CA", {"Now", "Gone", "Long ago"}),
        ("key=rsa-4096", set()),
        ("ends=90", set()),
        ("ends_from={first}", {"Now", "Gone"}),
        ("ends_until={first}&ends_from=2000-01-01", {"Long ago"}),
    ],
)
def test_a_list_shows_what_it_is_narrowed_to_and_how_to_widen_it(petra, acme, wish, found):
    now, gone = issued(petra, acme, name="Now"), issued(petra, acme, name="Gone")
    revoke(acme, gone)
    with days_ago(400):
        issued(petra, acme, name="Long ago")
    wish = wish.format(soon=f"{now.not_after:%Y-%m}", first=f"{now.not_after - timedelta(days=30):%Y-%m-%d}")

    page = Visitor(petra).open(f"/t/acme/certificates/?{wish}")

    assert {said(head) for head in _names(page)} == found
    assert [said(chip) for chip in page.having_class("chip-filter") if said(chip).endswith("Remove")]
    if not found:
        assert "Nothing matches" in page.text
        page = page.follow("Show all")
        assert len(_names(page)) == 3


def _names(page):
    return [link for head in page.all("th") if head.get("scope") == "row" for link in head.iter("a")]


@pytest.mark.parametrize("how", ["plain", "colons", "leading zero", "spaces", "capitals"])
def test_a_certificate_is_found_by_its_serial_however_it_is_written(petra, acme, how):
    wanted = issued(petra, acme)
    issued(petra, acme)
    pairs = [wanted.serial.zfill(40)[i : i + 2] for i in range(0, 40, 2)]
    text = {
        "plain": wanted.serial,
        "colons": ":".join(pairs),
        "leading zero": f"00{wanted.serial}",
        "spaces": " ".join(pairs),
        "capitals": wanted.serial.upper(),
    }[how]

    page = Visitor(petra).open("/t/acme/certificates/").visitor
    shown = Visitor._shown(page, page.client.get("/t/acme/certificates/", {"q": text}), "/t/acme/certificates/")

    assert [link.get("href") for link in _names(shown)] == [f"/t/acme/certificates/{wanted.pk}/"]


def test_a_request_is_found_by_its_number(petra, dan, acme):
    wanted = submitted(petra, acme)

    assert Visitor(petra).open(f"/t/acme/certificates/?q={wanted.number}").address.endswith(f"/requests/{wanted.pk}/")
    assert "Nothing matches" in Visitor(dan).open(f"/t/acme/certificates/?q={wanted.number}").text


@pytest.mark.parametrize(
    "wish", ["status=none", "sort=x", "ends=8", "expires=2026-13", "ends_from=soon", "issuer=" + "x" * 300]
)
def test_a_filter_that_is_not_understood_narrows_nothing_and_says_so(petra, acme, wish):
    issued(petra, acme, name="Now")

    page = Visitor(petra).open(f"/t/acme/certificates/?{wish}")

    assert page.status == 200
    assert {said(head) for head in _names(page)} == {"Now"}
    assert not [chip for chip in page.having_class("chip-filter") if said(chip).endswith("Remove")]
    assert page.having_class("field__error")


def test_who_reads_all_narrows_by_owner_and_others_cannot(petra, dan, vera, acme):
    issued(petra, acme, name="Hers")
    issued(dan, acme, name="His")
    at = "/t/acme/certificates/?owner=dan@acme.example"

    assert {said(head) for head in _names(Visitor(vera).open(at))} == {"His"}
    assert {said(head) for head in _names(Visitor(petra).open(at))} == {"Hers"}
    for stranger in ("hank@globex.example", "nobody@nowhere.example"):
        assert _names(Visitor(vera).open(f"/t/acme/certificates/?owner={stranger}")) == []


@pytest.mark.parametrize(
    "wish", ["", "status=active", "sort=name", "sort=-expires", "q=petra", "key=ec-p256&sort=name"]
)
def test_the_export_has_the_rows_of_the_list_in_their_order(petra, acme, wish):
    for name in ("Petra B", "Petra A", "Somebody", "Petra C"):
        issued(petra, acme, name=name)
    page = Visitor(petra).open(f"/t/acme/certificates/?{wish}")

    address = page.links()["Export these"]
    content = page.visitor.client.get(address).content.decode()

    assert [row["Name"] for row in csv.DictReader(io.StringIO(content))] == [said(head) for head in _names(page)]


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        ("", {"Rekey Hers", "New certificate for Hers", "New certificate for His"}),
        ("kind=rekey", {"Rekey Hers"}),
        ("state=completed", {"New certificate for Hers", "New certificate for His"}),
        ("person=dan@acme.example", {"New certificate for His"}),
        ("state=failed", set()),
    ],
)
def test_the_requests_are_narrowed_and_exported_as_they_are_shown(petra, dan, vera, acme, wish, found):
    hers = issued(petra, acme, name="Hers")
    issued(dan, acme, name="His")
    submitted(petra, acme, source=hers)

    page = Visitor(vera).open(f"/t/acme/requests/?{wish}&sort=asked")

    assert {said(head) for head in _names(page)} == found
    if found:
        content = page.visitor.client.get(page.links()["Export these"]).content.decode()
        rows = list(csv.DictReader(io.StringIO(content)))
        assert [row["About"] for row in rows] == [said(head) for head in _names(page)]


@pytest.fixture
def many(petra, acme):
    """Sixty certificates: one from the token, the others uploaded copies of it with a name and an end of their own."""
    first = issued(petra, acme, name="Number 00")
    with serving("owner"), acting_for(acme.pk):
        fresh = []
        for number in range(1, 60):
            row = Certificate.objects.get(pk=first.pk)
            row.pk = None
            row._state.adding = True
            twin = Certificate(
                **{
                    field.attname: getattr(row, field.attname)
                    for field in Certificate._meta.concrete_fields
                    if field.attname not in {"id", "tenant_id"}
                }
            )
            twin.source = "uploaded"
            twin.authority_id = twin.profile_id = twin.shard_id = twin.made_from = None
            twin.name, twin.serial, twin.fingerprint = f"Number {number % 20:02}", f"{number:x}", f"{number:064x}"
            twin.not_after = first.not_after + timedelta(hours=number % 7)
            fresh.append(twin)
        Certificate.objects.bulk_create(fresh)
    return first


@pytest.mark.parametrize("sort", ["", "name", "-name", "expires", "-expires"])
def test_paging_shows_each_row_once_in_order_there_and_back(petra, acme, many, sort):
    visitor = Visitor(petra)
    page = visitor.open(f"/t/acme/certificates/?sort={sort}")
    pages = [page]
    while "Next" in page.links():
        page = page.follow("Next")
        pages.append(page)
    back = [page]
    while "Previous" in page.links():
        page = page.follow("Previous")
        back.append(page)

    seen = [[link.get("href") for link in _names(each)] for each in pages]
    assert [len(rows) for rows in seen] == [25, 25, 10]
    assert len({address for rows in seen for address in rows}) == 60
    assert [[link.get("href") for link in _names(each)] for each in back] == seen[::-1]
    if sort.endswith("name"):
        names = [said(link) for each in pages for link in _names(each)]
        assert names == sorted(names, reverse=sort.startswith("-"))


def test_the_export_has_what_the_list_shows_and_no_formulas(petra, dan, acme):
    issued(petra, acme, name="=HYPERLINK(A1)")
    issued(petra, acme, name="Petra, “the one”")
    issued(dan, acme, name="Dan")
    visitor = Visitor(petra)
    page = visitor.open("/t/acme/certificates/")

    response = visitor.client.get("/t/acme/certificates/" + page.links()["Export these"].rsplit("/", 1)[-1])

    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert {row["Name"] for row in rows} == {"'=HYPERLINK(A1)", "Petra, “the one”"}


def test_home_says_what_needs_the_person(petra, acme):
    visitor = Visitor(petra)
    assert visitor.open("/t/acme/").heading == "Nothing needs you"
    _expiring(petra, acme)
    filled(petra, acme)

    page = visitor.open("/t/acme/")

    assert page.heading == "2 things need you"
    assert "Expires in 14 days" in page.text or "Expires in 15 days" in page.text


def test_each_month_of_the_expiry_chart_leads_to_its_certificates(petra, acme):
    certificate = issued(petra, acme)
    page = Visitor(petra).open("/t/acme/")
    with acting_for(acme.pk):
        assert CertificateRequest.objects.filter(kind=Kind.ISSUE).count() == 1

    [address] = {
        link.get("href") for link in page.all("a") if link.get("href", "").endswith(f"={certificate.not_after:%Y-%m}")
    } or {""}

    if address:  # a year from now may lie in the thirteenth month, which the chart does not show
        assert len(_names(page.visitor.open(address))) == 1
