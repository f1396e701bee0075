"""No list, search, sort order, filter, export or cursor shows anything of another tenant, or of a colleague.

The lists are found by what they answer (a table of pages, a CSV file, `Listing` of the API), what they are asked by
the form on the page and by the API's own document; a list without a row here fails.
"""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from django.http import HttpResponse
from django.urls import resolve

from portal.api.document import document
from portal.foundation.access.guards import takes_token
from portal.foundation.api.lists import Listing
from tests.isolation import table_api, table_pages, test_api
from tests.isolation.conftest import LOOKED, Stage
from tests.isolation.principals import Caller
from tests.isolation.things import HERS, HIS, THEIRS, traces
from tests.web.browsing import Page
from tests.world import token_of

PAGES = {
    "tenant-home": "", "certificate-list": "api-certificates", "certificate-list-area": "api-certificates",
    "request-list": "api-requests", "request-list-area": "api-requests", "people-list": "api-people",
    "domain-list": "api-domains", "domain-looks": "api-domain-looks", "publishing-list": "api-publishing-ways",
    "rules-by-date-change": "",
    "token-list": "", "journal": "api-journal", "policy-list": "api-policies", "policy-page": "api-policy-history",
    "profile-list": "api-profiles", "agreement-list": "api-agreements", "agreement-page": "api-agreement-versions",
    "agreement-version": "api-agreement-acceptances",
}  # fmt: skip
"""Pages that list, and the API's list of the same rows, whose cursors are theirs, too."""

EXPORTS = {
    "certificate-export": "certificate-list", "certificate-export-area": "certificate-list-area",
    "request-export": "request-list", "request-export-area": "request-list-area", "people-export": "people-list",
    "domain-export": "domain-list", "publishing-export": "publishing-list",
    "token-export": "token-list", "policy-export": "policy-list", "profile-export": "profile-list",
    "agreement-acceptances": "agreement-version",
}  # fmt: skip
"""Files, and the pages whose form narrows them."""

API = {
    "api-certificates", "api-requests", "api-people", "api-journal", "api-policies", "api-policy-history",
    "api-domains", "api-domain-looks", "api-publishing-ways",
    "api-profiles", "api-profile-versions", "api-agreements", "api-agreement-versions", "api-agreement-acceptances",
}  # fmt: skip

EMPTY = {"tenant-home", "request-list-area", "request-export-area", "policy-list", "policy-export", "policy-page"}
EMPTY |= {
    "api-domain-looks",
    "rules-by-date-change",
    "journal",
    "profile-list",
    "profile-export",
    "agreement-list",
    "agreement-page",
    "api-policies",
    "api-policy-history",
}
EMPTY |= {"api-profiles", "api-profile-versions", "api-agreements", "api-agreement-versions"}
"""Lists that show nothing by which Petra's things are known, or not on their first page."""

WHOLE = {"tenant-home", "policy-list", "profile-list", "agreement-list", "agreement-page"}
"""What stands on one page however long it is."""

GLOBEX = {"only-at-globex", "only at globex", "terms-of-globex", "terms of globex"}
ASKERS = ("vera", "petra")
"""An auditor of both tenants, who sees everything in each; a subscriber, who sees what is hers."""

Query = dict[str, str]


@pytest.fixture(scope="module")
def words(stage: Stage) -> dict[str, set[str]]:
    """By who asks, what must not be seen; and by `her own` what would be."""
    world, things = stage.world, stage.things
    acme, globex = (world.tenants[slug] for slug in ("acme", "globex"))
    theirs = traces(things[THEIRS], world.people["hank"], globex) | GLOBEX
    his = traces(things[HIS], world.people["dan"], acme) - {things[HIS]["export"]}
    hers = traces(things[HERS], world.people["petra"], acme)
    return {"vera": theirs - hers - his, "petra": (theirs | his) - hers, "her own": hers}


@pytest.fixture(scope="module")
def cursors(stage: Stage) -> dict[str, list[str]]:
    """Places in globex's own lists, by the API's names for them."""
    found = {}
    reader = Caller(authorization=f"Bearer {token_of(stage.world.people['vera'], stage.world.tenants['globex'])[1]}")
    for name in API:
        url = table_api.address(name, stage.things[THEIRS if name == "api-domain-looks" else HERS], "globex")
        page = json.loads(reader.ask("GET", f"{url}?limit=1").content)
        found[name] = re.findall(r"after=([\w-]+)", page["next"] or "")
    assert sum(map(bool, found.values())) > len(API) / 2
    return found


def seen(response: HttpResponse) -> str:
    """All that stands in an answer, also in the cursors of its links."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    text = body.decode()
    return seen_in(text, *re.findall(r"(?:after|before)=([\w-]{8,})", text))


def seen_in(*words: str) -> str:
    """Words and, of those that could be cursors, what they say."""
    cursors = [word for word in words if re.fullmatch(r"[\w-]{8,2000}", word)]
    opened = [
        base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_").decode(errors="replace")
        for word in cursors
        if len(word) % 4 != 1
    ]
    return " ".join([*words, *opened]).lower()


def shown(text: str, wanted: set[str], query: Query) -> set[str]:
    """Which of *wanted* are there, but for what the query itself says."""
    asked = seen_in(*query.values())
    return {word for word in wanted if word in text and word not in asked}


def probes(stage: Stage) -> list[str]:
    """What somebody would type who looks for Hank's things, or for Dan's."""
    hank, dan = stage.world.people["hank"], stage.world.people["dan"]
    theirs, his = stage.things[THEIRS], stage.things[HIS]
    return [
        hank.email,
        hank.name,
        str(hank.pk),
        theirs["certificate"],
        theirs["request"],
        "only-at-globex",
        dan.email,
        his["request"],
    ]


def narrowed(names: dict[str, list[str]], stage: Stage, places: list[str], *, whole: bool) -> Iterator[Query]:
    """Every choice of every parameter, every probe in those that take words, every foreign cursor.

    Unless the *whole* is asked, two of each: pages render slowly, and read by the selectors that the API reads by.
    """
    yield {}
    for name, choices in names.items():
        yield from ({name: value} for value in (choices or probes(stage))[: None if whole else 2])
    yield from ({way: place} for way in ("after", "before") for place in places)


# --- the table ------------------------------------------------------------------------------------------------------


def test_every_page_that_lists_has_a_row(stage):
    found = set()
    with stage.untouched(but=LOOKED):
        for name in table_pages.INSIDE:
            row = table_pages.TABLE[name]
            if row.get and "," not in name:
                answer = stage.browsers["ada"].ask(**table_pages.call(name, "GET", stage.things[HERS]))
                if b'class="pages"' in answer.content or answer["Content-Type"].startswith("text/csv"):
                    found.add(name)
    assert found <= {*PAGES, *EXPORTS}
    assert {*PAGES, *EXPORTS} - found == WHOLE


def test_every_list_of_the_api_has_a_row():
    views = {str(route.name): route.callback for route in test_api.routes() if takes_token(route.callback)}
    assert {name for name, view in views.items() if issubclass(view.cls, Listing)} == API


# --- pages ----------------------------------------------------------------------------------------------------------


def fields(stage: Stage, name: str, short: str) -> dict[str, list[str]]:
    """What the page's forms and heads ask with GET: by parameter, its choices, or none where words are typed."""
    said = table_pages.call(name, "GET", stage.things[HERS])
    page = Page(None, stage.browsers[short].ask(**said), said["url"])  # type: ignore[arg-type]
    found: dict[str, list[str]] = {"q": []}
    for form in page.all("form"):
        if form.get("method", "").lower() == "get":
            found |= {each.get("name", ""): [] for each in form.iter("input") if each.get("name")}
            for select in form.iter("select"):
                found[select.get("name", "")] = [each.get("value", "") for each in select.iter("option")]
    sorts = {each for href in page.leads_to for each in re.findall(r"[?&]sort=([\w-]+)", href)}
    return found | {"sort": sorted({*found.get("sort", []), *sorts})} if sorts else found


@pytest.mark.parametrize("name", [*PAGES, *EXPORTS])
def test_no_page_and_no_file_shows_anything_of_another_tenant_or_of_a_colleague(stage, words, cursors, soaking, name):
    listing = EXPORTS.get(name, name)
    said = table_pages.call(name, "GET", stage.things[HERS])
    told: set[str] = set()
    for short in ASKERS:
        if table_pages.TABLE[name].answer(short, "GET", HERS) != 200:
            continue
        for query in narrowed(fields(stage, listing, short), stage, cursors.get(PAGES[listing], []), whole=soaking):
            stage.calls += 1
            text = seen(stage.browsers[short].ask(said["method"], f"{said['url']}?{urlencode(query)}"))
            assert shown(text, words[short], query) == set(), (short, query)
            told |= shown(text, words["her own"], query)
    assert told or name in EMPTY, "a list that shows nothing hides nothing"


# --- the API --------------------------------------------------------------------------------------------------------


def parameters() -> dict[str, dict[str, list[str]]]:
    """By route, what its document says that GET takes: each parameter's choices, or none where words are typed."""
    here = {"tenant": "acme", "profile": "desktop-signing", "agreement": "subscriber", "language": "en", "version": "1"}
    here["id"] = str(UUID(int=0))
    found = {}
    for path, operations in document()["paths"].items():
        told: list[dict[str, Any]] = operations.get("get", {}).get("parameters", [])
        asked = {each["name"]: each["schema"].get("enum", []) for each in told if each["in"] == "query"}
        if "after" in asked:
            url = re.sub(r"\{(\w+)\}", lambda match: here[match[1]], path)
            found[str(resolve(url).url_name)] = {
                n: c for n, c in asked.items() if n not in {"after", "before", "limit"}
            }
    return found


def test_the_document_knows_every_list():
    assert set(parameters()) == API


@pytest.mark.parametrize("name", sorted(API))
def test_no_list_of_the_api_shows_anything_of_another_tenant_or_of_a_colleague(stage, words, cursors, name):
    url = table_api.address(name, stage.things[HERS])
    told: set[str] = set()
    for program in ASKERS:
        if table_api.TABLE[name].answer(program, "GET", HERS)[0] != 200:
            continue
        for query in narrowed(parameters()[name], stage, cursors[name], whole=True):
            stage.calls += 1
            answer = stage.programs[program].ask("GET", f"{url}?{urlencode(query)}")
            assert answer.status_code in {200, 422}, (program, query)
            text = seen(answer)
            assert shown(text, words[program], query) == set(), (program, query)
            told |= shown(text, words["her own"], query)
    assert told or name in EMPTY, "a list that shows nothing hides nothing"
