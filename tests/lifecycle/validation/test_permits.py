"""What records permit, by the grammar of RFC 8659 4.2: no name server, no database."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.validation import evidence
from lifecycle.validation.caa import (
    Answer,
    Malformed,
    Reason,
    Record,
    RelevantSet,
    canonical,
    climb,
    issuer_of,
    permits,
    record_to_publish,
)

US = ("ca.portal.example",)

ALNUM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def found(*records: Record, name: str = "www.example.test") -> RelevantSet:
    at = name.removeprefix("*.")
    return RelevantSet(name, at if records else None, Answer(at, records, 60, "127.0.0.1:53"), (at,))


# --- the grammar, written a second time as what makes such values, and what is around it -----------------------------

blank = st.text(" \t", max_size=3)
word = st.from_regex(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,8}", fullmatch=True)
issuer = st.lists(word, min_size=1, max_size=4).map(".".join)
visible = st.text([chr(code) for code in range(0x21, 0x7F) if chr(code) != ";"], max_size=12)
parameter = st.tuples(word, blank, blank, visible).map(lambda part: f"{part[0]}{part[1]}={part[2]}{part[3]}")
between = st.tuples(blank, blank).map(lambda part: f"{part[0]};{part[1]}")


@st.composite
def parameters(draw):
    given_ones = draw(st.lists(parameter, max_size=4))
    text = given_ones[0] if given_ones else ""
    for each in given_ones[1:]:
        text += draw(between) + each
    return text


@st.composite
def issue_values(draw):
    """Return a value that the grammar lets through, with the issuer that it names."""
    name = draw(st.one_of(st.just(""), issuer))
    value = draw(blank) + name + (draw(blank) if name else "")
    if draw(st.booleans()):
        value += ";" + draw(blank) + draw(parameters()) + draw(blank)
    return value, name.lower()


@given(issue_values())
def test_whatever_the_grammar_makes_is_read(made):
    value, name = made
    assert issuer_of(value.encode()) == name


NOT_IN_A_VALUE = [*(chr(code) for code in (*range(0x20), 0x7F) if chr(code) != "\t"), "é", "\u202e"]


@given(issue_values(), st.sampled_from(NOT_IN_A_VALUE), st.data())
def test_one_character_that_is_in_no_value_spoils_all_of_it(made, character, data):
    value, _name = made
    place = data.draw(st.integers(0, len(value)))
    with pytest.raises(Malformed):
        issuer_of((value[:place] + character + value[place:]).encode())


@given(issue_values().filter(lambda made: made[1]), st.sampled_from([".", "-", "_", "..", ".-", "=", " x", "\t."]))
def test_what_follows_a_name_and_is_no_part_of_one_spoils_it(made, end):
    _value, name = made
    with pytest.raises(Malformed):
        issuer_of(f"{name}{end}".encode())


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


EVIL = [b"ca;a=" + b" " * 16_000 + b"\0", b"a-" * 8_000, b" " * 16_000 + b"\0", b";a=b" * 4_000 + b"\0"]


@pytest.mark.parametrize("value", EVIL, ids=["blanks", "hyphens", "blanks first", "parameters"])
def test_a_value_made_to_keep_us_busy_is_read_at_once(value):
    """Were it read by trying again and again, this would take minutes."""
    with pytest.raises(Malformed):
        issuer_of(value)


# --- whole sets ------------------------------------------------------------------------------------------------------


def test_every_set_of_three_is_judged_as_the_sections_say():
    """All sets of up to three of these records, as a wildcard and not, against the sections written as sentences."""
    records = [
        Record(0, "issue", b"ca.portal.example"),
        Record(0, "issue", b"other.example"),
        Record(0, "issue", b";"),
        Record(0, "Issue", b"ca.portal.example;"),
        Record(0, "issue", b"%"),
        Record(0, "issuewild", b"ca.portal.example"),
        Record(0, "issuewild", b"other.example"),
        Record(128, "ISSUEWILD", b";"),
        Record(128, "iodef", b"mailto:a@b"),
        Record(0, "future", b"x"),
        Record(128, "future", b"x"),
        Record(1, "future", b"x"),
    ]
    count = 0
    for size in range(4):
        for some in itertools.combinations(records, size):
            for name in ("www.example.test", "*.www.example.test"):
                assert permits(found(*some, name=name), US).permitted == _by_the_sections(some, name), (some, name)
                count += 1
    assert count == 2 * (1 + 12 + 66 + 220)


def _by_the_sections(records, name):
    if any(each.tag == "future" and each.flags for each in records):
        return False
    wild = [each for each in records if each.tag.lower() == "issuewild"]
    plain = [each for each in records if each.tag.lower() == "issue"]
    counts = wild if wild and name.startswith("*") else plain
    return not counts or any(each.value.startswith(b"ca.portal.example") for each in counts)


def test_identities_are_compared_in_one_spelling_and_an_empty_one_is_nobody():
    ours = found(Record(0, "issue", b"CA.portal.EXAMPLE"))
    assert permits(ours, ["Ca.Portal.Example."]).permitted
    assert permits(ours, ["else.example", "ca.portal.example"]).permitted
    assert not permits(ours, ["portal.example"]).permitted
    assert not permits(ours, []).permitted
    assert not permits(found(Record(0, "issue", b";")), [""]).permitted
    assert not permits(found(Record(0, "issue", b"")), ["."]).permitted


def test_every_bit_of_the_flags():
    critical = [bit for bit in (1, 2, 4, 8, 16, 32, 64, 128) if Record(bit, "x", b"").critical]
    assert critical == [1, 128]
    assert not Record(0, "x", b"").critical


def test_labels_to_ask():
    assert [*climb("*.A.b.Example.")] == ["a.b.example", "b.example", "example"]
    assert canonical(" WWW.Example.Test. ") == "www.example.test"


@pytest.mark.parametrize(
    ("records", "name", "line"),
    [
        ([Record(0, "issue", b"else.test")], "www.example.test", 'www.example.test. CAA 0 issue "ca.portal.example"'),
        ([Record(0, "issue", b"%")], "www.example.test", 'www.example.test. CAA 0 issue "ca.portal.example"'),
        ([Record(0, "issue", b";")], "*.example.test", 'example.test. CAA 0 issue "ca.portal.example"'),
        ([Record(0, "issuewild", b";")], "*.example.test", 'example.test. CAA 0 issuewild "ca.portal.example"'),
        ([Record(128, "future", b"x")], "www.example.test", ""),
    ],
)  # fmt: skip
def test_the_record_to_publish_permits_once_it_stands_beside_the_others(records, name, line):
    seen = found(*records, name=name)
    decision = permits(seen, US)
    assert record_to_publish(seen, decision, US) == line
    assert record_to_publish(seen, decision, []) == ""
    if line:
        _owner, _caa, flags, tag, value = line.split(" ")
        mended = found(*records, Record(int(flags), tag, value.strip('"').encode()), name=name)
        assert permits(mended, US).permitted
        assert decision.reason != Reason.NAMED
