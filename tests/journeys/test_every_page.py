"""Every page in a real browser: nothing serious for axe, nothing wider than the screen, and not too heavy."""

import gzip
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.plugins.services import ROOT
from tests.web.pages import Visit, visits
from tests.world import begun, filled

pytestmark = pytest.mark.xdist_group("browser")

AXE = ROOT / "static" / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = (1280, 360)
# a theme changes colours and nothing else, so the other rules would only say the same once more
_COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
THEMES = {"light": {}, "dark": {"runOnly": _COLOURS}}
HEAVIEST = 120 * 1000

_RUN = """async (rules) => {
    const found = await axe.run(document, rules);
    const bad = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    const where = (nodes) => nodes.slice(0, 3).map(({ target }) => target.join(" ")).join(", ");
    return bad.map(({ id, impact, nodes }) => `${impact}: ${id}: ${where(nodes)}`);
}"""
# what moves to its new colour is there at once; what moves for ever cannot be finished
_SETTLED = """for (const one of document.getAnimations())
    if (one.effect.getComputedTiming().endTime !== Infinity) one.finish();"""
_SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def show(page, visit: Visit) -> None:
    status = page.goto(visit.path).status
    if not visit.press:
        assert status == visit.status, visit
        return
    for name, value in visit.answers.items():
        answer(page.locator(f"main [name={name}]"), value)
    page.locator("main").evaluate("one => { one.dataset.before = ''; }")
    button = page.locator("main form").get_by_role("button", name=visit.press).first
    if button.get_attribute("aria-disabled"):  # closed by script; without it the server would answer
        button.evaluate("one => one.form.submit()")
    else:
        button.click()
    expect(page.locator("main:not([data-before])"), str(visit)).to_be_visible()
    if visit.status != HTTPStatus.OK:
        expect(page.locator(".error-summary").or_(page.get_by_text("What you can do")), str(visit)).to_be_visible()


def answer(field, value: object) -> None:
    kind = field.first.evaluate("one => one.type")
    if kind in {"checkbox", "radio"} and isinstance(value, str):
        field.and_(field.page.locator(f"[value='{value}']")).check()
    elif kind in {"checkbox", "radio"}:
        field.set_checked(bool(value))
    elif kind == "select-one":
        field.select_option(str(value))
    else:
        field.fill(str(value))


def test_axe_finds_nothing_serious_and_no_page_is_wider_than_the_screen(portal, surf, world):
    axe = AXE.read_text()
    faults: dict[str, list[str]] = {}
    pages: dict[object, object] = {}
    with portal.nobody_works():
        for visit in visits(world):
            page = pages.get(visit.who) or pages.setdefault(visit.who, surf(visit.who))
            show(page, visit)
            page.evaluate(axe)
            faults |= {f"{visit}, {how}": found for how, found in _looked_at(page) if found}
    assert faults == {}


def _looked_at(page) -> Iterator[tuple[str, list[str]]]:
    """Look at the page that is shown in every width and theme, its first menu open."""
    for menu in page.locator("main details").all()[:1]:
        menu.evaluate("one => { one.open = true; }")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        beyond = page.evaluate(_SIDEWAYS)
        yield f"{width} pixels", [f"{beyond} pixels too wide"] if beyond > 0 else []
        for theme, rules in THEMES.items():
            page.emulate_media(color_scheme=theme)
            page.evaluate(_SETTLED)
            yield f"{width} pixels, {theme}", page.evaluate(_RUN, {"resultTypes": ["violations"], **rules})


@pytest.mark.parametrize("step", ["subject", "key", "confirm"])
def test_a_wizard_step_weighs_little_and_asks_nobody_else(portal, surf, petra, acme, source, step):
    """Cold: everything the page loads with an empty cache, as it goes over the wire or gzipped."""
    draft = begun(petra, acme) if step == "subject" else filled(petra, acme, source=source)
    page = surf(petra)
    bodies: dict[str, int] = {}

    def weigh(response) -> None:
        body = response.body()
        bodies[response.url] = len(body if response.headers.get("content-encoding") else gzip.compress(body))

    loaded = []
    page.on("response", lambda response: loaded.append(response))  # noqa: PLW0108 - it must be a function
    page.goto(f"/t/acme/requests/{draft.pk}/{step}/")
    page.wait_for_load_state("networkidle")
    for response in loaded:
        weigh(response)

    assert len(bodies) >= 4, "the page, its style and its scripts"
    assert sum(bodies.values()) <= HEAVIEST, bodies
    assert all(url.startswith(f"{portal.origin}/") for url in bodies)


def test_axe_would_find_something(surf):
    """The instrument works: a page without any name for its field does not pass."""
    page = surf()
    page.set_content("<!doctype html><html lang=en><title>x</title><main><h1>x</h1><input></main>")
    page.evaluate(AXE.read_text())
    assert page.evaluate(_RUN, {"resultTypes": ["violations"]})


def test_the_front_end_was_built():
    assert AXE.exists()
    assert Path(ROOT / "static" / "dist" / "manifest.json").exists()
