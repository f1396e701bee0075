"""“Rules by date”: what the dated tables say, when, and whom each change reaches."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lifecycle.administration import rules_by_date
from lifecycle.administration.impact import MANY
from lifecycle.administration.reach import reach_of
from lifecycle.administration.rules_by_date import Touches
from lifecycle.authorities.models import CertificateProfile
from lifecycle.policies.rules import LONGEST_LIFE
from lifecycle.validation import control, reuse
from lifecycle.validation.methods import METHODS
from lifecycle.validation.models import Domain
from lifecycle.validation.perspectives import quorum
from lifecycle.validation.proofs import standings_of
from portal.foundation import clock
from portal.foundation.ids import uuid7
from portal.foundation.tenancy.context import acting_for
from tests.web.browsing import Visitor
from tests.world import issued, prove, serving

pytestmark = pytest.mark.django_db(transaction=True)

TODAY = datetime(2026, 11, 21, 12, tzinfo=UTC)
HUNDRED = "life-public-tls-2027-03-15"
SHORTER = "proofs-2027-03-15"


@pytest.fixture(autouse=True)
def _today():
    with clock.frozen(TODAY):
        yield


def change(slug):
    return next(each for each in rules_by_date.changes() if each.slug == slug)


def reached(tenant, slug):
    with acting_for(tenant.pk):
        return reach_of(change(slug), CertificateProfile.objects.all_in_force()).said


def public(tenant, *, days, trust="public-tls"):
    """A profile of public trust, as its ceremony would leave it."""
    with serving("owner"), acting_for(tenant.pk):
        profile = CertificateProfile.objects.in_force("tls-server")
        profile.pk, profile.slug, profile.title, profile.trust = uuid7(), "public-server", "Public server", trust
        profile.content = {**profile.content, "days": days}
        profile.save(force_insert=True)
    return profile


def of_profile(certificate, profile, owner, *, days, ends):
    """Let *certificate* have been issued under *profile*, for so many days."""
    owner.execute("ALTER TABLE certificates_certificate DISABLE TRIGGER USER")
    owner.execute(
        "UPDATE certificates_certificate SET profile_id = %s, not_before = %s, not_after = %s WHERE id = %s",
        [str(profile.pk), ends - timedelta(days=days), ends, str(certificate.pk)],
    )
    owner.execute("ALTER TABLE certificates_certificate ENABLE TRIGGER USER")


def domain(tenant, name, *, proved_at=None, method="dns-change", retired_at=None):
    with acting_for(tenant.pk):
        return Domain.objects.create(
            name=name, kind="dns", method=method, added_by="a test", proved_at=proved_at, retired_at=retired_at
        )


# --- the tables ------------------------------------------------------------------------------------------------------


def test_every_row_of_every_dated_table_is_a_change():
    days = {(each.touches, each.trust or each.method, each.day) for each in rules_by_date.changes()}
    assert days == {
        *((Touches.LIFETIMES, trust, day) for trust, table in LONGEST_LIFE.items() for day in table),
        *((Touches.PROOFS, "", period.since) for period in reuse.DOMAINS[1:]),
        *((Touches.METHOD, slug, method.until) for slug, method in METHODS.items() if method.until),
        *((Touches.PERSPECTIVES, "", day) for day in quorum.TABLE),
    }


def test_changes_stand_in_the_order_of_their_days_under_names_of_their_own():
    found = rules_by_date.changes()
    assert [each.day for each in found] == sorted(each.day for each in found)
    assert len({each.slug for each in found}) == len(found)
    assert all(re.fullmatch(r"[a-z0-9-]+", each.slug) for each in found)


def test_what_counts_today_is_the_newest_row_of_each_table():
    counting = [each for each in rules_by_date.changes() if each.slug in rules_by_date.in_force(TODAY.date())]
    assert {(each.touches, each.trust): each.after for each in counting} == {
        (Touches.LIFETIMES, "public-tls"): 200,
        (Touches.LIFETIMES, "public-smime"): 825,
        (Touches.PROOFS, ""): 200,
        (Touches.PERSPECTIVES, ""): 4,
    }
    assert "perspectives-2026-12-15" in rules_by_date.in_force(date(2026, 12, 15))
    assert "perspectives-2026-12-15" not in rules_by_date.in_force(date(2026, 12, 14))


# --- whom a change reaches ------------------------------------------------------------------------------------------


def test_a_shorter_life_reaches_profiles_and_certificates_that_live_longer(acme, petra, owner):
    profile = public(acme, days=200)
    there = change(HUNDRED).begins + timedelta(days=1)
    for days, ends in ((200, there), (101, there), (100, there), (200, there - timedelta(days=2))):
        of_profile(issued(petra, acme, profile="tls-server", dns=f"d{days}.acme.example"), profile, owner,
                   days=days, ends=ends)  # fmt: skip
    assert reached(acme, HUNDRED) == "It reaches 1 of your profiles and 2 certificates."


def test_it_reaches_nothing_that_is_private_shorter_of_another_tenant_or_revoked(acme, globex, petra, hank, owner):
    profile = public(acme, days=100)
    there = change(HUNDRED).begins + timedelta(days=1)
    of_profile(issued(petra, acme, profile="tls-server", dns="a.acme.example"), profile, owner, days=100, ends=there)
    theirs = public(globex, days=200)
    certificate = issued(hank, globex, profile="tls-server", dns="b.globex.example")
    of_profile(certificate, theirs, owner, days=200, ends=there)
    assert reached(acme, HUNDRED) == ""
    assert reached(globex, HUNDRED) == "It reaches 1 of your profiles and 1 certificate."
    owner.execute(
        "INSERT INTO certificates_revocation"
        " (id, tenant_id, authority_id, shard_id, serial, certificate_id, reason, at, by)"
        " SELECT gen_random_uuid(), tenant_id, authority_id, shard_id, serial, id, 'unspecified', now(), 'a test'"
        " FROM certificates_certificate WHERE id = %s",
        [str(certificate.pk)],
    )
    assert reached(globex, HUNDRED) == "It reaches 1 of your profiles."


def test_a_shorter_reuse_reaches_the_proofs_that_would_have_counted_longer(acme, globex, petra, hank):
    begins = change(SHORTER).begins

    def proved(name, days, **how):
        return prove(acme, name, by=petra, at=begins - timedelta(days=days), **how).domain

    for days in (199, 150, 115):
        proved(f"d{days}.example", days)
    proved("over-anyway.example", 200)
    proved("stays.example", 150, method="dns-persist")
    proved("petra@mail.example", 150)
    retired = proved("retired.example", 150)
    domain(acme, "never.example")
    prove(globex, "theirs.example", by=hank, at=begins - timedelta(days=150))
    with acting_for(acme.pk, person=petra.pk):
        control.retire(retired, by=petra.pk)
    assert reached(acme, SHORTER) == "It reaches 3 domains."
    before = timedelta(days=change(SHORTER).before)
    with acting_for(acme.pk):
        domains = Domain.objects.filter(proved_at__isnull=False, retired_at=None)
        cut = {
            each.name
            for each, standing in standings_of(list(domains), TODAY).items()
            if standing.usable_until == begins < each.proved_at + before
        }
        listed = {each.name for each in reach_of(change(SHORTER), []).domains}
    assert listed == cut == {"d199.example", "d150.example", "d115.example"}


def test_the_end_of_a_method_reaches_the_domains_that_rely_on_it(acme):
    domain(acme, "mail.example", method="constructed-email")
    domain(acme, "dns.example")
    assert reached(acme, "method-constructed-email-2028-03-15") == "It reaches 1 domain."


def test_more_perspectives_reach_the_profiles_whose_names_are_looked_at_from_there(acme):
    assert reached(acme, "perspectives-2026-12-15") == ""
    public(acme, days=100)
    assert reached(acme, "perspectives-2026-12-15") == "It reaches 1 of your profiles."


def test_each_count_is_one_statement_that_stops_in_time(acme):
    public(acme, days=200)
    with acting_for(acme.pk):
        profiles = CertificateProfile.objects.all_in_force()
        reach = reach_of(change(HUNDRED), profiles)
        with CaptureQueriesContext(connection) as asked:
            assert reach.said
    [count] = [each["sql"] for each in asked]
    assert f"LIMIT {MANY + 1}" in count


# --- the pages ------------------------------------------------------------------------------------------------------


def test_the_page_tells_today_from_what_comes_and_folds_what_was(ada):
    page = Visitor(ada).open("/t/acme/administration/rules-by-date/")
    [now] = [each for each in page.all("li") if each.get("aria-current") == "date"]
    assert "21 November 2026" in "".join(now.itertext())
    [past] = page.having_class("fold")
    assert "15 March 2026" in "".join(past.itertext())
    assert "15 March 2027" not in "".join(past.itertext())
    assert "in 24 days" in page.text
    assert "It reaches nothing of yours." in page.text


def test_the_list_behind_a_number_names_each(acme, ada, petra, owner):
    profile = public(acme, days=200)
    there = change(HUNDRED).begins + timedelta(days=1)
    certificate = issued(petra, acme, profile="tls-server", dns="long.acme.example")
    of_profile(certificate, profile, owner, days=200, ends=there)
    page = Visitor(ada).open("/t/acme/administration/rules-by-date/")
    listed = page.visitor.open(next(url for url in page.leads_to if url.endswith(f"{HUNDRED}/")))
    assert "It reaches 1 of your profiles and 1 certificate." in listed.text
    assert {"Public server", "long.acme.example"} <= set(listed.links())
    assert f"/t/acme/certificates/{certificate.pk}/" in listed.leads_to


def test_a_change_that_no_table_has_is_not_there(ada):
    assert Visitor(ada).open("/t/acme/administration/rules-by-date/life-public-tls-2031-01-01/").status == 404
