"""The engine that obeys a table of arrows, and the page that is drawn from it."""

import sys
from enum import StrEnum
from pathlib import Path

import pytest
from django.core.management import call_command

from lifecycle.requests.states import LIFE, State
from portal.foundation.audit.models import AuditEvent
from portal.foundation.errors import Conflict, Refusal
from portal.foundation.states import ChangedMeanwhile, Machine, NoSuchArrow
from portal.foundation.tenancy.context import acting_for
from portal.management.commands import states_page
from tests.world import begun


class Light(StrEnum):
    RED = "red"
    GREEN = "green"
    AMBER = "amber"


class Happens(StrEnum):
    GO = "go"
    SLOW = "slow"
    STOP = "stop"


ARROWS = [
    (Happens.GO, [Light.RED], Light.GREEN),
    (Happens.SLOW, [Light.GREEN], Light.AMBER),
    (Happens.STOP, [Light.GREEN, Light.AMBER], Light.RED),
]


@pytest.fixture
def lights():
    return Machine("light", Light.RED, ARROWS)


def test_an_event_leads_where_its_arrow_points(lights):
    assert lights.target(Light.RED, Happens.GO) is Light.GREEN
    assert lights.target(Light.GREEN, Happens.STOP) is Light.RED
    assert lights.initial is Light.RED


@pytest.mark.parametrize(
    ("source", "event"),
    [(source, event) for source in Light for event in Happens]
)  # fmt: skip
def test_an_event_without_an_arrow_is_refused_and_says_what_is_now(lights, source, event):
    if (event, source) in {(event, source) for event, sources, _ in ARROWS for source in sources}:
        assert lights.target(source, event) in Light
        return
    with pytest.raises(NoSuchArrow) as refused:
        lights.target(source, event)
    assert str(refused.value) == f"This light is “{source}” now, so “{event}” is not possible any more."
    assert refused.value.advice
    assert isinstance(refused.value, Conflict)


def test_a_state_that_nobody_knows_has_no_arrows(lights):
    with pytest.raises(NoSuchArrow):
        lights.target("blue", Happens.GO)


def test_two_arrows_for_one_event_are_a_mistake_in_the_table():
    with pytest.raises(ValueError, match="two arrows leave green on stop"):
        Machine("light", Light.RED, [*ARROWS, (Happens.STOP, [Light.GREEN], Light.AMBER)])
    with pytest.raises(ValueError, match="two arrows leave red on go"):
        Machine("light", Light.RED, [(Happens.GO, [Light.RED, Light.RED], Light.GREEN)])


def test_it_tells_what_can_happen_next_in_the_tables_order(lights):
    assert lights.events_from(Light.GREEN) == (Happens.SLOW, Happens.STOP)
    assert lights.events_from(Light.RED) == (Happens.GO,)


def test_it_tells_its_arrows_one_by_one_and_as_pairs_for_the_database(lights):
    assert lights.arrows == (
        (Light.RED, Happens.GO, Light.GREEN),
        (Light.GREEN, Happens.SLOW, Light.AMBER),
        (Light.GREEN, Happens.STOP, Light.RED),
        (Light.AMBER, Happens.STOP, Light.RED),
    )
    assert lights.pairs == {("red", "green"), ("green", "amber"), ("green", "red"), ("amber", "red")}


def test_every_state_can_be_reached():
    for machine in states_page.MACHINES:
        reached, frontier = set(), {str(machine.initial)}
        while frontier:
            reached |= frontier
            frontier = {target for source, target in machine.pairs if source in reached} - reached
        assert reached == {str(state) for state in type(machine.initial)}


@pytest.mark.django_db
def test_a_request_whose_state_is_out_of_date_changes_nothing_and_is_told_to_look_again(owner, acme, petra):
    draft = begun(petra, acme)
    stale = begun(petra, acme).__class__(pk=draft.pk, tenant_id=acme.pk, state=State.DRAFT, revision=7)
    owner.execute("SELECT to_jsonb(r), (SELECT count(*) FROM audit_auditevent) FROM requests_certificaterequest r")
    before = owner.fetchall()
    with pytest.raises(ChangedMeanwhile), acting_for(acme.pk):
        stale.advance("withdraw", actor=petra.pk)
    owner.execute("SELECT to_jsonb(r), (SELECT count(*) FROM audit_auditevent) FROM requests_certificaterequest r")
    assert owner.fetchall() == before
    assert stale.state == State.DRAFT


@pytest.mark.django_db
def test_an_arrow_that_does_not_exist_is_refused_before_anything_is_written(owner, acme, petra):
    draft = begun(petra, acme)
    with pytest.raises(NoSuchArrow), acting_for(acme.pk):
        draft.advance("complete", actor=petra.pk)
    with acting_for(acme.pk):
        assert [event.code for event in AuditEvent.objects.all()] == ["request:begin"]
    owner.execute("SELECT state, revision FROM requests_certificaterequest")
    assert owner.fetchall() == [("draft", 0)]


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_page_of_states_says_what_the_code_does():
    assert states_page.PAGE.read_text() == states_page.page(), "stale: run `manage.py states_page`"


def test_every_machine_of_the_portal_is_on_the_page():
    ours = {"portal", "lifecycle", "auth2fa"}
    found = {
        id(value)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in ours
        for value in vars(module).values()
        if isinstance(value, Machine)
    }
    assert found == {id(machine) for machine in states_page.MACHINES}


def test_the_page_draws_every_arrow_and_names_every_end():
    drawn = states_page.page()
    assert "    [*] --> draft\n" in drawn
    assert '    state "in review" as in_review\n' in drawn
    for source, event, target in LIFE.arrows:
        assert f"    {source.replace(' ', '_')} --> {target.replace(' ', '_')}: {event}\n" in drawn
    assert "    completed --> [*]\n" in drawn
    assert "| completed | nothing any more |" in drawn


def test_the_command_writes_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(states_page, "PAGE", Path(tmp_path / "docs" / "states.md"))
    call_command("states_page")
    assert states_page.PAGE.read_text() == states_page.page()
    assert capsys.readouterr().out == "states.md: request, attempt, CAA check, proof of control\n"


def test_a_refusal_of_a_machine_is_a_refusal():
    assert issubclass(NoSuchArrow, Refusal)
    assert issubclass(ChangedMeanwhile, Refusal)
