"""The reference of the API as a page: every operation, every code, for anybody, without a script."""

import pytest

from portal.api import examples, reference
from portal.api.document import document
from portal.foundation.errors import Refusal
from tests.web.browsing import Visitor
from tests.web.test_pages import _doubled_ids, _from_elsewhere, _inline, _invalid, _unlabelled

pytestmark = pytest.mark.django_db

PATH = "/api/v1/"


def operations():
    return [each for group in reference.groups() for each in group.operations]


@pytest.mark.parametrize("signed_in", [False, True])
def test_it_is_a_page_like_the_others(world, petra, signed_in):
    page = Visitor(petra if signed_in else None).open(PATH)
    assert page.status == 200
    assert [*_invalid(page), *_inline(page), *_from_elsewhere(page), *_doubled_ids(page), *_unlabelled(page)] == []


def test_it_holds_every_operation_and_every_link_leads_somewhere(world):
    page = Visitor().open(PATH)
    ids = {element.get("id") for element in page.tree.iter()}
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            assert operation["operationId"] in ids
            assert f"{method.upper()} {path}" in page.text
    assert {link[1:] for link in page.leads_to if link.startswith("#")} <= ids


def test_it_holds_every_code_that_the_portal_knows_with_its_words(world):
    page = Visitor().open(PATH)
    told = {each["code"]: each for each in reference.refusals()}
    known = {code for code, one in Refusal.known().items() if one.__module__.split(".")[0] in reference.PACKAGES}
    assert set(told) == known
    assert {"token-wanted", "idempotency-key-used", "too-many-calls", "may-not"} <= known
    assert all(each["title"] for each in told.values())
    assert not [each for each in told.values() if "{" in each["title"] + each["advice"]]
    assert "too-many-calls 429 That was more than … calls a minute" in page.text


def test_what_is_searched_is_found_by_word_path_and_scope(world):
    for words in ("Withdraw", "/withdrawal", "requests_withdraw"):
        text = Visitor().open(f"{PATH}?q={words}").text
        assert "/withdrawal" in text
        assert "certificates_download" not in text
    found = Visitor().open(f"{PATH}?q=certificates:read").text
    assert "certificates_download" in found
    assert "No operation holds that word" in Visitor().open(f"{PATH}?q=%00%3Cscript%3Enobody").text


def test_every_example_is_a_call_that_the_document_allows():
    for one in operations():
        assert ("Idempotency-Key" in one.curl) == (one.method == "POST"), one.id
        assert "{" not in one.curl.partition(" \\\n")[0]
        assert bool(one.body) <= ("-d '" in one.curl)


def test_types_are_said_with_their_limits():
    said = reference.type_of
    assert said({"type": "string", "format": "uuid"}) == "string (uuid)"
    assert said({"type": ["string", "null"], "maxLength": 9}) == "string | null, ≤ 9 characters"
    assert said({"enum": ["a", None]}) == '"a" | null'
    assert said({"type": "array", "items": {"$ref": "#/components/schemas/Step"}}) == "array of Step"
    assert said({"anyOf": [{"type": "integer", "minimum": 2}, {"type": "null"}]}) == "integer, ≥ 2 | null"
    assert examples.least({"type": "object", "required": ["a"], "properties": {"a": {"enum": ["x"]}, "b": {}}}) == {
        "a": "x"
    }
