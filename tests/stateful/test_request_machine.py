"""A long walk over the request machine: people, workers, clocks and faults in any order, I1-I7 after every step."""

import pytest

from tests.stateful.stage import Counts
from tests.stateful.walking import walked

pytestmark = pytest.mark.django_db


@pytest.mark.drill("I1-I7", goal="10,000 steps, every invariant after every step")
def test_every_invariant_holds_after_every_step(owner, broker, drill):
    counts = Counts()

    walked(owner, counts, walks=drill.times(6, soak=250), derandomize=not drill.soaking, print_blob=True)

    drill.measured(**vars(counts))
    assert counts.issued > counts.walks / 2, "most of the walks got nowhere"
