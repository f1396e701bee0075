"""What the Key step offers to a browser that makes the key itself, and what it could ever send of it."""

import pytest

from lifecycle.wizards.forms import KeyForm
from lifecycle.wizards.key_maker import KeyMaker
from portal.foundation.tenancy.context import acting_for
from tests.web.browsing import Visitor
from tests.world import begun, csr, issued


def offered(draft, person, kinds):
    with acting_for(draft.tenant_id, person=person.pk):
        draft.profile.content = {**draft.profile.content, "key_types": kinds}
        return [kind.slug for kind in KeyMaker.of(draft).kinds]


def test_what_the_profile_takes_is_offered_in_its_order(petra, acme):
    draft = begun(petra, acme)
    assert offered(draft, petra, ["rsa-3072", "ec-p384"]) == ["rsa-3072", "ec-p384"]
    assert offered(draft, petra, ["ec-p256"]) == ["ec-p256"]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Petra Nováková", "Petra-Novakova.key"),
        ("www.acme.example", "www.acme.example.key"),
        ("*.acme.example", "acme.example.key"),
        ("../../etc/passwd", "etc-passwd.key"),
        ("CON\r\n.exe\u202e", "CON-.exe.key"),
        ("a" * 64, f"{'a' * 60}.key"),
    ],
)
def test_the_file_has_a_name_that_every_file_system_takes(petra, acme, name, file):
    draft = begun(petra, acme)
    draft.answers = {"subject": {"common_name": name}}
    with acting_for(acme.pk, person=petra.pk):
        assert KeyMaker.of(draft).file == file


def test_without_any_such_letter_it_is_called_after_the_request(petra, acme):
    draft = begun(petra, acme)
    with acting_for(acme.pk, person=petra.pk):
        for answers in ({}, {"subject": {"common_name": "李伟"}}):
            draft.answers = answers
            assert KeyMaker.of(draft).file == f"{draft.number}.key"


def test_a_rekey_is_called_after_its_certificate(petra, acme):
    draft = begun(petra, acme, source=issued(petra, acme))
    with acting_for(acme.pk, person=petra.pk):
        assert KeyForm(draft=draft).maker.file == "Petra-Novakova.key"


def test_nothing_of_the_maker_can_be_posted_and_without_script_it_is_not_shown(petra, acme):
    draft = begun(petra, acme, source=issued(petra, acme))
    page = Visitor(petra).open(f"/t/acme/requests/{draft.pk}/key/")

    [panel] = [one for one in page.tree.iter("section") if one.get("data-key-maker")]
    assert panel.get("hidden") is not None
    controls = [one for tag in ("input", "select", "textarea", "button") for one in panel.iter(tag)]
    assert len(controls) >= 5
    assert [one.get("id") for one in controls if one.get("name") is not None] == []
    [choice] = [one for one in page.tree.iter("fieldset") if one.get("data-key-choice") is not None]
    assert choice.get("hidden") is not None
    assert "A CSR is needed here." in page.text


def test_where_the_key_was_made_is_nothing_the_server_asks(petra, acme):
    """What a page posts beside the CSR changes nothing and is not kept."""
    draft = begun(petra, acme, source=issued(petra, acme))
    page = Visitor(petra).open(f"/t/acme/requests/{draft.pk}/key/").press("Next", csr=csr(), way="browser")
    assert page.address.endswith("/confirm/")
    with acting_for(acme.pk):
        draft.refresh_from_db()
        assert set(draft.answers["key"]) == {"csr", "spki", "key_type", "public_key"}
