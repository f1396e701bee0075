"""How many perspectives have to agree, by day (BR 3.2.2.9), and whether those that there are will do."""

from datetime import UTC, date, datetime, timedelta

import pytest

from lifecycle.validation.perspectives.quorum import Outcome, Remote, agreed, may_disagree, required
from lifecycle.validation.perspectives.standing import Fault, distinct, faults_of
from portal.foundation import clock
from portal.perspectives import Perspective, Perspectives, Place
from tests.fakes.perspectives import PLACES, certificate_of

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("day", "perspectives", "regions"),
    [
        (date(2024, 1, 1), 2, 1),  # nobody issues on a day before the table; if so, by its first row
        (date(2025, 3, 14), 2, 1),
        (date(2025, 3, 15), 2, 1),
        (date(2026, 3, 14), 2, 1),
        (date(2026, 3, 15), 3, 2),
        (date(2026, 6, 14), 3, 2),
        (date(2026, 6, 15), 4, 2),
        (date(2026, 12, 14), 4, 2),
        (date(2026, 12, 15), 5, 2),
        (date(2040, 1, 1), 5, 2),
    ],
)
def test_the_table_is_followed_to_the_day(day, perspectives, regions):
    assert (required(day).perspectives, required(day).regions) == (perspectives, regions)


@pytest.mark.parametrize(("used", "allowed"), [(0, 0), (1, 0), (2, 1), (5, 1), (6, 2), (20, 2)])
def test_of_those_that_are_used_so_many_may_disagree(used, allowed):
    assert may_disagree(used) == allowed


def of(text):
    """Read `R+ A- …`: the first letter of a region, and whether a perspective there corroborates."""
    regions = {"R": "RIPE", "A": "ARIN", "P": "APNIC", "L": "LACNIC", "F": "AFRINIC"}
    return [Remote(f"p{n}", regions[each[0]], each[1] == "+") for n, each in enumerate(text.split())]


@pytest.mark.parametrize(
    ("day", "remotes", "outcome"),
    [
        (date(2026, 3, 14), "R+ R+", Outcome.REACHED),  # one region was enough
        (date(2026, 3, 14), "R+ R-", Outcome.REACHED),
        (date(2026, 3, 14), "R- R-", Outcome.TOO_MANY_DISAGREE),
        (date(2026, 3, 15), "R+ A+", Outcome.TOO_FEW_ASKED),
        (date(2026, 3, 15), "R+ A+ R-", Outcome.REACHED),
        (date(2026, 3, 15), "R+ R+ R+", Outcome.TOO_FEW_REGIONS),
        (date(2026, 3, 15), "R+ R+ A-", Outcome.TOO_FEW_REGIONS),  # the region of one that disagrees does not count
        (date(2026, 6, 14), "R+ A+ P+", Outcome.REACHED),
        (date(2026, 6, 15), "R+ A+ P+", Outcome.TOO_FEW_ASKED),
        (date(2026, 6, 15), "R+ A+ P+ L-", Outcome.REACHED),
        (date(2026, 6, 15), "R+ A+ P- L-", Outcome.TOO_MANY_DISAGREE),
        (date(2026, 12, 14), "R+ A+ P+ L+", Outcome.REACHED),
        (date(2026, 12, 15), "R+ A+ P+ L+", Outcome.TOO_FEW_ASKED),
        (date(2026, 12, 15), "R+ A+ P+ L+ F-", Outcome.REACHED),
        (date(2026, 12, 15), "R+ A+ P+ L- F-", Outcome.TOO_MANY_DISAGREE),
        (date(2026, 12, 15), "R+ R+ R+ R+ F-", Outcome.TOO_FEW_REGIONS),
        (date(2026, 12, 15), "R+ A+ P+ L+ F- R-", Outcome.REACHED),  # of six, two may
        (date(2026, 12, 15), "R+ A+ P+ L- F- R-", Outcome.TOO_MANY_DISAGREE),
    ],
)
def test_the_verdicts_are_counted(day, remotes, outcome):
    quorum = agreed(True, of(remotes), day)
    assert (quorum.reason, quorum.reached) == (outcome, outcome is Outcome.REACHED)
    assert [*quorum.agreeing, *quorum.dissenting] == [each.name for each in sorted(of(remotes), key=lambda r: not r.ok)]


def test_what_the_primary_does_not_see_nobody_can_corroborate():
    quorum = agreed(False, of("R+ A+ P+ L+ F+"), TODAY)
    assert (quorum.reached, quorum.reason) == (False, Outcome.NOT_SEEN_HERE)


def test_without_perspectives_nothing_is_corroborated():
    assert agreed(True, [], TODAY).reason == Outcome.TOO_FEW_ASKED


# --- those that the operator named ----------------------------------------------------------------------------------

PRAGUE = Place("RIPE", 50.1, 14.4)
LINZ = Place("RIPE", 48.3, 14.3)  # 200 km from there


def named(*names, primary=PRAGUE, places=PLACES):
    remote = (Perspective(name, places[name], f"{name}.test", 8443, certificate_of(name)) for name in names)
    return Perspectives(primary, tuple(remote))


def faults(perspectives, day=TODAY):
    return faults_of(perspectives, datetime(day.year, day.month, day.day, tzinfo=UTC))


def test_five_places_around_the_world_have_no_faults():
    assert faults(named(*PLACES)) == []
    assert len(distinct(named(*PLACES))) == 5


def test_too_few_are_told_of_before_the_day_they_are_too_few():
    four = named("ashburn", "mumbai", "tokyo", "johannesburg")
    assert faults(four) == []
    assert faults(four, date(2026, 12, 15)) == [
        Fault("too-few", ("ashburn", "mumbai", "tokyo", "johannesburg"), wanted=5, there=4)
    ]


def test_one_region_is_too_few():
    places = {"tokyo": PLACES["tokyo"], "mumbai": PLACES["mumbai"], "perth": Place("APNIC", -32.0, 115.9)}
    places["auckland"] = Place("APNIC", -36.8, 174.8)
    assert faults(named(*places, places=places)) == [Fault("too-few-regions", ("APNIC",), wanted=2, there=1)]


@pytest.mark.parametrize("places", [{"linz": LINZ}, {"newark": Place("ARIN", 40.7, -74.2)}])
def test_a_place_nearer_than_500_km_to_another_or_to_us_is_not_asked(places):
    """Newark stands 340 km from Ashburn, Linz 200 km from the primary."""
    crowd = named(*PLACES, *places, places=PLACES | places)
    assert [each.name for each in distinct(crowd)] == list(PLACES)
    assert faults(crowd) == [Fault("too-close", tuple(places))]


@pytest.mark.parametrize(("apart", "far_enough"), [(4.49, False), (4.51, True)])
def test_the_line_is_drawn_at_500_km(apart, far_enough):
    """A degree of longitude on the equator is 111.2 km, through the Earth hardly less."""
    places = {"one": Place("RIPE", 0.0, 0.0), "two": Place("RIPE", 0.0, apart)}
    assert (len(distinct(named(*places, places=places))) == 2) == far_enough


def test_a_certificate_that_ends_soon_is_told_of():
    later = clock.now() + timedelta(days=3653 - 29)
    [fault] = [each for each in faults_of(named(*PLACES), later) if each.code == "ending"]
    assert fault.names == tuple(PLACES)
