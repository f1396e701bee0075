"""What the CAA adviser says of names, and of records that somebody only thinks of."""

from contextlib import suppress

import pytest

from lifecycle.validation.advice import advise, imagined, only_ours, read, what_if
from lifecycle.validation.caa import Answer, LookupFailed, Reason, Record, RelevantSet, Terms, permits
from lifecycle.validation.errors import UnreadableLine

CA, ACCOUNT = "ca.portal.example", "acct:acme@portal.example"
US = Terms((CA,), ACCOUNT, ("ca-tbr-7",))
MAIL = Terms((CA,), ACCOUNT, ("ca-tbr-7",), mail=True)
HOST = "www.example.test"


def found(*records, name=HOST):
    return RelevantSet(name, "example.test" if records else None, Answer("example.test", records, 60), (name,))


def test_a_verdict_is_told_as_a_look_tells_it():
    forbidden = advise(HOST, found(Record(0, "issue", b"other.example")), US)
    assert (forbidden.permitted, forbidden.clause) == (False, "RFC 8659 4.2")
    assert "permit only other.example to issue for www.example.test" in forbidden.told.sentence
    assert forbidden.told.publish == f'example.test. CAA 0 issue "{CA}"'
    assert forbidden.told.records == ('0 issue "other.example"',)

    free = advise(HOST, found(), US)
    assert (free.permitted, free.clause, free.told.publish) == (True, "RFC 8659 3", "")

    silent = advise(HOST, LookupFailed(Reason.TIMED_OUT, "example.test"), US)
    assert (silent.permitted, silent.clause) == (False, "")
    assert "example.test" in silent.told.sentence


def test_mailboxes_are_told_as_such():
    forbidden = advise("@example.test", found(Record(0, "issuemail", b";"), name="@example.test"), MAIL)
    assert forbidden.told.sentence.endswith("permits nobody to issue for mail of example.test.")
    assert forbidden.told.publish == f'example.test. CAA 0 issuemail "{CA}"'
    failed = advise("@example.test", LookupFailed(Reason.REFUSED, "example.test"), MAIL)
    assert "@" not in failed.told.sentence


def test_the_records_that_allow_only_us_permit_us_and_nobody_else():
    lines = only_ours(f"*.{HOST}", US)
    assert lines == tuple(
        f'{HOST}. CAA 0 {tag} "{CA}; accounturi={ACCOUNT}; validationmethods=ca-tbr-7"'
        for tag in ("issue", "issuewild", "issuemail")
    )
    text = "\n".join(lines)
    strangers = [
        Terms(("other.example",), ACCOUNT, ("ca-tbr-7",)),
        Terms((CA,), "acct:globex@portal.example", ("ca-tbr-7",)),
        Terms((CA,), ACCOUNT, ("ca-tbr-18",)),
    ]
    for name, mail in ((HOST, False), (f"*.{HOST}", False), (f"@{HOST}", True), (f"deep.{HOST}", False)):
        assert what_if(name, text, Terms((CA,), ACCOUNT, ("ca-tbr-7",), mail=mail)).permitted
        assert not any(
            what_if(name, text, Terms(each.identities, each.account, each.methods, mail=mail)).permitted
            for each in strangers
        )
    assert only_ours(HOST, Terms((CA,))) == tuple(f'{HOST}. CAA 0 {tag} "{CA}"' for tag in TAGS)
    assert only_ours(HOST, Terms(())) == ()


TAGS = ("issue", "issuewild", "issuemail")


@pytest.mark.parametrize(
    "line",
    [
        'example.test. 3600 IN CAA 0 issue "ca.portal.example"',
        'example.test. IN 1h CAA 0 issue "ca.portal.example"',
        'Example.TEST IN CAA 0 issue "ca.portal.example"',
        'example.test. CAA 0 issue "ca.portal.example"',
        "example.test.\tcaa\t0\tissue\tca.portal.example",
        'example.test. CAA 0 issue "ca.portal.example" ; ours',
        'example.test. CAA 0 issue "ca\\046portal.exampl\\e"',
    ],
)
def test_every_way_to_write_a_record_is_read(line):
    assert read(HOST, line) == {"example.test": (Record(0, "issue", b"ca.portal.example"),)}


def test_records_without_an_owner_are_the_names_own():
    for line in ('CAA 0 issue ";"', 'IN CAA 0 issue ";"', '300 CAA 0 issue ";"', '@ CAA 0 issue ";"'):
        assert read(f"*.{HOST}", line) == {HOST: (Record(0, "issue", b";"),)}
    assert read("@example.test", 'CAA 0 issuemail ";"') == {"example.test": (Record(0, "issuemail", b";"),)}


def test_lines_between_and_comments_are_passed_over_and_records_add_up():
    text = '\n; ours = only\n  \nCAA 0 issue "a.test"\r\n CAA 128 iodef "mailto:a@b.test"\n'
    assert read(HOST, text) == {HOST: (Record(0, "issue", b"a.test"), Record(128, "iodef", b"mailto:a@b.test"))}


def test_a_value_keeps_whatever_octets_are_written():
    text = 'CAA 0 issue "a\\"b\\\\c\\255 é; d"'
    assert read(HOST, text)[HOST][0].value == b'a"b\\c\xff ' + "é".encode() + b"; d"


REFUSED = {
    "nothing": ("ca.portal.example", "it is no CAA record"),
    "another kind": ("example.test. A 192.0.2.1", "it is no CAA record"),
    "another name": (
        'api.example.test. CAA 0 issue ";"',
        "it is about api.example.test, and only www.example.test and",
    ),
    "a wildcard": ('*.example.test. CAA 0 issue ";"', "it is about *.example.test"),
    "too much before": ('example.test. x 300 CAA 0 issue ";"', "before the word CAA"),
    "the name not first": ('300 example.test. CAA 0 issue ";"', "before the word CAA"),
    "no value": ("CAA 0 issue", "three things"),
    "no flags": ('CAA issue ";"', "three things"),
    "two values": ('CAA 0 issue "a" "b"', "three things"),
    "flags beyond an octet": ('CAA 256 issue ";"', "from 0 to 255"),
    "flags in words": ('CAA critical issue ";"', "from 0 to 255"),
    "flags of other scripts": ('CAA \u0661 issue ";"', "from 0 to 255"),
    "a tag that is none": ('CAA 0 is-sue ";"', "“is-sue” is no tag"),
    "quotation marks of typesetters": ("CAA 0 issue “ca.portal.example; a=b”", "outside the quotation marks"),
    "an open quotation mark": ('CAA 0 issue "ca.portal.example', "a quotation mark is missing"),
    "parameters outside": ('CAA 0 issue "ca"; accounturi=a:b', "outside the quotation marks"),
    "parameters without marks": ("CAA 0 issue ca;validationmethods=ca-tbr-7", "outside the quotation marks"),
    "an octet beyond": ('CAA 0 issue "\\256"', "\\256 stands for no octet"),
    "a long line": ("CAA 0 issue " + "a" * 2_000, "longer than 2000 characters"),
}


@pytest.mark.parametrize(("line", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_a_line_that_cannot_be_read_is_named_by_its_number(line, why):
    with pytest.raises(UnreadableLine) as refused:
        what_if(HOST, f'\nCAA 0 issue "a.test"\n{line}', US)
    assert str(refused.value).startswith("Line 3 cannot be read: ")
    assert why in str(refused.value)
    assert len(str(refused.value)) < 300
    assert refused.value.advice


def test_what_is_told_of_a_line_shows_no_sign_that_does_harm():
    with pytest.raises(UnreadableLine) as refused:
        read(HOST, 'CAA 0 is\x1b\u202esue{number} ";"')
    assert "“isU+001BU+202Esue{number}” is no tag" in str(refused.value)
    assert str(refused.value).isprintable()


def test_more_lines_than_anybody_has_are_refused():
    assert what_if(HOST, "\n" * 99 + 'CAA 0 issue ";"', US).reason == Reason.NOBODY_NAMED
    with pytest.raises(UnreadableLine, match="Line 101"):
        what_if(HOST, "\n" * 100 + 'CAA 0 issue ";"', US)


EVIL = ['"' + "\\" * 1_990, "a " * 900, "\\1" * 900, '"' * 1_900, "CAA " * 450, " " * 1_999]


@pytest.mark.parametrize("line", EVIL, ids=["escapes", "words", "half escapes", "marks", "CAA", "blanks"])
def test_a_line_made_to_keep_us_busy_is_answered_at_once(line):
    with suppress(UnreadableLine):
        read(HOST, "\n".join([line] * 100))


def test_what_if_decides_as_a_look_at_the_same_records_would():
    text = f'example.test. CAA 0 issue "{CA}; accounturi=acct:globex@portal.example"'
    decision = what_if(HOST, text, US)
    assert decision.reason == Reason.OTHER_ACCOUNT
    assert decision == permits(imagined(HOST, text), US)
    assert what_if(HOST, "", US).reason == Reason.NO_RECORDS


def test_what_is_typed_takes_the_place_of_what_stands_on_the_same_label_and_of_nothing_else():
    stands = {HOST: (Record(0, "issue", b"other.example"),), "test": (Record(0, "issue", b";"),)}
    above = f'example.test. CAA 0 issue "{CA}"'
    assert what_if(HOST, above, US, stands=stands).reason == Reason.OTHERS_NAMED
    assert what_if(HOST, f'CAA 0 issue "{CA}"', US, stands=stands).reason == Reason.NAMED
    assert what_if("api.example.test", "", US, stands=stands).reason == Reason.NOBODY_NAMED
    assert what_if("api.example.test", above, US, stands=stands).reason == Reason.NAMED
    seen = imagined(HOST, above, stands=stands)
    assert (seen.found_at, seen.asked) == (HOST, (HOST,))
