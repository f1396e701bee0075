"""The ways to prove control: their dates and cover as the rules say, what they ask, and what they make of answers."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from lifecycle.validation import diagnosis
from lifecycle.validation.caa import Reason
from lifecycle.validation.evidence import escaped
from lifecycle.validation.methods import METHODS, fresh_value, rules_on, usable_on
from lifecycle.validation.questions import Asked, Observation, Question
from portal.foundation.outbound import Reason as Unfetched
from tests.fakes.everywhere import Everywhere

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ADN, ACCOUNT, VALUE = "www.shop.example", "acct:acme@portal.example", "abcdefghijklmnopqrstuvwxyz234567"
OWNER = f"_portal-validation.{ADN}"
STAYS = f"_validation-persist.{ADN}"
DNS, FILE, PERSIST, BUILT, CAA, TXT, MAILBOX = METHODS.values()


def judged(method, internet, value=VALUE, domain=ADN):
    """What *method* makes of what can be seen, further questions included where the first were in vain."""
    views = internet(method.questions(domain, value), corroborated=False)
    finding = method.judge(views.primary, domain, value, ACCOUNT, NOW)
    if finding.seen or (views.primary and views.primary[0].reason):
        return finding
    astray = internet(method.astray(domain, value), corroborated=False)
    return method.judge([*views.primary, *astray.primary], domain, value, ACCOUNT, NOW)


# --- rows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slug", "number", "label", "wildcard", "prune"),
    [
        ("dns-change", "3.2.2.4.7", "ca-tbr-7", True, True),
        ("http-file", "3.2.2.4.18", "ca-tbr-18", False, False),
        ("dns-persist", "3.2.2.4.22", "ca-tbr-22", True, True),
        ("constructed-email", "3.2.2.4.4", "ca-tbr-4", True, True),
        ("caa-email", "3.2.2.4.13", "ca-tbr-13", True, True),
        ("txt-email", "3.2.2.4.14", "ca-tbr-14", True, True),
        ("mailbox", "3.2.2.2", "", False, False),
    ],
)
def test_rows_are_those_of_the_rules(slug, number, label, wildcard, prune):
    """BR 2.3.0, table in 3.2.2.4 (columns "Wildcard" and "Prune"); S/MIME BR 3.2.2.2."""
    method = METHODS[slug]
    assert (method.number, method.label) == (number, label)
    assert (method.covers_wildcards, method.covers_subnames) == (wildcard, prune)


@pytest.mark.parametrize(
    ("day", "missing"),
    [
        (date(2025, 11, 9), {"dns-persist"}),
        (date(2025, 11, 10), set()),
        (date(2028, 3, 14), set()),
        (date(2028, 3, 15), {"constructed-email", "caa-email", "txt-email"}),
    ],
)
def test_methods_begin_and_end_with_their_dates(day, missing):
    every = {slug for slug, method in METHODS.items() if "dns" in method.kinds}
    assert {method.slug for method in usable_on(day, "dns")} == every - missing


def test_a_mailbox_is_proven_by_mail_alone():
    assert [method.slug for method in usable_on(NOW.date(), "mailbox")] == ["mailbox"]


def test_deadlines():
    assert {method.deadline for method in METHODS.values() if method.document == "BR"} == {timedelta(days=30)}
    assert METHODS["mailbox"].deadline == timedelta(hours=24)


@pytest.mark.parametrize(
    ("day", "version"), [(date(2026, 8, 5), "2.2.8"), (date(2026, 9, 6), "2.2.9"), (date(2026, 9, 7), "2.3.0")]
)
def test_a_proof_names_the_version_in_force(day, version):
    assert rules_on("BR", day) == f"BR {version}"


def test_values_are_random_and_long_enough():
    values = {fresh_value() for _ in range(1000)}
    assert len(values) == 1000
    assert {len(value) for value in values} == {32}  # of 5 bits each
    assert set().union(*values) == set("abcdefghijklmnopqrstuvwxyz234567")


def test_the_value_is_not_in_the_request_for_the_file():
    """BR 3.2.2.4.18: the entire Random Value must not appear in the request."""
    for _ in range(100):
        value = FILE.new_value()
        [question] = FILE.questions(ADN, value)
        assert value not in question.path
        assert question.path.startswith("/.well-known/pki-validation/")
        assert FILE.instruction(ADN, value, ACCOUNT).owner == f"http://{ADN}{question.path}"


@pytest.mark.parametrize(
    ("method", "value", "line"),
    [
        (DNS, VALUE, f'_portal-validation.www.shop.example. TXT "{VALUE}"'),
        (
            DNS,
            f"{VALUE}.portal.example",
            f"_portal-validation.www.shop.example. CNAME {VALUE}.portal.example.",
        ),
        (
            PERSIST,
            "ca.example",
            f'{STAYS}. TXT "ca.example; accounturi={ACCOUNT}; policy=wildcard"',
        ),
        (BUILT, "admin@www.shop.example", "admin@www.shop.example"),
    ],
)
def test_instructions_can_be_copied_as_they_stand(method, value, line):
    assert method.instruction(ADN, value, ACCOUNT).line == line


@pytest.mark.parametrize("cname", [False, True])
def test_what_is_asked_for_is_what_proves(cname):
    """Whoever publishes the instruction has proven it, whichever method publishes."""
    for method in (DNS, FILE, PERSIST):
        value = method.new_value(cname_under="portal.example" if cname else "", issuer="ca.example")
        told, [question] = method.instruction(ADN, value, ACCOUNT), method.questions(ADN, value)
        internet = Everywhere({(question.asked, question.name + question.path): [told.value.encode()]})
        assert judged(method, internet, value).seen
        assert not judged(method, Everywhere(), value).seen


# --- records -------------------------------------------------------------------------------------------------------

RECORDS = {
    "there": ({OWNER: [VALUE]}, "seen"),
    "beside others": ({OWNER: ["v=spf1 -all", VALUE]}, "seen"),
    "nothing": ({}, "nothing-there"),
    "another": ({OWNER: ["v=spf1 -all"]}, "other-value"),
    "one sign less": ({OWNER: [VALUE[:-1]]}, "other-value"),
    "one sign more": ({OWNER: [f"{VALUE}x"]}, "other-value"),
    "within a text": ({OWNER: [f"portal={VALUE}"]}, "other-value"),
    "in quotation marks": ({OWNER: [f'"{VALUE}"']}, "quoted"),
    "in curly ones": ({OWNER: [f"\u201c{VALUE}\u201d"]}, "quoted"),
    "in single ones": ({OWNER: [f"'{VALUE}'"]}, "quoted"),
    "with blanks": ({OWNER: [f" {VALUE} "]}, "altered"),
    "in capitals": ({OWNER: [VALUE.upper()]}, "altered"),
    "without the label": ({ADN: [VALUE]}, "wrong-name"),
    "the zone twice": ({f"{OWNER}.shop.example": [VALUE]}, "missing-dot"),
    "the whole name twice": ({f"{OWNER}.{ADN}": [VALUE]}, "missing-dot"),
}


@pytest.mark.parametrize(("held", "reason"), RECORDS.values(), ids=RECORDS)
def test_records(held, reason):
    internet = Everywhere({(Asked.TXT, name): [text.encode() for text in texts] for name, texts in held.items()})
    assert judged(DNS, internet).reason == reason


def test_an_alias_in_the_way_is_told():
    internet = Everywhere({(Asked.CNAME, OWNER): [b"proofs.hoster.example."]})
    finding = judged(DNS, internet)
    assert finding.reason == "alias"
    assert "proofs.hoster.example." in diagnosis.said(finding.reason, finding.facts).sentence


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (f"{VALUE}.portal.example", "seen"),
        (f"{VALUE}.PORTAL.example.", "seen"),
        ("portal.example", "other-value"),
        (f"{VALUE}.portal.example.shop.example", "other-value"),
    ],
)
def test_cname(target, reason):
    internet = Everywhere({(Asked.CNAME, OWNER): [target.encode()]})
    assert judged(DNS, internet, f"{VALUE}.portal.example").reason == reason


def test_only_zones_that_somebody_can_own_are_asked_for_a_missing_dot():
    doubled = [question.name for question in DNS.astray(ADN, VALUE) if question.name.startswith(f"{OWNER}.")]
    assert doubled == [f"{OWNER}.www.shop.example", f"{OWNER}.shop.example"]


@pytest.mark.parametrize("reason", ["timed-out", "server-failed", "bogus", "refused", "too-much"])
def test_what_could_not_be_seen_is_never_seen(reason):
    internet = Everywhere({(Asked.TXT, OWNER): reason})
    assert judged(DNS, internet).reason == reason
    assert judged(PERSIST, Everywhere({(Asked.TXT, STAYS): reason}), "ca.example").reason == reason
    assert judged(CAA, Everywhere({(Asked.CAA, ADN): reason}), "it@shop.example").reason == reason


# --- files ---------------------------------------------------------------------------------------------------------

FILES = {
    "there": (VALUE, "seen"),
    "with a line's end": (f"{VALUE}\n", "seen"),
    "with one of Windows": (f"{VALUE}\r\n", "seen"),
    "with a byte order mark": (f"\ufeff{VALUE}", "file-bom"),
    "a page": ("<!doctype html><title>Hello</title>", "file-html"),
    "a page that has the value in it": (f"<p>{VALUE}</p>", "file-html"),
    "more behind it": (f"{VALUE} and more", "file-more"),
    "a blank before it": (f" {VALUE}", "file-more"),
    "in quotation marks": (f'"{VALUE}"', "file-more"),
    "another": ("hello", "file-other"),
    "blanks": (" \n", "file-empty"),
    "in capitals": (VALUE.upper(), "file-other"),
}


@pytest.mark.parametrize(("content", "reason"), FILES.values(), ids=FILES)
def test_files(content, reason):
    [question] = FILE.questions(ADN, VALUE)
    internet = Everywhere({(Asked.FILE, question.name + question.path): [content.encode()]})
    assert judged(FILE, internet).reason == reason


@pytest.mark.parametrize(("status", "reason"), [(404, "file-missing"), (410, "file-missing"), (403, "file-status")])
def test_statuses(status, reason):
    [question] = FILE.questions(ADN, VALUE)
    answer = Observation(
        question, NOW, "wrong-status", {"status": status, "url": "http://x", "body": escaped(VALUE.encode())}
    )
    assert FILE.judge([answer], ADN, VALUE, ACCOUNT, NOW).reason == reason


@pytest.mark.parametrize("reason", [reason for reason in Unfetched if reason not in {"wrong-status", "too-large"}])
def test_what_was_not_fetched_is_told_as_such(reason):
    [question] = FILE.questions(ADN, VALUE)
    answer = Observation(question, NOW, reason, {"status": 0, "url": "http://x", "detail": ""})
    assert FILE.judge([answer], ADN, VALUE, ACCOUNT, NOW).reason == reason


# --- records that stay ---------------------------------------------------------------------------------------------

SOON, PAST = int(NOW.timestamp()), int(NOW.timestamp()) - 1
STAYING = {
    "as shown": ("ca.example; accounturi=acct:acme@portal.example; policy=wildcard", "seen"),
    "in another order": ("CA.example;policy=wildcard ; accounturi=acct:acme@portal.example", "seen"),
    "with something unknown": ("ca.example; x=y; accounturi=acct:acme@portal.example; policy=wildcard", "seen"),
    "until now": (f"ca.example; accounturi=acct:acme@portal.example; policy=wildcard; persistUntil={SOON}", "seen"),
    "over": (f"ca.example; accounturi=acct:acme@portal.example; policy=wildcard; persistUntil={PAST}", "persist-ended"),
    "until never": (
        "ca.example; accounturi=acct:acme@portal.example; policy=wildcard; persistUntil=x",
        "persist-malformed",
    ),
    "until twice": (
        f"ca.example; accounturi=acct:acme@portal.example; policy=wildcard; persistUntil={SOON}; persistUntil={SOON}",
        "persist-malformed",
    ),
    "another tenant": ("ca.example; accounturi=acct:globex@portal.example; policy=wildcard", "persist-other-account"),
    "the account in capitals": (
        "ca.example; accounturi=acct:ACME@portal.example; policy=wildcard",
        "persist-other-account",
    ),
    "two accounts": (
        "ca.example; accounturi=acct:acme@portal.example; accounturi=acct:globex@portal.example; policy=wildcard",
        "persist-other-account",
    ),
    "no account": ("ca.example; policy=wildcard", "persist-other-account"),
    "another issuer": (
        "ca.other.example; accounturi=acct:acme@portal.example; policy=wildcard",
        "persist-other-issuer",
    ),
    "no issuer": ("; accounturi=acct:acme@portal.example; policy=wildcard", "persist-other-issuer"),
    "no wildcards": ("ca.example; accounturi=acct:acme@portal.example", "persist-narrow"),
    "a semicolon at the end": (
        "ca.example; accounturi=acct:acme@portal.example; policy=wildcard;",
        "persist-malformed",
    ),
    "something else": ("v=spf1 -all", "persist-malformed"),
}


@pytest.mark.parametrize(("text", "reason"), STAYING.values(), ids=STAYING)
def test_records_that_stay(text, reason):
    internet = Everywhere({(Asked.TXT, STAYS): [text.encode()]})
    assert judged(PERSIST, internet, "ca.example").reason == reason


def test_one_good_record_among_others_is_enough():
    texts = [text.encode() for text, reason in STAYING.values()]
    assert judged(PERSIST, Everywhere({(Asked.TXT, STAYS): texts}), "ca.example").seen


def test_without_an_issuer_or_an_account_nothing_is_proven():
    internet = Everywhere(
        {(Asked.TXT, STAYS): [b"; accounturi=acct:acme@portal.example; policy=wildcard", b"ca.example"]}
    )
    assert not judged(PERSIST, internet, "").seen
    [observation] = internet(PERSIST.questions(ADN, "ca.example"), corroborated=False).primary
    assert not PERSIST.judge([observation], ADN, "ca.example", "", NOW).seen


# --- mailboxes -----------------------------------------------------------------------------------------------------


def test_built_mailboxes_are_the_five_of_the_rules():
    """BR 3.2.2.4.4."""
    for local in ("admin", "administrator", "webmaster", "hostmaster", "postmaster"):
        assert judged(BUILT, Everywhere(), f"{local}@{ADN}").seen
    for other in (f"root@{ADN}", "admin@shop.example", f"Admin@{ADN}", f"admin@{ADN}.", "admin@evil.example", ""):
        assert judged(BUILT, Everywhere(), other).reason == "no-such-contact"


@pytest.mark.parametrize("method", [CAA, TXT], ids=["caa", "txt"])
def test_contacts_come_from_the_dns(method):
    internet = Everywhere(
        {
            (Asked.CAA, ADN): [
                ("contactemail", b"it@Shop.example"),
                ("issue", b"evil@shop.example"),
                ("iodef", b"x@y.example"),
            ],
            (Asked.TXT, f"_validation-contactemail.{ADN}"): [b"it@Shop.example", b"it@shop.example, evil@shop.example"],
        }
    )
    assert judged(method, internet, "it@shop.example").seen
    for other in ("evil@shop.example", "x@y.example", ""):
        finding = judged(method, internet, other)
        assert finding.reason == "no-such-contact"
        assert finding.facts["contacts"] == ["it@shop.example"]


def test_a_mailbox_proves_itself_and_not_its_domain():
    """A CA once took the domain of an approver's address for proven; here it is only what was asked about."""
    assert judged(MAILBOX, Everywhere(), "petra@shop.example", "petra@shop.example").seen
    assert not judged(MAILBOX, Everywhere(), "dan@shop.example", "petra@shop.example").seen


# --- words ---------------------------------------------------------------------------------------------------------


def test_everything_that_can_be_met_has_words():
    failures = list(Reason)[list(Reason).index(Reason.TIMED_OUT) :]
    judged_as = {reason for _held, reason in (*RECORDS.values(), *FILES.values(), *STAYING.values())}
    unfetched = {str(reason) for reason in Unfetched} - {"wrong-status", "too-large"}
    missing = ({str(reason) for reason in failures} | judged_as | unfetched) - diagnosis.WORDS.keys()
    assert not missing


@pytest.mark.parametrize("reason", diagnosis.WORDS)
def test_words_say_what_and_what_to_do(reason):
    told = diagnosis.said(reason, {"name": "x.example", "found": ["a"], "contacts": ["b@x.example"]})
    assert told.sentence[-1] in ".:”t" or told.sentence.endswith(("a”", "b@x.example", "-"))
    assert "{" not in told.sentence + told.next_step
    done = {"seen", "contact-found", "begun-anew", "retired"}
    assert bool(told.next_step) is (reason not in done)


def test_a_strangers_text_is_cut_and_escaped():
    internet = Everywhere({(Asked.TXT, OWNER): [b"<script>\x00\x1b[31m" + b"x" * 5000] * 60})
    finding = judged(DNS, internet)
    shown = diagnosis.said(finding.reason, finding.facts).sentence
    assert len(shown) < 1000
    assert shown.isprintable()
    assert all(len(each) <= 121 for each in finding.facts["found"])


def test_until_when_an_old_value_is_told_is_known():
    [observation] = Everywhere({(Asked.TXT, OWNER): [b"old"]})(DNS.questions(ADN, VALUE), corroborated=False).primary
    told = diagnosis.said("old-value", DNS.judge([observation], ADN, VALUE, ACCOUNT, NOW).facts)
    assert told.cached_until == observation.at + timedelta(seconds=300)
    assert f"{told.cached_until:%Y-%m-%d %H:%M} UTC" in told.next_step


def test_no_two_questions_of_a_look_are_the_same():
    for method in METHODS.values():
        questions = [*method.questions(ADN, VALUE), *method.astray(ADN, VALUE)]
        assert all(one != other for one, other in pairwise(sorted(questions, key=str)))
        assert all(isinstance(question, Question) for question in questions)
