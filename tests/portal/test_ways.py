"""The table of ways is what there is: routes, operations, commands, transitions; and its page is up to date."""

from django.urls import get_resolver
from drf_spectacular.generators import SchemaGenerator

from lifecycle.requests.kinds import MEANING
from lifecycle.requests.states import LIFE, Event
from portal.ctl.main import cli
from portal.management.commands.ways_page import PAGE, page
from portal.management.ways import COMMANDS, WAYS, rows


def test_every_transition_of_every_kind_has_a_row():
    assert {event for event in WAYS if isinstance(event, Event)} == set(Event)
    assert {event for _source, event, _target in LIFE.arrows} <= set(WAYS)
    assert {kind for kind, _deed, _way in rows()} == set(MEANING) == set(COMMANDS)


def test_a_cell_names_what_there_is_or_its_row_says_why_not():
    document = SchemaGenerator().get_schema(request=None, public=True)
    operations = {way["operationId"] for path in document["paths"].values() for way in path.values()}
    for _kind, deed, way in rows():
        told = (way.page, way.operation, way.command)
        assert all(told) != bool(way.why_not), deed
        if way.why_not:
            assert not any(told), deed
            continue
        assert way.page in get_resolver().reverse_dict, deed
        assert way.operation in operations, deed
        assert way.command in cli.commands, deed


def test_what_people_can_do_to_a_request_is_not_left_to_workers():
    """The other way round: an event that a person's page leads to has a way for programs."""
    assert not {event for event in (Event.SUBMIT, Event.WITHDRAW, Event.APPROVE, Event.REJECT) if WAYS[event].why_not}


def test_the_page_says_what_the_table_says():
    assert PAGE.read_text() == page(), "run: manage.py ways_page"
