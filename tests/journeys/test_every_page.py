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
# A theme changes colours and a width what lies where; the other rules would only say the same once more.
_COLOURS = ["color-contrast", "link-in-text-block"]
_PLACES = ["scrollable-region-focusable"]
LOOKS = (
    (1280, "light", {}),
    (1280, "dark", {"runOnly": {"type": "rule", "values": _COLOURS}}),
    (360, "light", {"runOnly": {"type": "rule", "values": [*_COLOURS, *_PLACES]}}),
)
HEAVIEST = 120 * 1000

# what moves to its new colour is there at once; what moves for ever cannot be finished.  axe is told not to write down
# where each of its thousands of passes lies, and asked once more where the few faults are.
_RUN = """async (rules) => {
    for (const one of document.getAnimations())
        if (one.effect.getComputedTiming().endTime !== Infinity) one.finish();
    const bad = async (how) => (await axe.run(document, { resultTypes: ["violations"], ...rules, ...how })).violations
        .filter(({ impact }) => impact === "serious" || impact === "critical");
    if ((await bad({ selectors: false })).length === 0) return [];
    const where = (nodes) => nodes.slice(0, 3).map(({ target }) => target.join(" ")).join(", ");
    return (await bad({})).map(({ id, impact, nodes }) => `${impact}: ${id}: ${where(nodes)}`);
}"""
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


def test_axe_finds_nothing_serious_and_no_page_is_wider_than_the_screen(portal, surf, world, name_server):
    faults: dict[str, list[str]] = {}
    pages: dict[object, object] = {}
    with portal.nobody_works():
        for visit in visits(world):
            page = pages.get(visit.who) or pages.setdefault(visit.who, _with_axe(surf(visit.who)))
            show(page, visit)
            faults |= {f"{visit}, {how}": found for how, found in _looked_at(page) if found}
    assert faults == {}


def _with_axe(page):
    """Let every document that the page opens have axe; the browser, and no policy of the page's, sees to it."""
    page.add_init_script(path=AXE)
    return page


def _looked_at(page) -> Iterator[tuple[str, list[str]]]:
    """Look at the page that is shown, as every one of `LOOKS` wants it, its first menu open."""
    for menu in page.locator("main details").all()[:1]:
        menu.evaluate("one => { one.open = true; }")
    for width, theme, rules in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        beyond = page.evaluate(_SIDEWAYS)
        yield f"{width} pixels", [f"{beyond} pixels too wide"] if beyond > 0 else []
        yield f"{width} pixels, {theme}", page.evaluate(_RUN, rules)


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
    page = _with_axe(surf())
    page.goto("about:blank")
    page.set_content("<!doctype html><html lang=en><title>x</title><main><h1>x</h1><input></main>")
    [fault] = page.evaluate(_RUN, {})
    assert fault == "critical: label: input"


def test_axe_would_find_a_pale_word_in_the_dark(surf):
    page = _with_axe(surf())
    page.goto("about:blank")
    pale = "@media (prefers-color-scheme: dark) { p { color: #ddd; background: #eee; } }"
    page.set_content(f"<!doctype html><html lang=en><title>x</title><style>{pale}</style><main><p>Word</main>")
    found = {}
    for _width, theme, rules in LOOKS[:2]:
        page.emulate_media(color_scheme=theme)
        found[theme] = page.evaluate(_RUN, rules)
    assert found == {"light": [], "dark": ["serious: color-contrast: p"]}


def test_the_front_end_was_built():
    assert AXE.exists()
    assert Path(ROOT / "static" / "dist" / "manifest.json").exists()
