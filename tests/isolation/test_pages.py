"""Every page, every method, every kind of stranger, every class of things: what nobody wrote into the table fails.

The routes come from the resolver: one without a row, and a row without one, are failures.  Whatever is answered with
a refusal has touched nothing, in any table, of any tenant.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from portal.foundation.access.guards import Open, needs, takes_token
from portal.foundation.access.permissions import Permission, roles_with
from tests.isolation.answers import Call, differ, masked, observed
from tests.isolation.conftest import LOOKED, Stage
from tests.isolation.principals import MEMBERS, ROLES, STRANGERS
from tests.isolation.table_pages import ANYBODY, INSIDE, METHODS, OPERATOR, SIGNED_IN, TABLE, address, call, payload
from tests.isolation.things import HERS, a_mail
from tests.world import signed_in


@pytest.fixture(autouse=True)
def mail_there(stage: Stage) -> Iterator[None]:
    with a_mail() as name:
        for each in stage.things.values():
            each["mail"] = name
        yield


@pytest.fixture(autouse=True)
def names_there(request: pytest.FixtureRequest) -> None:
    """Let the demo's name server answer for those of its pages that show what it says."""
    params = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    if str(params.get("name", "")).startswith("demo-"):
        request.getfixturevalue("name_server")


# --- the table ------------------------------------------------------------------------------------------------------


def routes() -> Iterator[URLPattern]:
    """Those of people; the programs' are `test_api.py`'s."""

    def walk(patterns: list[Any]) -> Iterator[URLPattern]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns)
            else:
                yield pattern

    return (pattern for pattern in walk(get_resolver().url_patterns) if not takes_token(pattern.callback))


def test_every_route_has_a_row_and_every_row_a_route():
    assert {str(route.name) for route in routes()} == {name.partition(",")[0] for name in TABLE}


def test_every_door_is_as_wide_as_its_guard():
    """The table was written without looking at the guards; here both are held against each other."""
    needed = {str(route.name): needs(route.callback) for route in routes()}
    for name, row in TABLE.items():
        needs_it = needed[name.partition(",")[0]]
        if not isinstance(needs_it, Permission):
            assert row.door == {Open.ANYBODY: ANYBODY, Open.SIGNED_IN: SIGNED_IN}[needs_it], name
        elif needs_it is Permission.PLATFORM_OPERATE:
            assert row.door == OPERATOR, name
        else:
            let_in = {short for short, status in zip(MEMBERS, row.door.answers, strict=True) if status == 405}
            assert let_in == {short for short in MEMBERS if ROLES[short] in roles_with(needs_it)}, name


# --- the matrix -----------------------------------------------------------------------------------------------------


def cells(name: str, *, soaking: bool) -> Iterator[Call]:
    """What is asked about one route.

    In a soak everybody asks about everything by every method.  In every run of the tests everybody asks about what is
    Petra's by the methods that the view takes, and those whom the guard lets in about the rest; what is the guard's
    alone to answer takes turns.
    """
    row, turn = TABLE[name], list(TABLE).index(name)
    besides = [method for method in METHODS if method == "HEAD" or not row.takes(method)]
    for whose in row.classes:
        for nth, short in enumerate(STRANGERS):
            aside = besides if soaking else besides[(turn + nth) % len(besides) :][:1] if whose == HERS else []
            for method in METHODS:
                heard = soaking or whose == HERS or row.lets_in(short, method) or (turn + nth) % 6 == 0
                if method in aside or (heard and method not in besides):
                    yield short, method, whose


def is_refused(short: str, status: int) -> bool:
    return status >= 400 or (short in {"nobody", "ended"} and status == 302)


def asked(stage: Stage, name: str, cell: Call) -> HttpResponse:
    short, method, whose = cell
    stage.calls += 1
    return stage.browsers[short].ask(**call(name, method, stage.things[whose]))


@pytest.mark.parametrize("name", TABLE)
def test_a_route_answers_everybody_as_the_table_says_and_a_refusal_has_touched_nothing(stage, soaking, name):
    row = TABLE[name]
    every = list(cells(name, soaking=soaking))
    expected = {cell: row.answer(*cell) for cell in every}
    silent = [cell for cell in every if is_refused(cell[0], expected[cell]) or cell[1] != "POST"]
    answers, absent = {}, {}
    for looking, left in ((False, ()), (True, LOOKED)):
        with stage.untouched(but=left):
            for cell in silent:
                if (cell[0] == "looking") is looking:
                    response, absent[cell] = observed(partial(asked, stage, name, cell), stage.things[cell[2]])
                    answers[cell] = response.status_code
    for cell in every:
        if cell not in answers:
            with stage.taken_back():
                answers[cell] = asked(stage, name, cell).status_code
    assert {cell: (told, expected[cell]) for cell, told in answers.items() if told != expected[cell]} == {}
    assert {cell for cell in absent if differ(cell, absent)} == set()


# --- what does not exist and what is somebody else's are the same from outside --------------------------------------


@pytest.mark.parametrize("short", ["nobody", "ended", "olu", "petra", "ada", "sam"])
def test_another_tenant_and_one_that_never_was_get_the_same_answer(stage, soaking, short):
    things = stage.things[HERS]
    names = INSIDE if soaking else [name for turn, name in enumerate(INSIDE) if turn % 6 == len(short) % 6]
    with stage.untouched():
        for name in names:
            for method in ("GET", "POST", "DELETE"):
                answers = []
                for tenant in ("globex", "never-was", "platform"):
                    stage.calls += 1
                    answers.append(masked(stage.browsers[short].ask(**call(name, method, things, tenant)), tenant))
                assert answers[0] == answers[1] == answers[2], (method, name)
                assert answers[0][0] == (302 if short in {"nobody", "ended"} else 404)


def test_an_authority_of_a_tenant_that_never_was_and_one_that_the_tenant_does_not_have_look_alike(stage):
    nobody = stage.browsers["nobody"]
    paths = ("acme/none-1", "none/issuing-1", "acme/issuing-2")
    answers = [masked(nobody.ask("GET", f"/pki/{path}.cer")) for path in paths]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 404


def test_the_certificate_of_an_authority_is_its_own_whatever_tenant_was_looked_at_before(stage):
    nobody = stage.browsers["nobody"]
    first, second = (nobody.ask("GET", f"/pki/{slug}/issuing-1.cer").content for slug in ("acme", "globex"))
    assert first != second
    assert b"Acme Industries" in first
    assert b"Globex" in second


# --- forms ----------------------------------------------------------------------------------------------------------


def test_no_form_is_taken_that_did_not_come_from_a_page_of_the_session(stage):
    """Cross-site request forgery: no token, no deed, whoever is signed in."""
    client = signed_in(Client(enforce_csrf_checks=True), stage.world.people["petra"])
    with stage.untouched():
        for name in TABLE:
            said = call(name, "POST", stage.things[HERS])
            answer = client.generic("POST", said["url"], said["body"], said["kind"])
            assert answer.status_code == 403, name
            assert b"not-asked-here" in answer.content


def test_only_post_changes_anything(stage):
    """A GET, even with a form's fields in its query, is safe."""
    petra, things = stage.browsers["petra"], stage.things[HERS]
    with stage.untouched():
        for name in TABLE:
            petra.ask("GET", f"{address(name, things)}?{urlencode(payload(name, things))}")
