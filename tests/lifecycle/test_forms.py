"""The questions by themselves: what they take, what they make of it, and that an answer is accepted again."""

from dataclasses import replace

import pytest
from django.core.exceptions import ValidationError
from django.http import QueryDict

from lifecycle.authorities.names import NAME_KINDS
from lifecycle.wizards.flow import as_posted
from lifecycle.wizards.forms import ActionForm, seen
from lifecycle.wizards.identity import (
    LONGEST_NAME,
    LONGEST_WRITTEN,
    MOST_COMPLAINTS,
    MOST_WRITTEN,
    Lines,
    NameField,
    NameLines,
    printable,
)
from lifecycle.wizards.steps import STEPS
from portal.foundation.tenancy.context import acting_for
from tests.world import filled, issued

LOCAL_PART = "p" * 64


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Petra Nováková", "Petra Nováková"),
        ("  Petra \t Nováková\n", "Petra Nováková"),
        ("Petra\u00a0Nova\u0301kova\u0301", "Petra Nováková"),
        ("李伟", "李伟"),
        ("x" * LONGEST_NAME, "x" * LONGEST_NAME),
    ],
)
def test_a_name_is_its_letters_composed_and_its_spaces_single(given, kept):
    assert NameField().clean(given) == kept


@pytest.mark.parametrize("sign", ["\x00", "\x1b", "\x7f", "\u200b", "\u202e", "\u2066", "\ufeff", "\ufffd", "\ue000"])
def test_a_sign_that_cannot_be_seen_is_named_in_the_refusal(sign):
    with pytest.raises(ValidationError, match=f"U\\+{ord(sign):04X}"):
        printable(f"Petra{sign}")


@pytest.mark.parametrize("given", ["", "   ", "x" * (LONGEST_NAME + 1)])
def test_a_name_that_is_none_or_too_long_is_refused(given):
    with pytest.raises(ValidationError):
        NameField().clean(given)


MOST_ADDRESSES = 10


def names(text, kind="email", *, most=MOST_ADDRESSES, public=False):
    try:
        return NameLines(NAME_KINDS[kind], most=most, public=public).clean(text)
    except ValidationError as wrong:
        return wrong.messages


addresses = names


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("petra@acme.example", ["petra@acme.example"]),
        ("Petra@ACME.Example", ["Petra@acme.example"]),
        ("<petra@acme.example>, dan@acme.example;", ["petra@acme.example", "dan@acme.example"]),
        ("petra@acme.example\r\npetra@acme.example", ["petra@acme.example"]),
        (f"{LOCAL_PART}@acme.example", [f"{LOCAL_PART}@acme.example"]),
        ("o'brien+news@acme.example", ["o'brien+news@acme.example"]),
    ],
)
def test_addresses_are_taken_as_people_write_them(given, kept):
    assert addresses(given) == kept


@pytest.mark.parametrize(
    "given", ["petra", "petra@localhost", "petra@[::1]", "*@acme.example", f"{LOCAL_PART}p@a.example"]
)
def test_what_is_no_mailbox_is_told_by_its_name(given):
    [complaint] = addresses(f"good@acme.example {given}")
    assert complaint.startswith(f"“{given}” cannot stand in a certificate: it is not an e-mail address")


def test_a_long_thing_that_is_no_mailbox_is_shortened_in_the_sentence():
    [complaint] = addresses("p" * 100_000)
    assert len(complaint) < 200


def test_there_are_only_so_many_addresses():
    many = [f"p{number}@acme.example" for number in range(MOST_ADDRESSES + 1)]
    assert addresses(" ".join(many[:-1])) == many[:-1]
    assert addresses(" ".join(many)) == ["One certificate takes at most 10 names; these are 11."]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("www.acme.example", ["www.acme.example"]),
        ("WWW.Acme.Example.\n*.acme.example, acme.example", ["www.acme.example", "*.acme.example", "acme.example"]),
        ("www.acme.example WWW.ACME.EXAMPLE www.acme.example.", ["www.acme.example"]),
        ("bücher.example xn--bcher-kva.example", ["xn--bcher-kva.example"]),
    ],
)
def test_dns_names_are_taken_as_people_write_them_each_once(given, kept):
    assert names(given, "dns", most=100) == kept


def test_every_wrong_name_is_told_at_once_but_not_a_thousand():
    assert len(names("a..example good.example 10.0.0.1", "dns")) == 2
    assert len(names("- " * 1000, "dns")) == MOST_COMPLAINTS


def test_public_trust_takes_names_of_the_public_dns_alone():
    assert names("www.acme.test", "dns") == ["www.acme.test"]
    [complaint] = names("www.acme.test www.acme.com", "dns", public=True)
    assert complaint.startswith("“www.acme.test” cannot stand in a certificate: publicly trusted certificates")


def test_a_hundred_names_fit_and_one_more_does_not():
    many = [f"www{number}.acme.example" for number in range(101)]
    assert names(" ".join(many[:-1]), "dns", most=100) == many[:-1]
    assert names(" ".join(many), "dns", most=100) == ["One certificate takes at most 100 names; these are 101."]


@pytest.mark.parametrize(
    ("text", "most_read"),
    [
        (" ".join(f"w{number}.a.example" for number in range(300)), MOST_ADDRESSES + 1),
        ("A.example a.example " * 200, MOST_ADDRESSES * MOST_WRITTEN),
        ("a.example " * 100_000, 0),
        ("é" * LONGEST_WRITTEN + "x", 0),
    ],
)
def test_what_is_too_much_is_not_even_read(text, most_read):
    read = []
    dns = NAME_KINDS["dns"]
    counting = replace(dns, read=lambda name: read.append(name) or dns.read(name))
    with pytest.raises(ValidationError):
        NameLines(counting, most=MOST_ADDRESSES, public=False).clean(text)
    assert len(read) == most_read


def test_lines_show_a_list_and_read_it_whole():
    assert Lines().format_value(["a", "b"]) == "a\nb"
    assert Lines().format_value(None) == ""
    assert Lines().value_from_datadict(QueryDict("x=a&x=b"), {}, "x") == "a\nb"
    assert Lines().value_from_datadict({"x": "a"}, {}, "x") == "a"


@pytest.mark.parametrize("profile", ["desktop-signing", "secure-email", "tls-server"])
@pytest.mark.parametrize("kind", ["issue", "rekey"])
def test_what_a_form_keeps_it_accepts_again_and_keeps_alike(petra, acme, profile, kind):
    source = issued(petra, acme, profile=profile) if kind == "rekey" else None
    draft = filled(petra, acme, profile=profile, source=source, message="{x} %s <b>")
    with acting_for(acme.pk, person=petra.pk):
        for step in (each for each in STEPS if each.concerns(draft)):
            form = step.form(as_posted(draft.answers[step.slug]), draft=draft)
            assert form.is_valid(), form.errors
            assert form.plain_answers() == draft.answers[step.slug]


def test_what_was_seen_changes_with_every_answer_but_the_confirmation(petra, acme):
    draft = filled(petra, acme)
    before = seen(draft)
    draft.answers["confirm"] = {"message": "else"}
    assert seen(draft) == before
    draft.answers["subject"] = {"common_name": "Else"}
    assert seen(draft) != before


def test_an_action_that_is_not_offered_cannot_be_chosen():
    offered = [("rekey", "Rekey Certificate")]
    assert ActionForm({"action": "rekey", "confirmation": "on"}, choices=offered).is_valid()
    for action in ("revoke", "", "REKEY", "rekey "):
        assert not ActionForm({"action": action, "confirmation": "on"}, choices=offered).is_valid()
    assert not ActionForm({"action": "rekey", "confirmation": "on"}, choices=[]).is_valid()
