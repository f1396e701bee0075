"""What records permit: the table of cases, the grammar of RFC 8659 4.2, lines to publish; no DNS, no database."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.validation import caa, evidence
from lifecycle.validation.caa import Answer, Reason, Record, RelevantSet, Terms, canonical, climb, host_of, permits
from lifecycle.validation.grammar import IssueValue, Malformed
from lifecycle.validation.lines import record_to_publish
from tests.lifecycle.validation.caa_table import ACCOUNT, CA, DNS_CHANGE, MAIL, TABLE, WILD

US = Terms((CA,), account=ACCOUNT, methods=(DNS_CHANGE,))

ALNUM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def found(*records: Record, name: str = "www.example.test") -> RelevantSet:
    at = host_of(name)
    return RelevantSet(name, at if records else None, Answer(at, records, 60, "127.0.0.1:53"), (at,))


# --- the grammar, written a second time as what makes such values, and what is around it -----------------------------

blank = st.text(" \t", max_size=3)
word = st.from_regex(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,8}", fullmatch=True)
issuer = st.lists(word, min_size=1, max_size=4).map(".".join)
visible = st.text([chr(code) for code in range(0x21, 0x7F) if chr(code) != ";"], max_size=12)
parameter = st.tuples(word, blank, blank, visible)
between = st.tuples(blank, blank).map(lambda part: f"{part[0]};{part[1]}")


@st.composite
def parameters(draw):
    """Return parameters as a value writes them, and as they are read."""
    drawn = draw(st.lists(parameter, max_size=4))
    text = ""
    for number, (name, before, behind, value) in enumerate(drawn):
        text += f"{draw(between) if number else ''}{name}{before}={behind}{value}"
    return text, [(name.lower(), value) for name, _before, _behind, value in drawn]


@st.composite
def issue_values(draw):
    """Return a value that the grammar lets through, with the issuer that it names and its parameters."""
    name = draw(st.one_of(st.just(""), issuer))
    value = draw(blank) + name + (draw(blank) if name else "")
    text, read = draw(parameters()) if draw(st.booleans()) else ("", [])
    if read or draw(st.booleans()):
        value += ";" + draw(blank) + text + draw(blank)
    return value, name.lower(), read


@given(issue_values())
def test_whatever_the_grammar_makes_is_read(made):
    value, name, given_ones = made
    said = IssueValue.parsed(value.encode())
    assert (said.issuer, [*said.parameters]) == (name, given_ones)


NOT_IN_A_VALUE = [*(chr(code) for code in (*range(0x20), 0x7F) if chr(code) != "\t"), "é", "\u202e"]


@given(issue_values(), st.sampled_from(NOT_IN_A_VALUE), st.data())
def test_one_character_that_is_in_no_value_spoils_all_of_it(made, character, data):
    value, _name, _parameters = made
    place = data.draw(st.integers(0, len(value)))
    with pytest.raises(Malformed):
        IssueValue.parsed((value[:place] + character + value[place:]).encode())


@given(issue_values().filter(lambda made: made[1]), st.sampled_from([".", "-", "_", "..", ".-", "=", " x", "\t."]))
def test_what_follows_a_name_and_is_no_part_of_one_spoils_it(made, end):
    _value, name, _parameters = made
    with pytest.raises(Malformed):
        IssueValue.parsed(f"{name}{end}".encode())


@given(st.binary(max_size=80))
def test_whatever_bytes_there_are_nobody_but_us_is_permitted_by_them(value):
    """Fail closed: only a value that says our name, the whole of it and nothing else before a `;`, permits."""
    decision = permits(found(Record(0, "issue", value)), US)
    said = value.split(b";")[0].strip(b" \t").lower()
    assert decision.permitted <= (said == b"ca.portal.example")


@given(st.binary(max_size=200))
def test_evidence_keeps_every_byte_and_shows_none_that_does_harm(value):
    text = evidence.escaped(value)
    assert text.isascii()
    assert text.isprintable()
    assert '"' not in text
    assert evidence.unescaped(text) == value


parts = st.sampled_from(
    [CA, "other.example", "", "; accounturi=", ACCOUNT, "acct:globex@portal.example", "; validationmethods=",
     DNS_CHANGE, "ca-tbr-18", ",", ";", " ", "%", "; x=y", "AccountURI="]
)  # fmt: skip
rows = st.builds(
    Record,
    st.sampled_from([0, 1, 128]),
    st.sampled_from(["issue", "Issue", "issuewild", "issuemail", "iodef", "issuevmc", "future"]),
    st.lists(parts, max_size=7).map("".join).map(str.encode) | st.binary(max_size=40),
)


@given(st.lists(rows, min_size=1, max_size=5), st.sampled_from(["www.example.test", WILD, MAIL]), st.booleans())
def test_any_set_is_judged_and_where_a_record_to_publish_is_shown_it_permits(records, name, proven):
    terms = Terms((CA,), ACCOUNT, (DNS_CHANGE,) if proven else (), mail=name == MAIL)
    seen = found(*records, name=name)
    decision = permits(seen, terms)
    line = record_to_publish(seen, decision, terms)
    assert decision.permitted or bool(line) == (decision.reason != Reason.UNKNOWN_CRITICAL)
    if not decision.permitted and line:
        assert permits(found(*records, _published(line), name=name), terms).permitted
        kept = evidence.of_found(name, seen, decision, terms)
        assert permits(evidence.seen(name, kept), terms) == decision


EVIL = [b"ca;a=" + b" " * 16_000 + b"\0", b"a-" * 8_000, b" " * 16_000 + b"\0", b";a=b" * 4_000 + b"\0"]


@pytest.mark.parametrize("value", EVIL, ids=["blanks", "hyphens", "blanks first", "parameters"])
def test_a_value_made_to_keep_us_busy_is_read_at_once(value):
    """Were it read by trying again and again, this would take minutes."""
    with pytest.raises(Malformed):
        IssueValue.parsed(value)


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.rule("0.R27", "0.R28")
@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.says)
def test_every_case_is_judged_as_its_clause_says(case):
    assert case.outcome(caa) == case.expected


def test_every_case_names_a_clause_and_no_two_say_the_same():
    assert all(re.fullmatch(r"(RFC \d{4}|BR) \d+(\.\d+)*", case.clause) for case in TABLE)
    said = [(case.says, case.name[0] in "@*") for case in TABLE]
    assert len(set(said)) == len(said)


def test_no_two_cases_differ_only_in_names():
    shapes = {}
    for case in TABLE:
        assert (twin := shapes.setdefault(_shape(case), case)) is case, f"{case.says} / {twin.says}"


NAMES = {
    "host": re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+"),
    "account": re.compile(r"(?<=acct:)\w+(?=@)"),
    "label": re.compile(r"ca-tbr-\d+"),
}

ORDINARY = re.compile(r"[a-z]{2,}(\.[a-z]{2,})+")


def _shape(case):
    """The case with every name replaced by how many came before it, so that two with the same shape test the same."""
    known = {kind: [] for kind in NAMES}

    def plain(kind, match):
        name = match[0].lower()
        seen = known[kind]
        if name not in seen:
            seen.append(name)
        begins = [number for number, other in enumerate(seen) if name != other and name.startswith(other)]
        spelled = re.sub("[0-9]", "9", re.sub("[a-z]", "x", name)) * (kind == "host" and not ORDINARY.fullmatch(name))
        return f"<{kind} {seen.index(name)} {begins or ''}{spelled}{'!' * (name != match[0])}>"

    def nameless(text):
        for kind, pattern in NAMES.items():
            text = pattern.sub(lambda match, kind=kind: plain(kind, match), text)
        return text

    def records(found):
        if isinstance(found, str | tuple):
            return (
                found if isinstance(found, str) else tuple((f, t, nameless(v.decode("latin-1"))) for f, t, v in found)
            )
        return found.reason, found.forgiven, records(found.then)

    asks = {key: nameless("|".join(value) if isinstance(value, tuple) else value) for key, value in case.asks.items()}
    labels = [*climb(case.name)]
    zone = [(labels.index(at) if at in labels else "elsewhere", records(found)) for at, found in case.zone.items()]
    mark = "".join(sign for sign in case.name if sign in "*@") + "!" * (case.name != canonical(case.name))
    return mark, tuple(sorted(asks.items())), tuple(zone)


# --- whole sets ------------------------------------------------------------------------------------------------------


def test_every_set_of_three_is_judged_as_the_sections_say():
    """All sets of up to three of these records, for a host, a wildcard and mailboxes, against the sections in words."""
    records = [
        Record(0, "issue", CA.encode()),
        Record(0, "issue", b"other.example"),
        Record(0, "issue", b";"),
        Record(0, "Issue", f"{CA};".encode()),
        Record(0, "issue", f"{CA}; accounturi={ACCOUNT}; validationmethods=x,{DNS_CHANGE}".encode()),
        Record(0, "issue", f"{CA}; accounturi=acct:globex@portal.example".encode()),
        Record(0, "issuewild", CA.encode()),
        Record(0, "issuewild", f"{CA}; validationmethods=dns-01".encode()),
        Record(128, "ISSUEWILD", b";"),
        Record(0, "issuemail", CA.encode()),
        Record(128, "IssueMail", b"other.example"),
        Record(128, "iodef", b"mailto:a@b"),
        Record(0, "future", b"x"),
        Record(128, "future", b"x"),
        Record(1, "future", b"x"),
    ]
    count = 0
    for size in range(4):
        for some in itertools.combinations(records, size):
            for name in ("www.example.test", WILD, MAIL):
                terms = Terms((CA,), ACCOUNT, (DNS_CHANGE,), mail=name == MAIL)
                assert permits(found(*some, name=name), terms).permitted == _by_the_sections(some, name), (some, name)
                count += 1
    assert count == 3 * (1 + 15 + 105 + 455)


def _by_the_sections(records, name):
    if any(each.tag == "future" and each.flags for each in records):
        return False
    tags = {"@": ["issuemail"], "*": ["issuewild", "issue"]}.get(name[0], ["issue"])
    sets = [[each for each in records if each.tag.lower() == tag] for tag in tags]
    counts = next((some for some in sets if some), [])
    return not counts or any(
        each.value.startswith(CA.encode()) and b"globex" not in each.value and b"dns-01" not in each.value
        for each in counts
    )


def test_identities_are_compared_in_one_spelling_and_an_empty_one_is_nobody():
    ours = found(Record(0, "issue", b"CA.portal.EXAMPLE"))
    assert permits(ours, Terms(("Ca.Portal.Example.",))).permitted
    assert permits(ours, Terms(("else.example", "ca.portal.example"))).permitted
    assert not permits(ours, Terms(("portal.example",))).permitted
    assert not permits(ours, Terms(("www.ca.portal.example",))).permitted
    assert not permits(ours, Terms(())).permitted
    assert not permits(found(Record(0, "issue", b";")), Terms(("",))).permitted
    assert not permits(found(Record(0, "issue", b"")), Terms((".",))).permitted


def test_terms_are_spelled_in_one_way_and_read_back():
    terms = Terms(("CA.b.", "ca.a", "ca.A."), ACCOUNT, ("ca-tbr-7", "ca-tbr-18"), mail=True, corroborated=True)
    kept = terms.spelled()
    assert kept["identities"] == ["ca.a", "ca.b"]
    assert Terms.from_json(kept).spelled() == kept
    others = [
        Terms(("ca.a",)), Terms(("ca.a",), "x"), Terms(("ca.a",), methods=("y",)), Terms(("ca.a",), mail=True),
        Terms(("ca.a",), corroborated=True), Terms(("ca.b",)),
    ]  # fmt: skip
    spelled = [str(each.spelled()) for each in others]
    assert len(set(spelled)) == len(others), "whoever asks on other terms has looks of their own"


def test_every_bit_of_the_flags():
    critical = [bit for bit in (1, 2, 4, 8, 16, 32, 64, 128) if Record(bit, "x", b"").critical]
    assert critical == [1, 128]
    assert not Record(0, "x", b"").critical


def test_labels_to_ask():
    assert [*climb("*.A.b.Example.")] == ["a.b.example", "b.example", "example"]
    assert [*climb("@b.Example")] == ["b.example", "example"]
    assert canonical(" WWW.Example.Test. ") == "www.example.test"
    assert (canonical("@Example.Test"), host_of("@Example.Test")) == ("@example.test", "example.test")


def ours(parameters=""):
    return Record(0, "issue", f"{CA}{parameters}".encode())


PLAIN = f'www.example.test. CAA 0 issue "{CA}"'
NARROW = f'www.example.test. CAA 0 issue "{CA}; accounturi={ACCOUNT}; validationmethods={DNS_CHANGE}"'


@pytest.mark.parametrize(
    ("records", "name", "line"),
    [
        ([Record(0, "issue", b"else.test")], "www.example.test", PLAIN),
        ([Record(0, "issue", b"else.test; accounturi=x:y")], "www.example.test", PLAIN),
        ([Record(0, "issue", b"%")], "www.example.test", PLAIN),
        ([Record(0, "issue", b";")], WILD, f'example.test. CAA 0 issue "{CA}"'),
        ([Record(0, "issuewild", b";")], WILD, f'example.test. CAA 0 issuewild "{CA}"'),
        ([Record(0, "issuemail", b";")], MAIL, f'example.test. CAA 0 issuemail "{CA}"'),
        ([Record(128, "future", b"x")], "www.example.test", ""),
        ([ours("; accounturi=acct:globex@portal.example")], "www.example.test",
         f'www.example.test. CAA 0 issue "{CA}; accounturi={ACCOUNT}"'),
        ([ours("; accounturi=x")], "www.example.test", f'www.example.test. CAA 0 issue "{CA}; accounturi={ACCOUNT}"'),
        ([ours("; validationmethods=dns-01")], "www.example.test",
         f'www.example.test. CAA 0 issue "{CA}; validationmethods={DNS_CHANGE}"'),
        ([ours("; validationmethods=dns-01;accounturi=acct:globex@portal.example")], "www.example.test", NARROW),
    ],
)  # fmt: skip
def test_the_record_to_publish_permits_once_it_stands_beside_the_others(records, name, line):
    terms = Terms((CA,), ACCOUNT, (DNS_CHANGE,), mail=name == MAIL)
    seen = found(*records, name=name)
    decision = permits(seen, terms)
    assert record_to_publish(seen, decision, terms) == line
    assert record_to_publish(seen, decision, Terms(())) == ""
    if line:
        assert permits(found(*records, _published(line), name=name), terms).permitted
        assert decision.reason != Reason.NAMED


def _published(line):
    _owner, _caa, flags, tag, value = line.split(" ", 4)
    return Record(int(flags), tag, value.strip('"').encode())


def test_where_nothing_is_proven_the_record_to_publish_asks_for_no_method():
    terms = Terms((CA,), ACCOUNT)
    seen = found(ours(f"; accounturi={ACCOUNT}; validationmethods={DNS_CHANGE}"))
    decision = permits(seen, terms)
    assert decision.reason == Reason.UNPROVEN
    line = record_to_publish(seen, decision, terms)
    assert line == f'www.example.test. CAA 0 issue "{CA}; accounturi={ACCOUNT}"'
    assert permits(found(*seen.records, _published(line)), terms).permitted
