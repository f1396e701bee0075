"""The walks can fail: each defect, made in the product for a moment, is found by what is asked after every step."""

import pytest
from hypothesis import Phase

from tests.stateful.defects import DEFECTS
from tests.stateful.machine import RequestMachine
from tests.stateful.stage import Counts, Stage
from tests.stateful.walking import walked

pytestmark = pytest.mark.django_db

NAMED = pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)


def _walk(owner, steps):
    machine = RequestMachine(Stage(owner, Counts()))
    try:
        for name, *told in steps:
            getattr(machine, name)(*told)
            machine.everything_holds()
    finally:
        machine.stage.close()


@NAMED
def test_the_shortest_walk_on_which_a_defect_matters_finds_it_and_nothing_else(owner, broker, monkeypatch, defect):
    _walk(owner, defect.steps)

    defect.make(monkeypatch)
    with pytest.raises(Exception) as found:  # noqa: PT011 - an invariant, or the database itself
        _walk(owner, defect.steps)

    assert not isinstance(found.value, (AttributeError, TypeError, NameError)), "the defect is not what it says"


@pytest.mark.drill("I1-I7", goal="every defect is found by walking at random")
def test_walking_at_random_finds_every_defect(owner, broker, monkeypatch, drill):
    found = {}
    for defect in DEFECTS[: drill.times(1, soak=len(DEFECTS))]:
        counts = Counts()
        with monkeypatch.context() as patch:
            defect.make(patch)
            with pytest.raises(Exception):  # noqa: B017, PT011 - whichever invariant it is
                walked(owner, counts, walks=120, derandomize=True, phases=[Phase.generate])
        found[defect.name] = counts.steps
    drill.measured(found=len(found), most_steps=max(found.values()))
