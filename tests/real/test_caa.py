"""CAA against a real name server (RFC 8659): the zone is the specification."""

from dataclasses import replace
from datetime import UTC, datetime

import dns.zone
import pytest

from lifecycle.validation import evidence
from lifecycle.validation.caa import LookupFailed, Reason, Terms, climb, permits, relevant_set
from lifecycle.validation.looking import look_at
from lifecycle.validation.resolver import DnsResolver
from tests.fakes.knot import ROOT_ZONE, Knot

ACCOUNT = "https://ca.portal.example/accounts/1"
US = Terms(("ca.portal.example",), ACCOUNT, ("ca-tbr-7",))


def terms_of(name):
    """Return on which terms a case is judged: a name whose mailboxes are meant begins with an at sign."""
    return replace(US, mail=name.startswith("@"))


MANY = "\n".join(f'many CAA 0 issue "ca{number}.example"' for number in range(1001))
LONG = "\n".join(f'long CAA 0 issue "ca{number}.{"x" * 60}.example"' for number in range(40))

ZONE = f"""\
$ORIGIN example.test.
$TTL 300
@                 SOA    ns.test. admin.test. 1 3600 600 86400 60
                  NS     ns.test.
plain             A      192.0.2.1
ours              CAA    0 issue "ca.portal.example"
www.ours          A      192.0.2.1
capitals          CAA    0 ISSUE "CA.Portal.Example"
blanks            CAA    0 issue "  ca.portal.example  ; policy = ev "
parameters        CAA    0 issue "ca.portal.example; policy=ev; other=https://ca.portal.example/1"
account           CAA    0 issue "ca.portal.example; accounturi=https://ca.portal.example/accounts/1"
account-theirs    CAA    0 issue "ca.portal.example; accounturi=https://ca.portal.example/accounts/2"
account-twice     CAA    0 issue "ca.portal.example; accounturi=https://ca.portal.example/accounts/1; accounturi=x:y"
method            CAA    0 issue "ca.portal.example; validationmethods=ca-tbr-18,ca-tbr-7"
method-other      CAA    0 issue "ca.portal.example; validationmethods=dns-01"
both              CAA    0 issue "ca.portal.example; validationmethods=ca-tbr-7; accounturi=https://ca.portal.example/accounts/2"
theirs            CAA    0 issue "other.example"
either            CAA    0 issue "other.example"
                  CAA    0 issue "ca.portal.example"
nobody            CAA    0 issue ";"
nobody-else       CAA    0 issue ";"
                  CAA    0 issue "ca.portal.example"
empty-value       CAA    0 issue ""
only-iodef        CAA    0 iodef "mailto:security@example.test"
only-mail         CAA    0 issuemail "other.example"
mail-and-issue    CAA    0 issuemail "ca.portal.example"
                  CAA    0 issue "other.example"
unknown           CAA    0 tbs "x"
unknown-critical  CAA    128 tbs "x"
                  CAA    0 issue "ca.portal.example"
unknown-bit-one   CAA    1 tbs "x"
                  CAA    0 issue "ca.portal.example"
unknown-bit-two   CAA    2 tbs "x"
                  CAA    0 issue "ca.portal.example"
known-critical    CAA    128 issue "ca.portal.example"
                  CAA    128 iodef "mailto:security@example.test"
                  CAA    128 IssueMail "other.example"
                  CAA    128 issuevmc "other.example"
theirs-critical   CAA    128 issue "other.example"
sub               CAA    0 issue "www.ca.portal.example"
wild-theirs       CAA    0 issue "ca.portal.example"
                  CAA    0 issuewild "other.example"
wild-ours         CAA    0 issue "other.example"
                  CAA    0 issuewild "ca.portal.example"
wild-nobody       CAA    0 issue "ca.portal.example"
                  CAA    0 issuewild ";"
wild-only-theirs  CAA    0 issuewild "other.example"
wild-malformed    CAA    0 issue "ca.portal.example"
                  CAA    0 issuewild "ca.portal.example."
*.starred         CAA    0 issue "other.example"
starred           CAA    0 issue "ca.portal.example"
dot-at-end        CAA    0 issue "ca.portal.example."
semicolon-at-end  CAA    0 issue "ca.portal.example; policy=ev;"
two-names         CAA    0 issue "ca.portal.example other.example"
no-equals         CAA    0 issue "ca.portal.example; policy"
blank-in-tag      CAA    0 issue "ca.portal.example; pol icy=ev"
hyphen-at-end     CAA    0 issue "ca.portal.example-"
underscore        CAA    0 issue "ca_portal.example"
control           CAA    0 issue "ca.portal.example\\000"
latin             CAA    0 issue "ca.portal.ex\\228mple"
malformed-ours    CAA    0 issue "%%%%%"
                  CAA    0 issue "ca.portal.example"
alias-theirs      CNAME  theirs
alias-ours        CNAME  ours
alias-plain       CNAME  plain
alias-twice       CNAME  alias-theirs
alias-away        CNAME  www.elsewhere.test.
alias-parent      CNAME  below.elsewhere.test.
alias-nowhere     CNAME  gone.elsewhere.test.
under.theirs      CNAME  plain
loop-one          CNAME  loop-two
loop-two          CNAME  loop-one
closest           CAA    0 issue "other.example"
a.closest         CAA    0 issue "ca.portal.example"
iodef.theirs      CAA    0 iodef "mailto:security@example.test"
html              CAA    0 issue "<script>alert(1)</script>"
{MANY}
{LONG}
"""

ELSEWHERE = """\
$ORIGIN elsewhere.test.
$TTL 300
@      SOA  ns.test. admin.test. 1 3600 600 86400 60
       NS   ns.test.
       CAA  0 issue "other.example"
www    CAA  0 issue "ca.portal.example"
below  A    192.0.2.1
"""

# What a top-level domain says counts for everything below it; only the root has no say.
TOP = """\
$ORIGIN top.
$TTL 300
@              SOA  ns.test. admin.test. 1 3600 600 86400 60
               NS   ns.test.
               CAA  0 issue "other.example"
deep.down.here A    192.0.2.1
"""


def _plain(origin: str, *lines: str) -> str:
    return "\n".join(
        [f"$ORIGIN {origin}", "$TTL 300", "@ SOA ns.test. admin.test. 1 3600 600 86400 60", "@ NS ns.test.", *lines, ""]
    )


@pytest.fixture(scope="module")
def knot(tmp_path_factory):
    zones = {
        ".": ROOT_ZONE,
        "test.": _plain("test."),
        "example.test.": ZONE,
        "elsewhere.test.": ELSEWHERE,
        "top.": TOP,
    }
    server = Knot(tmp_path_factory.mktemp("knot"), zones)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def resolver(knot):
    return DnsResolver([knot.server])


CASES = [
    # name                                allowed  found at                         why                      clause
    # --- 3: whose records count
    ("plain.example.test",                True,    None,                            Reason.NO_RECORDS,       "3"),
    ("not-there.example.test",            True,    None,                            Reason.NO_RECORDS,       "3"),
    ("ours.example.test",                 True,    "ours.example.test",             Reason.NAMED,            "4.2"),
    ("www.ours.example.test",             True,    "ours.example.test",             Reason.NAMED,            "4.2"),
    ("not.there.ours.example.test",       True,    "ours.example.test",             Reason.NAMED,            "4.2"),
    ("www.theirs.example.test",           False,   "theirs.example.test",           Reason.OTHERS_NAMED,     "4.2"),
    ("a.closest.example.test",            True,    "a.closest.example.test",        Reason.NAMED,            "4.2"),
    ("iodef.theirs.example.test",         True,    "iodef.theirs.example.test",     Reason.NOT_RESTRICTED,   "3"),
    ("deep.down.here.top",                False,   "top",                           Reason.OTHERS_NAMED,     "4.2"),
    ("OURS.Example.Test.",                True,    "ours.example.test",             Reason.NAMED,            "4.2"),
    # --- 3: aliases; the climb goes on at the alias's own parent
    ("alias-theirs.example.test",         False,   "alias-theirs.example.test",     Reason.OTHERS_NAMED,     "4.2"),
    ("alias-ours.example.test",           True,    "alias-ours.example.test",       Reason.NAMED,            "4.2"),
    ("alias-plain.example.test",          True,    None,                            Reason.NO_RECORDS,       "3"),
    ("alias-twice.example.test",          False,   "alias-twice.example.test",      Reason.OTHERS_NAMED,     "4.2"),
    ("alias-away.example.test",           True,    "alias-away.example.test",       Reason.NAMED,            "4.2"),
    ("alias-parent.example.test",         True,    None,                            Reason.NO_RECORDS,       "3"),
    ("alias-nowhere.example.test",        True,    None,                            Reason.NO_RECORDS,       "3"),
    ("under.theirs.example.test",         False,   "theirs.example.test",           Reason.OTHERS_NAMED,     "4.2"),
    # --- 4.1, 4.2: who is named
    ("capitals.example.test",             True,    "capitals.example.test",         Reason.NAMED,            "4.2"),
    ("blanks.example.test",               True,    "blanks.example.test",           Reason.NAMED,            "4.2"),
    ("parameters.example.test",           True,    "parameters.example.test",       Reason.NAMED,            "4.2"),
    ("theirs.example.test",               False,   "theirs.example.test",           Reason.OTHERS_NAMED,     "4.2"),
    ("either.example.test",               True,    "either.example.test",           Reason.NAMED,            "4.2"),
    ("nobody.example.test",               False,   "nobody.example.test",           Reason.NOBODY_NAMED,     "4.2"),
    ("nobody-else.example.test",          True,    "nobody-else.example.test",      Reason.NAMED,            "4.2"),
    ("empty-value.example.test",          False,   "empty-value.example.test",      Reason.NOBODY_NAMED,     "4.2"),
    ("sub.example.test",                  False,   "sub.example.test",              Reason.OTHERS_NAMED,     "4.2"),
    ("only-iodef.example.test",           True,    "only-iodef.example.test",       Reason.NOT_RESTRICTED,   "3"),
    ("only-mail.example.test",            True,    "only-mail.example.test",        Reason.NOT_RESTRICTED,   "3"),
    ("mail-and-issue.example.test",       False,   "mail-and-issue.example.test",   Reason.OTHERS_NAMED,     "4.2"),
    # --- RFC 8657: on which account, and by which method
    ("account.example.test",              True,    "account.example.test",          Reason.NAMED,            "4.2"),
    ("account-theirs.example.test",       False,   "account-theirs.example.test",   Reason.OTHER_ACCOUNT,    "8657 3"),
    ("account-twice.example.test",        False,   "account-twice.example.test",    Reason.UNSATISFIABLE,    "8657 3"),
    ("method.example.test",               True,    "method.example.test",           Reason.NAMED,            "4.2"),
    ("method-other.example.test",         False,   "method-other.example.test",     Reason.OTHER_METHOD,     "8657 4"),
    ("both.example.test",                 False,   "both.example.test",             Reason.OTHER_ACCOUNT,    "8657 3"),
    # --- RFC 9495: mailboxes, for which `issue` says nothing
    ("@only-mail.example.test",           False,   "only-mail.example.test",        Reason.OTHERS_NAMED,     "9495 4"),
    ("@mail-and-issue.example.test",      True,    "mail-and-issue.example.test",   Reason.NAMED,            "9495 4"),
    ("@theirs.example.test",              True,    "theirs.example.test",           Reason.NOT_RESTRICTED,   "9495 4"),
    # --- 4.2: values outside the grammar name nobody
    ("dot-at-end.example.test",           False,   "dot-at-end.example.test",       Reason.MALFORMED,        "4.2"),
    ("semicolon-at-end.example.test",     False,   "semicolon-at-end.example.test", Reason.MALFORMED,        "4.2"),
    ("two-names.example.test",            False,   "two-names.example.test",        Reason.MALFORMED,        "4.2"),
    ("no-equals.example.test",            False,   "no-equals.example.test",        Reason.MALFORMED,        "4.2"),
    ("blank-in-tag.example.test",         False,   "blank-in-tag.example.test",     Reason.MALFORMED,        "4.2"),
    ("hyphen-at-end.example.test",        False,   "hyphen-at-end.example.test",    Reason.MALFORMED,        "4.2"),
    ("underscore.example.test",           False,   "underscore.example.test",       Reason.MALFORMED,        "4.2"),
    ("control.example.test",              False,   "control.example.test",          Reason.MALFORMED,        "4.2"),
    ("latin.example.test",                False,   "latin.example.test",            Reason.MALFORMED,        "4.2"),
    ("html.example.test",                 False,   "html.example.test",             Reason.MALFORMED,        "4.2"),
    ("malformed-ours.example.test",       True,    "malformed-ours.example.test",   Reason.NAMED,            "4.2"),
    # --- 4.3: wildcards
    ("*.plain.example.test",              True,    None,                            Reason.NO_RECORDS,       "3"),
    ("*.ours.example.test",               True,    "ours.example.test",             Reason.NAMED,            "4.2"),
    ("*.theirs.example.test",             False,   "theirs.example.test",           Reason.OTHERS_NAMED,     "4.2"),
    ("*.wild-theirs.example.test",        False,   "wild-theirs.example.test",      Reason.OTHERS_NAMED,     "4.3"),
    ("wild-theirs.example.test",          True,    "wild-theirs.example.test",      Reason.NAMED,            "4.2"),
    ("*.wild-ours.example.test",          True,    "wild-ours.example.test",        Reason.NAMED,            "4.3"),
    ("wild-ours.example.test",            False,   "wild-ours.example.test",        Reason.OTHERS_NAMED,     "4.2"),
    ("*.wild-nobody.example.test",        False,   "wild-nobody.example.test",      Reason.NOBODY_NAMED,     "4.3"),
    ("*.wild-malformed.example.test",     False,   "wild-malformed.example.test",   Reason.MALFORMED,        "4.3"),
    ("wild-only-theirs.example.test",     True,    "wild-only-theirs.example.test", Reason.NOT_RESTRICTED,   "3"),
    ("*.wild-only-theirs.example.test",   False,   "wild-only-theirs.example.test", Reason.OTHERS_NAMED,     "4.3"),
    ("*.starred.example.test",            True,    "starred.example.test",          Reason.NAMED,            "4.2"),
    # --- 4.5: the critical flag
    ("unknown.example.test",              True,    "unknown.example.test",          Reason.NOT_RESTRICTED,   "3"),
    ("unknown-critical.example.test",     False,   "unknown-critical.example.test", Reason.UNKNOWN_CRITICAL, "4.5"),
    ("unknown-bit-one.example.test",      False,   "unknown-bit-one.example.test",  Reason.UNKNOWN_CRITICAL, "4.5"),
    ("unknown-bit-two.example.test",      True,    "unknown-bit-two.example.test",  Reason.NAMED,            "4.2"),
    ("known-critical.example.test",       True,    "known-critical.example.test",   Reason.NAMED,            "4.2"),
    ("theirs-critical.example.test",      False,   "theirs-critical.example.test",  Reason.OTHERS_NAMED,     "4.2"),
    # --- a set that does not fit into a datagram comes over TCP
    ("long.example.test",                 False,   "long.example.test",             Reason.OTHERS_NAMED,     "4.2"),
]  # fmt: skip


@pytest.mark.rule("0.R26")
@pytest.mark.parametrize(("name", "allowed", "found_at", "reason", "clause"), CASES, ids=[case[0] for case in CASES])
def test_what_the_records_say(resolver, name, allowed, found_at, reason, clause):
    found = relevant_set(name, resolver)
    decision = permits(found, terms_of(name))
    assert (decision.permitted, found.found_at, decision.reason) == (allowed, found_at, reason)
    assert decision.clause == f"RFC {clause if ' ' in clause else f'8659 {clause}'}"


def test_no_two_cases_differ_only_in_their_names():
    zone = dns.zone.from_text(ZONE, "example.test.", relativize=True)
    shapes: dict[object, list[str]] = {}
    for name, *_ in CASES:
        said = tuple(
            str(sorted(each.to_text() for each in zone.get_node(here.removesuffix(".example.test")) or ()))
            if here.endswith(".example.test")
            else here
            for here in (name, *climb(name))  # what stands at the star itself must not be asked
        )
        spelling = name.startswith("*."), name.startswith("@"), name == name.lower(), name.endswith(".")
        shapes.setdefault((spelling, said), []).append(name)
    assert [names for names in shapes.values() if len(names) > 1] == []


FAILURES = [
    ("many.example.test",      Reason.TOO_MUCH,   "many.example.test"),
    ("loop-one.example.test",  Reason.ALIAS_LOOP, "loop-one.example.test"),
    ("www.lame",               Reason.BAD_ANSWER, "www.lame"),
    ("a..b.example.test",      Reason.NOT_A_NAME, "a..b.example.test"),
    ("bücher.example.test",    Reason.NOT_A_NAME, "bücher.example.test"),
    ("",                       Reason.NOT_A_NAME, ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "reason", "asked"), FAILURES, ids=[case[0] for case in FAILURES])
def test_what_is_no_answer_is_no_consent(resolver, name, reason, asked):
    with pytest.raises(LookupFailed) as failed:
        relevant_set(name, resolver)
    assert (failed.value.reason, failed.value.asked) == (reason, asked)


def test_a_server_that_does_not_know_the_zone_refuses_and_that_is_no_consent(tmp_path):
    server = Knot(tmp_path, {"example.test.": _plain("example.test.")})
    server.start()
    try:
        with pytest.raises(LookupFailed) as failed:
            relevant_set("www.elsewhere.test", DnsResolver([server.server]))
        # nor is it one where the climb meets it half-way: nobody has an opinion up to there
        with pytest.raises(LookupFailed) as above:
            relevant_set("www.example.test", DnsResolver([server.server]))
    finally:
        server.stop()
    assert (failed.value.reason, failed.value.asked) == (Reason.REFUSED, "www.elsewhere.test")
    assert (above.value.reason, above.value.asked) == (Reason.REFUSED, "test")


def test_the_climb_is_written_down_label_by_label(resolver):
    found = relevant_set("*.www.not.there.example.test", resolver)
    assert found.asked == (
        "www.not.there.example.test", "not.there.example.test", "there.example.test", "example.test", "test",
    )  # fmt: skip
    assert found.found_at is None
    assert relevant_set("a.closest.example.test", resolver).asked == ("a.closest.example.test",)


def test_an_answer_says_whose_records_they_are_for_how_long_and_who_said_so(resolver, knot):
    answer = relevant_set("alias-away.example.test", resolver).answer
    assert (answer.owner, answer.ttl, answer.resolver) == ("www.elsewhere.test", 300, f"127.0.0.1:{knot.port}")
    assert answer.authentic is False  # nobody signed this zone


@pytest.mark.parametrize("name", [case[0] for case in CASES])
def test_the_verdict_can_be_computed_again_from_what_is_kept(resolver, name):
    found = relevant_set(name, resolver)
    decision = permits(found, terms_of(name))
    moment = datetime.fromtimestamp(0, UTC)
    kept = evidence.of_look(evidence.Look(name, moment, moment, found), decision, US)
    again = evidence.seen(name, kept)
    assert (again, permits(again, terms_of(name))) == (found, decision)


def test_a_hundred_names_are_looked_at_side_by_side(resolver):
    names = [f"host{number}.deep.ours.example.test" for number in range(100)]
    looks = [look for some in look_at(names, resolver) for look in some]
    assert sorted(look.name for look in looks) == sorted(names)
    assert all(permits(look.found, US).permitted for look in looks)
