"""How long a proof counts: every boundary of the tables, to the second."""

from datetime import UTC, datetime, timedelta

import pytest

from lifecycle.validation.methods import METHODS
from lifecycle.validation.reuse import counts_on, usable_until

DNS, STAYS, MAIL, MAILBOX = (METHODS[slug] for slug in ("dns-change", "dns-persist", "constructed-email", "mailbox"))
SECOND = timedelta(seconds=1)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("proved", "method", "trust", "ends"),
    [
        pytest.param("2025-03-01", DNS, "public-tls", "2026-03-15", id="398 days would go on, 200 do not"),
        pytest.param("2025-01-01", DNS, "public-tls", "2026-02-03", id="398 days end before anything changes"),
        pytest.param("2025-08-26 12:00:00", DNS, "public-tls", "2026-03-15", id="201.5 days old when 200 begin"),
        pytest.param("2025-08-28", DNS, "public-tls", "2026-03-16", id="199 days old when 200 begin"),
        pytest.param("2026-03-15", DNS, "public-tls", "2026-10-01", id="200 days, wholly within"),
        pytest.param(
            "2026-08-26 23:59:59", DNS, "public-tls", "2027-03-14 23:59:59", id="200 days end a second before"
        ),
        pytest.param("2026-08-27", DNS, "public-tls", "2027-03-15", id="200 days end as 100 begin"),
        pytest.param("2026-12-05", DNS, "public-tls", "2027-03-15", id="exactly 100 days old when 100 begin"),
        pytest.param("2026-12-05 00:00:01", DNS, "public-tls", "2027-03-15 00:00:01", id="a second younger than that"),
        pytest.param("2027-01-01", DNS, "public-tls", "2027-04-11", id="proven under 200, ends under 100"),
        pytest.param("2028-12-05", DNS, "public-tls", "2029-03-15", id="100 days end as 10 begin"),
        pytest.param("2029-03-01", DNS, "public-tls", "2029-03-15", id="14 days old when 10 begin"),
        pytest.param("2029-03-14", DNS, "public-tls", "2029-03-24", id="proven under 100, ends under 10"),
        pytest.param("2030-01-01", DNS, "public-tls", "2030-01-11", id="10 days"),
        pytest.param("2027-01-01", DNS, "private", "2027-04-11", id="private authorities go by the same table"),
        pytest.param("2027-01-01", DNS, "public-smime", "2028-02-03", id="a mailbox's domain: 398 days (S/MIME BR)"),
        pytest.param("2026-11-21", STAYS, "public-tls", "2026-12-01", id="a record that stays: 10 days (.22)"),
        pytest.param("2026-11-21", STAYS, "public-smime", "2026-12-01", id="for mailboxes, too"),
        pytest.param("2028-01-01", MAIL, "public-tls", "2028-03-15", id="what mail proved ends with the method"),
        pytest.param("2027-06-01", MAIL, "public-tls", "2027-09-09", id="mail, while it may be used"),
        pytest.param("2027-10-01", MAIL, "public-smime", "2028-03-15", id="mail ends for mailboxes' domains, too"),
        pytest.param("2026-11-21", MAILBOX, "public-smime", "2026-12-21", id="the mailbox itself: 30 days"),
    ],
)
def test_ends(proved, method, trust, ends):
    assert usable_until(at(proved), method, trust) == at(ends)
    assert counts_on(at(proved), method, trust, at(ends) - SECOND)
    assert not counts_on(at(proved), method, trust, at(ends))
    assert not counts_on(at(proved), method, trust, at(ends) + SECOND)


def test_nothing_counts_before_it_was_proven():
    assert not counts_on(at("2026-11-21"), DNS, "public-tls", at("2026-11-21") - SECOND)
    assert counts_on(at("2026-11-21"), DNS, "public-tls", at("2026-11-21"))


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("trust", ["public-tls", "public-smime", "private"])
def test_once_it_does_not_count_it_never_does_again(method, trust):
    for start in range(0, 1600, 97):
        proved = at("2025-06-01") + timedelta(days=start)
        ends = usable_until(proved, method, trust)
        counted = [counts_on(proved, method, trust, proved + timedelta(days=day)) for day in range(0, 450, 9)]
        assert counted == sorted(counted, reverse=True)
        assert all(counts == (proved + timedelta(days=9 * number) < ends) for number, counts in enumerate(counted))
