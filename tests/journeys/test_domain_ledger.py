"""A domain proven by a record, and a name asked about: with script, without it, and with the keyboard alone."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.hands import Hand, Keyboard, Mouse

pytestmark = pytest.mark.xdist_group("browser")

WAYS = [
    pytest.param(Mouse, True, id="with script"),
    pytest.param(Mouse, False, id="without script"),
    pytest.param(Keyboard, True, id="by keyboard"),
]
LOOKS = 60
"""Quarters of a second that a look may take; it has ten seconds."""


def until(page: Page, words: str, *, script: bool) -> None:
    """See that the page says *words*: by itself, or where there is no script, once it is loaded again."""
    said = page.get_by_text(words).first
    if not script:
        for _look in range(LOOKS):
            if said.is_visible():
                break
            page.wait_for_timeout(250)
            page.reload()
    expect(said).to_be_visible(timeout=20_000)


def publish(hand: Hand, name: str, value: str) -> None:
    """Do what the owner of the domain does, at the demo's own name server."""
    hand.page.goto("/demo/dns/")
    hand.write("Name", name)
    hand.choose("Type", "TXT")
    hand.write("Value", value)
    hand.press("button", "Add the record")
    expect(hand.page.get_by_text(value).first).to_be_visible()


@pytest.mark.rule("4.R43")
@pytest.mark.parametrize(("way", "script"), WAYS)
def test_a_domain_is_added_and_proven_by_a_record(portal, surf, petra, name_server, way, script):
    page = surf(petra, script=script)
    hand = way(page)
    page.goto("/t/acme/")
    hand.press("link", "Domains")
    hand.press("link", "Add a domain")
    hand.write("Domain or mailbox", "journey.demo.test")
    hand.press("button", "Add it")
    hand.press("button", "Begin")
    expect(page.get_by_role("heading", name="Record to publish")).to_be_visible()
    _within, _type, value, owner, _line = page.locator(".record code").all_inner_texts()
    here = page.url
    publish(hand, owner, value)
    page.goto(here)
    hand.press("button", "Look now")
    until(page, "Control of journey.demo.test is proven", script=script)
    expect(page.get_by_role("row", name=re.compile(f"This portal.*As expected.*{value}"))).to_be_visible()


@pytest.mark.parametrize(("way", "script"), WAYS)
def test_a_name_is_asked_about_and_other_records_are_tried(portal, surf, petra, name_server, way, script):
    page = surf(petra, script=script)
    hand = way(page)
    page.goto("/t/acme/")
    hand.press("link", "CAA adviser")
    hand.write("Name", "www.demo.test")
    hand.press("button", "Look it up")
    until(page, "What stands on each label", script=script)
    expect(page.get_by_role("row", name=re.compile("www.demo.test.*These count.*ca.acme.example"))).to_be_visible()
    hand.write("CAA records", 'CAA 0 issue ";"')
    hand.press("button", "Judge these records")
    expect(page.get_by_role("heading", name="Then it would be")).to_be_visible()
    expect(page.get_by_text("A CAA record of www.demo.test permits nobody")).to_be_visible()
