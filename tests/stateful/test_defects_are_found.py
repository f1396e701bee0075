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


@pytest.mark.drill("I1-I7", goal="most defects are found by walking at random; each by its shortest walk")
def test_walking_at_random_finds_most_defects(owner, broker, monkeypatch, drill):
    """Which walks are taken is hypothesis' choice, so the rarest defects may be missed; the first is in every walk."""
    wanted, found = DEFECTS[: drill.times(1, soak=len(DEFECTS))], {}
    for defect in wanted:
        counts = Counts()
        with monkeypatch.context() as patch:
            defect.make(patch)
            try:
                walked(owner, counts, walks=60, derandomize=True, phases=[Phase.generate])
            except Exception:  # noqa: BLE001 - whichever invariant it is
                found[defect.name] = counts.steps
    drill.measured(found=f"{len(found)}/{len(wanted)}", most_steps=max(found.values(), default=0))
    assert 2 * len(found) > len(wanted)
