"""The rules: each broken one says its sentence, alone and with others, and nothing unknown is judged."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from lifecycle.policies.rules import (
    LONGEST_LIFE,
    RULES,
    Looked,
    PolicyForbids,
    Proposal,
    Proven,
    Source,
    Verdict,
    broken_by,
    enforce,
    in_force,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SOUND = Source(not_after=NOW + timedelta(days=100), revoked_at=None, spki_sha256="old", open_request="")
GOOD = Proposal(
    operation="rekey",
    enabled=True,
    now=NOW,
    trust="private",
    longest_life=timedelta(days=365),
    source=SOUND,
    not_before=NOW,
    not_after=NOW + timedelta(days=100),
    spki_sha256="new",
)

BROKEN = {
    "switched-on": ({"enabled": False}, "switched this operation off"),
    "source-not-revoked": ({"source": replace(SOUND, revoked_at=NOW)}, "was revoked on 2026-11-21"),
    "source-not-expired": ({"source": replace(SOUND, not_after=NOW)}, "expired on 2026-11-21"),
    "one-request-at-a-time": ({"source": replace(SOUND, open_request="RQ-AAAA-2222")}, "Request RQ-AAAA-2222"),
    "lifetime": ({"not_after": NOW + timedelta(days=366)}, "longer than 365 days"),
    "policy-lifetime": (
        {"not_after": NOW + timedelta(days=31), "limits": {"longest_days": 30}},
        "to be valid for at most 30 days",
    ),
    "most-names": ({"names": 3, "limits": {"most_names": 2}}, "at most 2 alternative names in one certificate"),
    "most-open": ({"open_requests": 2, "limits": {"most_open": 2}}, "at most 2 unfinished requests"),
    "caa-permits": (
        {"looked": (Looked("demo.test", Verdict.FORBIDS),)},
        "do not allow our authority to issue: demo.test",
    ),
    "domain-proven": (
        {"proven": (Proven("demo.test", counts=True), Proven("shop.test", counts=False))},
        "not proven that this name is under your control: shop.test",
    ),
    "new-key": ({"spki_sha256": "old"}, "This is the key of the old certificate."),
    "key-not-used": ({"key_is_used": True}, "already belongs to another certificate"),
    "key-not-compromised": ({"key_is_compromised": True}, "reported as compromised"),
}


def test_a_good_proposal_breaks_no_rule():
    assert broken_by(GOOD) == ()
    enforce(GOOD)


def test_each_rule_has_its_row_here_and_names_its_source():
    assert set(BROKEN) == {rule.slug for rule in RULES}
    assert all(rule.source for rule in RULES)


@pytest.mark.parametrize("slug", BROKEN)
def test_each_rule_alone_says_its_sentence(slug):
    change, sentence = BROKEN[slug]
    [broken] = broken_by(replace(GOOD, **change))
    assert broken.rule.slug == slug
    assert sentence in str(broken)
    with pytest.raises(PolicyForbids, match="^" + str(broken)[:20]):
        enforce(replace(GOOD, **change))


def test_what_is_switched_off_says_since_when():
    [broken] = broken_by(replace(GOOD, enabled=False, off_since=NOW - timedelta(days=3)))
    assert "(since 2026-11-18)" in str(broken)


def test_a_refusal_tells_everything_at_once():
    change = {"enabled": False, "key_is_compromised": True, "source": replace(SOUND, revoked_at=NOW, not_after=NOW)}
    with pytest.raises(PolicyForbids) as refused:
        enforce(replace(GOOD, **change))
    slugs = [broken.rule.slug for broken in refused.value.broken]
    assert slugs == ["switched-on", "source-not-revoked", "source-not-expired", "key-not-compromised"]
    assert all(str(broken) in str(refused.value) for broken in refused.value.broken)


def test_what_is_not_known_yet_is_not_judged():
    unknown = replace(GOOD, source=None, not_before=None, not_after=None, spki_sha256=None)
    assert broken_by(unknown) == ()


@pytest.mark.parametrize(
    ("left", "is_broken"),
    [(timedelta(seconds=-1), True), (timedelta(0), True), (timedelta(microseconds=1), False), (timedelta(1), False)],
)
def test_a_source_is_expired_from_its_last_moment_on(left, is_broken):
    proposal = replace(GOOD, source=replace(SOUND, not_after=NOW + left))
    assert [broken.rule.slug for broken in broken_by(proposal)] == (["source-not-expired"] if is_broken else [])


def test_a_source_that_may_be_over_is_not_held_against_it():
    assert broken_by(replace(GOOD, source=replace(SOUND, not_after=NOW), source_may_be_over=True)) == ()


@pytest.mark.parametrize(("seconds", "is_broken"), [(-1, False), (0, False), (1, True)])
@pytest.mark.parametrize(
    ("trust", "day", "days"),
    [
        ("private", date(2026, 11, 21), 365),
        ("public-tls", date(2026, 3, 14), 365),
        ("public-tls", date(2026, 3, 15), 200),
        ("public-tls", date(2027, 3, 14), 200),
        ("public-tls", date(2027, 3, 15), 100),
        ("public-tls", date(2029, 3, 15), 47),
        ("public-smime", date(2026, 11, 21), 365),
    ],
)
def test_a_life_is_at_most_what_profile_and_dated_rules_allow(trust, day, days, seconds, is_broken):
    """BR 6.3.2: a day is 86,400 seconds, and a validity holds its last second."""
    begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
    ends = begins + timedelta(days=days, seconds=seconds)
    proposal = replace(GOOD, trust=trust, not_before=begins, not_after=ends)
    assert bool(broken_by(proposal)) == is_broken


def test_a_dated_table_has_no_row_before_its_first():
    table = LONGEST_LIFE["public-tls"]
    assert in_force(table, min(table) - timedelta(days=1)) is None
    assert in_force(table, min(table)) == timedelta(days=table[min(table)])
    assert in_force({}, date(2026, 1, 1)) is None
