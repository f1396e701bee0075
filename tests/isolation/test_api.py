"""Every operation of the API, every method, every kind of program, every class of things.

The same promises as for pages: what nobody wrote into the table fails, a refusal has touched nothing, and what is
another tenant's looks like what never was.
"""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver

from lifecycle.requests.models import CertificateRequest
from portal.foundation.access.guards import needs, takes_token
from portal.foundation.access.permissions import roles_with
from portal.foundation.access.scopes import scopes_with
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.isolation.answers import Call, differ, masked, observed
from tests.isolation.conftest import Stage
from tests.isolation.principals import MEMBERS, PROGRAMS, ROLES
from tests.isolation.table_api import JSON, TABLE, call
from tests.isolation.table_pages import FORM
from tests.isolation.things import HERS
from tests.world import ask_for_codes, filled

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_READING = {"GET", "HEAD"}


def routes() -> Iterator[URLPattern]:
    """Those of programs."""

    def walk(patterns: list[Any]) -> Iterator[URLPattern]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns)
            elif takes_token(pattern.callback):
                yield pattern

    return walk(get_resolver().url_patterns)


# --- the table ------------------------------------------------------------------------------------------------------


def test_every_route_has_a_row_and_every_row_a_route():
    assert {str(route.name) for route in routes()} == {name.partition(",")[0] for name in TABLE}


def test_every_operation_is_for_those_whom_its_guard_lets_in():
    """The table was written without looking at the guards; here both are held against each other."""
    views = {str(route.name): route.callback for route in routes()}
    for name, row in TABLE.items():
        view = views[name.partition(",")[0]]
        if "," not in name:
            assert list(row.deeds) == list(view.needs), name
        for method, deed in row.deeds.items():
            needed = needs(view, method)
            assert deed.who.members == {short for short in MEMBERS if ROLES[short] in roles_with(needed)}, (
                name,
                method,
            )
            assert deed.who.scopes == set(scopes_with(needed)), (name, method)


# --- the matrix -----------------------------------------------------------------------------------------------------


def cells(name: str, *, soaking: bool) -> Iterator[Call]:
    """What is asked about one address.

    In a soak every program asks about everything by every method.  In every run of the tests those whom the guard
    lets in do so by the methods that there are; whose answer is the guard's alone, takes turns.
    """
    row, turn = TABLE[name], list(TABLE).index(name)
    besides = [method for method in METHODS if method not in row.deeds]
    for whose in row.classes:
        for nth, program in enumerate(PROGRAMS):
            aside = besides if soaking else besides[(turn + nth) % len(besides) :][:1] if whose == HERS else []
            aside = aside if "," not in name else []  # the row of the whole address has them
            for method in METHODS:
                turned_away = row.answer(program, method, HERS)[0] in {401, 403}
                heard = soaking or not turned_away or (turn + nth) % (2 if whose == HERS else 8) == 0
                if method in aside or (heard and method in row.deeds):
                    yield program, method, whose


class Asking:
    """One row's calls, each with the body and the tag that its method takes."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage, self.name = stage, name
        self.bodies: dict[str, Any] = {}
        self.tags: dict[str, str] = {}
        for method, deed in TABLE[name].deeds.items():
            self.bodies[method] = (
                deed.body(lambda path: json.loads(self._read(path).content)) if callable(deed.body) else deed.body
            )
            self.tags[method] = self._read(deed.tag)["ETag"] if deed.tag else ""

    def _read(self, path: str) -> HttpResponse:
        return self.stage.programs["ada"].ask("GET", f"/api/v1/t/acme/{path}")

    def __call__(self, cell: Call, tenant: str = "acme") -> HttpResponse:
        program, method, whose = cell
        self.stage.calls += 1
        said = call(
            self.name, method, self.stage.things[whose], self.bodies.get(method), self.tags.get(method, ""), tenant
        )
        return self.stage.programs[program].ask(**said)


def told(response: HttpResponse, expected: tuple[int, str]) -> tuple[int, str]:
    """Status and, where the table says one and the answer has a body, the code."""
    if not expected[1] or response.status_code < 400 or not response.content:
        return response.status_code, expected[1]
    assert response["Content-Type"] == "application/problem+json", response.content
    return response.status_code, json.loads(response.content)["code"]


@pytest.mark.parametrize("name", TABLE)
def test_an_operation_answers_every_program_as_the_table_says_and_a_refusal_has_touched_nothing(stage, soaking, name):
    row, asked = TABLE[name], Asking(stage, name)
    every = list(cells(name, soaking=soaking))
    expected = {cell: row.answer(*cell) for cell in every}
    silent = [cell for cell in every if expected[cell][0] >= 400 or cell[1] in _READING]
    answers, absent = {}, {}
    with stage.untouched():
        for cell in silent:
            response, absent[cell] = observed(partial(asked, cell), stage.things[cell[2]])
            answers[cell] = told(response, expected[cell])
    for cell in every:
        if cell not in answers:
            with stage.taken_back():
                answers[cell] = told(asked(cell), expected[cell])
    assert {cell: (said, expected[cell]) for cell, said in answers.items() if said != expected[cell]} == {}
    assert {cell for cell in absent if differ(cell, absent)} == set()


def test_another_tenant_one_that_never_was_and_a_token_that_never_was_get_the_same_answer(stage, soaking):
    """Whatever is wrong, the tenant, the token or that they do not belong together: one answer."""
    names = list(TABLE) if soaking else list(TABLE)[::6]
    with stage.untouched():
        for name in names:
            asked = Asking(stage, name)
            for method in (*TABLE[name].deeds, "TRACE"):
                pairs = [("petra", tenant) for tenant in ("globex", "never-was", "platform")]
                pairs += [("nonsense", tenant) for tenant in ("acme", "never-was")] + [("hank", "acme")]
                answers = [masked(asked((program, method, HERS), tenant), tenant) for program, tenant in pairs]
                assert set(answers) == {answers[0]}, (name, method)
                assert answers[0][0] == 401


def test_without_the_second_factor_neither_a_session_nor_a_token_submits_anything(stage):
    acme, petra = stage.world.tenants["acme"], stage.world.people["petra"]
    with stage.taken_back():
        ask_for_codes(acme)
        draft = filled(petra, acme)
        path, errands = f"acme/requests/{draft.pk}", Errand.objects.count()
        for body in ("{}", '{"code": "000000"}'):
            key = {"Idempotency-Key": str(uuid4())}
            answer = stage.programs["petra"].ask("POST", f"/api/v1/t/{path}/submission", body, JSON, **key)
            assert answer.status_code in {403, 409, 422}, answer.content
        page = stage.browsers["petra"].ask("POST", f"/t/{path}/confirmation/", "code=000000", FORM)
        assert page.status_code == 302
        with acting_for(acme.pk):
            assert CertificateRequest.objects.get(pk=draft.pk).state == "draft"
        assert Errand.objects.count() == errands
        assert mail.outbox == []
