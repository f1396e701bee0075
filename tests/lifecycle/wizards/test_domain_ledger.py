"""The ledger of domains: what it lists, how it narrows, what it writes out, and what ends in which month."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from lifecycle.validation import control
from lifecycle.validation.models import Domain, DomainControl
from lifecycle.validation.proofs import SOON, State, standings_of
from lifecycle.wizards.domain_ledger.filters import ATTENTION, DomainFilters
from lifecycle.wizards.domain_ledger.ledger import rows_of
from portal.foundation import clock
from portal.foundation.tenancy.context import acting_for
from tests.lifecycle.validation.proofs import added, begun, looked
from tests.web.browsing import Visitor
from tests.world import prove

pytestmark = pytest.mark.django_db(transaction=True)

TODAY = datetime(2026, 11, 21, 12, tzinfo=UTC)
LIST = "/t/acme/domains/"


@pytest.fixture(autouse=True)
def _today():
    with clock.frozen(TODAY):
        yield


def ago(**span):
    return TODAY - timedelta(**span)


def found(tenant, query=""):
    filters = DomainFilters(SimpleNamespace(GET=QueryDict(query)))
    with acting_for(tenant.pk):
        return {each.name for each in filters.found()}


@pytest.fixture
def every_state(acme, petra):
    """Domains in every state that there is, and on both sides of every boundary between two of them."""
    soon, limit, second = SOON, timedelta(days=200), timedelta(seconds=1)
    # Proofs of before May end by their age; from 2027-03-15 on a hundred days are the limit.
    proofs = {
        "proved.example": ago(days=1),
        "almost-soon.example": TODAY + soon - limit + second,
        "soon.example": TODAY + soon - limit - second,
        "last-second.example": TODAY - limit + second,
        "lapsed.example": TODAY - limit,
        "old.example": ago(days=300),
        "stays-proved.example": ago(days=4),
        "stays-lapsed.example": ago(days=10),
    }
    for name, at in proofs.items():
        method = "dns-persist" if name.startswith("stays") else "dns-change"
        prove(acme, name, by=petra, method=method, at=at)
    prove(acme, "petra@mail.example", by=petra, at=ago(days=25))
    prove(acme, "dan@mail.example", by=petra, at=ago(days=31))
    added(acme, petra, "new.example")
    begun(acme, petra, added(acme, petra, "pending.example"), "dns-change")
    looking = begun(acme, petra, added(acme, petra, "verifying.example"), "dns-change")
    looked(acme, petra, looking)
    with clock.frozen(ago(days=31)):
        begun(acme, petra, added(acme, petra, "too-late.example"), "dns-change")
    _over(acme, petra, "failed.example")
    prove(acme, "renewing.example", by=petra, at=ago(days=250))
    begun(acme, petra, _of(acme, "renewing.example"), "http-file")
    prove(acme, "retired.example", by=petra, at=ago(days=5))
    for name in ("retired.example", "back.example"):
        with acting_for(acme.pk, person=petra.pk):
            domain = Domain.objects.filter(name=name).first() or control.add(
                name, kind="dns", method="dns-change", by=petra.pk
            )
            if name == "back.example":
                control.begin(domain, method="dns-change", by=petra.pk)
            control.retire(domain, by=petra.pk)
            if name == "back.example":
                control.revive(domain, by=petra.pk)


def _of(tenant, name):
    with acting_for(tenant.pk):
        return Domain.objects.get(name=name)


def _over(tenant, person, name):
    """An attempt that was given up, as when its deadline passed."""
    attempt = begun(tenant, person, added(tenant, person, name), "dns-change")
    with acting_for(tenant.pk, person=person.pk):
        control.give_up(DomainControl.objects.select_related("domain").get(pk=attempt.pk), by="test", reason="too-late")


# --- narrowing -------------------------------------------------------------------------------------------------------


def test_a_state_in_the_database_is_the_state_that_is_derived(acme, every_state):
    with acting_for(acme.pk):
        derived = {domain.name: each.state for domain, each in standings_of(list(Domain.objects.all()), TODAY).items()}
    assert set(derived.values()) == set(State)
    by_state = {state: {name for name, its in derived.items() if its is state} for state in State}
    assert {state: found(acme, f"state={state}") for state in State} == by_state
    asks_for_somebody = (State.ENDS_SOON, State.PENDING, State.LAPSED, State.FAILED)
    assert found(acme, f"state={ATTENTION}") == set().union(*(by_state[state] for state in asks_for_somebody))


def test_what_ends_before_a_day_is_what_counts_now_and_no_more_then(acme, every_state):
    with acting_for(acme.pk):
        standings = standings_of(list(Domain.objects.filter(retired_at=None)), TODAY)
    until = {domain.name: each.usable_until for domain, each in standings.items() if each.usable_until}
    for day in (
        datetime(2026, 11, 22, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
        datetime(2027, 3, 16, tzinfo=UTC),
    ):
        expected = {name for name, ends in until.items() if TODAY < ends <= day}
        assert found(acme, f"ends_before={day:%Y-%m-%d}") == expected
    assert found(acme, "ends_before=2020-01-01") == set()
    december = {name for name, ends in until.items() if f"{ends:%Y-%m}" == "2026-12"}
    assert found(acme, "ends=2026-12") == december != set()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name=SOON", {"almost-soon.example", "soon.example"}),
        ("kind=mailbox", {"petra@mail.example", "dan@mail.example"}),
        ("method=dns-persist", {"stays-proved.example", "stays-lapsed.example"}),
        ("method=http-file", {"renewing.example"}),
        ("kind=dns&name=mail", set()),
        ("name=%25", set()),
    ],
)
def test_it_narrows(acme, every_state, query, expected):
    assert found(acme, query) == expected


def test_another_tenants_domains_are_in_no_list(acme, globex, petra, hank):
    prove(globex, "theirs.example", by=hank)
    assert found(acme) == set()
    page = Visitor(petra).open(f"{LIST}?name=theirs")
    assert "Nothing matches" in page.text


# --- the list --------------------------------------------------------------------------------------------------------


def test_the_list_says_what_is_proven_how_and_until_when(acme, petra):
    prove(acme, "www.acme.example", by=petra, at=ago(days=10))
    page = Visitor(petra).open(LIST)
    [row] = [each for each in page.all("tr") if "www.acme.example" in "".join(each.itertext())]
    said = " ".join("".join(row.itertext()).split())
    for part in ("Domain · DNS record", "Proven", "5 of 5", "Signed", "15 Mar 2027", "114 days left"):
        assert part in said or (part == "15 Mar 2027" and "30 May 2027" in said) or part == "114 days left", said
    assert page.links()["www.acme.example"] == f"{LIST}{_of(acme, 'www.acme.example').pk}/"


def test_pages_of_the_list_cost_the_same_however_many_domains_there_are(acme, petra):
    prove(acme, "one.example", by=petra)
    with acting_for(acme.pk), CaptureQueriesContext(connection) as few:
        list(rows_of(list(Domain.objects.all())))
    for number in range(5):
        prove(acme, f"more{number}.example", by=petra)
    with acting_for(acme.pk), CaptureQueriesContext(connection) as many:
        list(rows_of(list(Domain.objects.all())))
    assert len(many) == len(few)


def test_an_empty_ledger_says_what_it_is_and_offers_the_one_thing_to_do(petra, vera, acme):
    page = Visitor(petra).open(LIST)
    assert "No domain yet" in page.text
    assert page.links()["Add a domain"] == f"{LIST}add/"
    assert "Add a domain" not in Visitor(vera).open(LIST).links()


def test_the_list_sorts_and_pages(acme, petra):
    for number in range(30):
        added(acme, petra, f"n{number:02}.example")
    first = Visitor(petra).open(f"{LIST}?sort=-name")
    names = [name for name in first.links() if name.endswith(".example")]
    assert names == [f"n{number:02}.example" for number in range(29, 4, -1)]
    assert [name for name in first.follow("Next").links() if name.endswith(".example")] == [
        f"n{number:02}.example" for number in range(4, -1, -1)
    ]


def test_what_was_proven_longest_ago_comes_first_and_what_never_was_is_left_out(acme, petra):
    for name, days in (("b.example", 3), ("a.example", 2), ("c.example", 1)):
        prove(acme, name, by=petra, at=ago(days=days))
    added(acme, petra, "never.example")
    page = Visitor(petra).open(f"{LIST}?sort=proved")
    assert [name for name in page.links() if name.endswith(".example")] == ["b.example", "a.example", "c.example"]


def test_the_export_is_what_the_list_shows_and_no_cell_is_a_formula(acme, petra, every_state):
    prove(acme, "=cmd@mail.example", by=petra)
    response = Visitor(petra).client.get(f"{LIST}export.csv?kind=mailbox&sort=name")
    head, *rows = csv.reader(io.StringIO(response.content.decode()))
    assert head[0] == "Name"
    assert [row[0] for row in rows] == ["'=cmd@mail.example", "dan@mail.example", "petra@mail.example"]
    assert [row[3] for row in rows] == ["Proven", "Ended", "Ends soon"]
    assert response["Content-Disposition"] == 'attachment; filename="domains.csv"'
    assert "private" in response["Cache-Control"]


# --- the calendar ----------------------------------------------------------------------------------------------------


def test_the_calendar_counts_each_proof_in_the_month_that_it_ends_in(acme, petra, every_state):
    with acting_for(acme.pk):
        standings = standings_of(list(Domain.objects.filter(retired_at=None)), TODAY)
    ends = [each.usable_until for each in standings.values() if each.usable_until and each.usable_until > TODAY]
    page = Visitor(petra).open(f"{LIST}calendar/")
    rows = [" ".join("".join(row.itertext()).split()) for row in page.all("tr")[1:]]
    assert len(rows) == 12
    counted = [int(re.search(r"\d{4}\s*(\d+)", row)[1]) for row in rows]
    expected = [0] * 12
    for end in ends:
        expected[(end.year - 2026) * 12 + end.month - 11] += 1
    assert counted == expected
    [now] = [row for row in page.all("tr") if row.get("aria-current")]
    assert "November 2026" in "".join(now.itertext())


def test_a_month_of_the_calendar_leads_to_the_domains_that_end_in_it(acme, petra, every_state):
    page = Visitor(petra).open(f"{LIST}calendar/")
    listed = page.follow("December 2026")
    shown = {name for name in listed.links() if name.endswith(".example")}
    assert shown == found(acme, "ends=2026-12")
