"""The page on reliability has a row for each drill of the suite, and none that nobody runs."""

import re

from tests.drills.__main__ import BEGIN, END, NOT_YET, PAGE, measured, promises, table, written

FAULTS = {"F1", "F2", "F3", "F4", "F5", "F7", "F8", "F9", "F10", "F12"}


def rows_of(page: str) -> list[list[str]]:
    inside = page.partition(BEGIN)[2].partition(END)[0]
    lines = [line for line in inside.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_every_drill_has_its_row_and_every_row_its_drill():
    shown = [tuple(row[:3]) for row in rows_of(PAGE.read_text())]
    assert shown == [(each.fault, each.shows, each.goal) for each in promises()]


def test_every_fault_that_is_promised_is_provoked_and_told_of():
    assert {promise.fault for promise in promises()} >= FAULTS
    text = PAGE.read_text()
    assert set(re.findall(r"^\| (F\d+) \|", text.partition(BEGIN)[0], re.MULTILINE)) >= FAULTS


def test_what_several_runs_measured_is_summed_up():
    runs = [{"outcome": "passed", "figures": {"lost": "0"}, "seconds": 1.4} for _ in range(2)]
    assert measured(runs) == "2 of 2 right; lost 0; 3 s"
    assert measured([{**runs[0], "outcome": "failed"}]) == "**failed**; lost 0; 1 s"
    assert measured([{**runs[0], "figures": {"lost": "1"}}, runs[1]]) == "2 of 2 right; lost 1; lost 0; 3 s"
    assert measured([]) == NOT_YET


def test_the_table_stands_between_its_markers_and_the_rest_of_the_page_stays():
    page = f"before\n{BEGIN}\nold\n{END}\nafter"
    fresh = written(page, ["| new |"])
    assert fresh == f"before\n{BEGIN}\n\n| new |\n\n{END}\nafter"
    assert written(fresh, ["| new |"]) == fresh
    assert len(rows_of(written(page, table([])))) == len(promises())
