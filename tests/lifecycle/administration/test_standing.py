"""What a policy may ask of a profile: each rule alone, refused for public trust and advised for private."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from auth2fa.factors.codes import CodeSettings
from auth2fa.protocol import Limits
from lifecycle.administration.wording import given_up
from lifecycle.policies.asks import Asks
from lifecycle.policies.limits import FACTOR_SETTINGS
from lifecycle.policies.standing import RULES, Standing, Subject, complaints_about, settled

TODAY = datetime(2026, 11, 21, tzinfo=UTC).date()
TLS = Subject(
    trust="public-tls",
    purposes=("1.3.6.1.5.5.7.3.1",),
    names=("dns",),
    archives_keys=False,
    agreements=frozenset({"subscriber"}),
    reviewers=2,
    reviewers_who_request=0,
    today=TODAY,
)
PRIVATE = replace(TLS, trust="private")
NAMELESS = replace(TLS, names=())
NAMES_ASKED = ("proves_control", "checks_caa", "corroborates")
SOUND = Asks(enabled=True, agreement="subscriber", proves_control=True, checks_caa=True, corroborates=True)
REVOKE = Asks(enabled=True)

# slug: operation, what is wrong, with which subject, refused for private trust as well
BROKEN = {
    "caa-asked": ("issue", replace(SOUND, checks_caa=False), TLS, False),
    "caa-has-names": ("issue", Asks(enabled=True, agreement="subscriber", checks_caa=True), NAMELESS, True),
    "control-asked": ("issue", replace(SOUND, proves_control=False), TLS, False),
    "control-has-names": ("issue", Asks(enabled=True, agreement="subscriber", proves_control=True), NAMELESS, True),
    "perspectives-asked": ("issue", replace(SOUND, corroborates=False), TLS, False),
    "perspectives-look": ("issue", Asks(enabled=True, agreement="subscriber", corroborates=True), NAMELESS, True),
    "revocation-open": ("revoke", Asks(), TLS, False),
    "revocation-swift": ("revoke", replace(REVOKE, approvals=1), TLS, False),
    "server-key-kept": ("recover", REVOKE, replace(TLS, archives_keys=True), False),
    "keys-archived": ("recover", REVOKE, replace(TLS, purposes=("1.3.6.1.5.5.7.3.4",)), True),
    "agreement-asked": ("issue", replace(SOUND, agreement=""), TLS, False),
    "agreement-written": ("issue", replace(SOUND, agreement="other"), TLS, True),
    "factor-known": ("issue", replace(SOUND, factor="pigeon"), TLS, True),
    "factor-settings": ("issue", replace(SOUND, factor="email-code", factor_settings={"tries": 99}), TLS, True),
    "reviewers": ("issue", replace(SOUND, approvals=3), TLS, True),
    "limits": ("issue", replace(SOUND, limits={"most_names": 0}), TLS, True),
    "lifetime": ("issue", replace(SOUND, limits={"longest_days": 201}), TLS, None),
}


def said(operation, asks, subject):
    return {each.rule.slug: each.is_refused for each in complaints_about(Standing(operation, asks, subject))}


def test_every_rule_names_its_source_and_has_its_row():
    assert {rule.slug for rule in RULES} == {*BROKEN, "reviewers-own"}
    assert all(rule.source for rule in RULES)


@pytest.mark.parametrize("operation", ["issue", "rekey", "reissue", "renew"])
def test_a_sound_policy_breaks_nothing(operation):
    assert said(operation, SOUND, TLS) == {}
    assert said("revoke", REVOKE, TLS) == {}
    assert said("recover", Asks(), TLS) == {}


@pytest.mark.parametrize("slug", BROKEN)
def test_each_rule_binds_public_trust_and_advises_or_binds_private(slug):
    operation, asks, subject, binds_private = BROKEN[slug]
    assert said(operation, asks, subject) == {slug: True}
    private = said(operation, asks, replace(subject, trust="private"))
    assert private == ({} if binds_private is None else {slug: binds_private})


def test_the_limit_of_days_follows_the_dated_table():
    asks = replace(SOUND, limits={"longest_days": 150})
    assert said("issue", asks, TLS) == {}
    assert said("issue", asks, replace(TLS, today=date(2027, 3, 14))) == {}
    assert said("issue", asks, replace(TLS, today=date(2027, 3, 15))) == {"lifetime": True}


def test_a_reviewer_who_requests_is_a_warning_and_no_refusal():
    subject = replace(PRIVATE, reviewers_who_request=1)
    assert said("issue", replace(SOUND, approvals=2), subject) == {"reviewers-own": False}
    assert said("issue", replace(SOUND, approvals=1), subject) == {}
    public = replace(subject, trust="public-tls")
    assert said("issue", replace(SOUND, approvals=2), public) == {"reviewers-own": False}


def test_a_profile_without_purposes_may_serve_tls():
    assert said("recover", REVOKE, replace(TLS, purposes=(), archives_keys=True)) == {"server-key-kept": True}


def test_what_public_trust_settles_has_no_switch():
    assert settled("issue", TLS) == dict.fromkeys(NAMES_ASKED, True)
    assert settled("issue", replace(TLS, trust="public-smime", names=("email",))) == dict.fromkeys(NAMES_ASKED, True)
    assert settled("issue", NAMELESS) == dict.fromkeys(NAMES_ASKED, False)
    assert settled("issue", PRIVATE) == {}
    never = dict.fromkeys(NAMES_ASKED, False)
    assert settled("revoke", TLS) == {**never, "enabled": True}
    assert settled("recover", replace(TLS, archives_keys=True)) == {**never, "enabled": False}
    assert settled("recover", PRIVATE) == {**never, "enabled": False}


def test_perspectives_are_no_matter_where_nothing_is_looked_at():
    """Private trust: who neither proves control nor looks at CAA records is told that, and not a third thing."""
    blind = Asks(enabled=True, agreement="subscriber")
    assert said("issue", blind, PRIVATE) == {"control-asked": False, "caa-asked": False}
    for sighted in (replace(blind, proves_control=True), replace(blind, checks_caa=True)):
        assert said("issue", sighted, PRIVATE)["perspectives-asked"] is False


def test_what_is_asked_of_names_is_asked_only_where_certificates_are_made():
    for toggle, rule in (("proves_control", "control-has-names"), ("checks_caa", "caa-has-names")):
        assert said("revoke", replace(REVOKE, **{toggle: True}), TLS) == {rule: True}
    assert said("revoke", replace(REVOKE, corroborates=True), PRIVATE) == {"perspectives-look": True}


def test_the_bounds_on_the_page_are_those_of_the_factor():
    for limit in FACTOR_SETTINGS:
        for good in (limit.least, limit.most):
            assert getattr(CodeSettings(**{limit.slug: good}), limit.slug) == good
        for bad in (limit.least - 1, limit.most + 1):
            with pytest.raises(ValueError, match=limit.slug):
                CodeSettings(**{limit.slug: bad})
    assert {limit.slug for limit in FACTOR_SETTINGS} - {"digits"} == set(Limits.__dataclass_fields__)


@pytest.mark.parametrize(
    ("field", "old", "new", "gives_up"),
    [
        ("factor", "email-code", "", True),
        ("factor", "totp", "email-code", True),
        ("factor", "email-code", "totp", False),
        ("factor", "", "email-code", False),
        ("approvals", 2, 1, True),
        ("approvals", 0, 1, False),
        ("limits.longest_days", 30, None, True),
        ("limits.longest_days", None, 30, False),
        ("factor_settings.digits", 8, 6, True),
        ("factor_settings.tries", 3, 10, True),
        ("checks_caa", True, False, True),
        ("proves_control", True, False, True),
        ("proves_control", False, True, False),
        ("corroborates", True, False, True),
        ("corroborates", False, True, False),
        ("agreement", "subscriber", "other", False),
        ("enabled", True, False, False),
    ],
)
def test_a_laxer_setting_says_what_it_gives_up(field, old, new, gives_up):
    assert bool(given_up(field, old, new)) is gives_up
