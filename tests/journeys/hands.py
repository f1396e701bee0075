"""Two ways to use a page: with a mouse, and with nothing but the keyboard."""

import re
from pathlib import Path
from typing import Protocol

from playwright.sync_api import Locator, Page

MOST_STOPS = 120
"""Places one would tab through before giving up."""


class Hand(Protocol):
    """What a person does with a page, by the words that stand on it."""

    page: Page

    def press(self, role: str, words: str) -> None:
        """Press a button, a link, or what opens a menu."""

    def write(self, label: str, text: str) -> None:
        """Fill a text field."""

    def choose(self, label: str, option: str) -> None:
        """Choose from a drop-down."""

    def tick(self, label: str) -> None:
        """Tick a box or choose a radio button."""

    def clear(self, label: str) -> None:
        """Take the tick out of a box."""

    def fetch(self, words: str, into: Path) -> Path:
        """Press a link that is a file; return where it was saved."""


class Mouse:
    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, role: str, words: str) -> None:
        found(self.page, role, words).click()

    def write(self, label: str, text: str) -> None:
        labelled(self.page, label).fill(text)

    def choose(self, label: str, option: str) -> None:
        self.page.get_by_label(label, exact=True).select_option(label=option)

    def tick(self, label: str) -> None:
        self.page.get_by_label(label).check()

    def clear(self, label: str) -> None:
        self.page.get_by_label(label).uncheck()

    def fetch(self, words: str, into: Path) -> Path:
        with self.page.expect_download() as download:
            self.press("link", words)
        return saved(download.value, into)


class Keyboard:
    """Tab, Enter, Space, letters.  What cannot be reached or worked that way cannot be done."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, role: str, words: str) -> None:
        self._reach(found(self.page, role, words))
        self.page.keyboard.press("Enter")

    def write(self, label: str, text: str) -> None:
        self._reach(labelled(self.page, label))
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)

    def choose(self, label: str, option: str) -> None:
        self._reach(self.page.get_by_label(label, exact=True))
        self.page.keyboard.type(option[:4])

    def tick(self, label: str) -> None:
        wanted = self.page.get_by_label(label)
        if wanted.get_attribute("type") == "radio":
            self._reach(wanted, through_arrows=True)
        else:
            self._reach(wanted)
        if not wanted.is_checked():
            self.page.keyboard.press("Space")
        assert wanted.is_checked()

    def clear(self, label: str) -> None:
        wanted = self.page.get_by_label(label)
        self._reach(wanted)
        self.page.keyboard.press("Space")
        assert not wanted.is_checked()

    def fetch(self, words: str, into: Path) -> Path:
        with self.page.expect_download() as download:
            self.press("link", words)
        return saved(download.value, into)

    def _reach(self, wanted: Locator, *, through_arrows: bool = False) -> None:
        """Tab until *wanted* has the focus, and see that it shows."""
        wanted.wait_for(state="visible" if not through_arrows else "attached")
        for _stop in range(MOST_STOPS):
            if wanted.evaluate("one => one === document.activeElement"):
                return
            here = self.page.evaluate("document.activeElement?.type")
            same = (
                through_arrows
                and here == "radio"
                and wanted.evaluate("one => one.name === document.activeElement.name")
            )
            self.page.keyboard.press("ArrowDown" if same else "Tab")
        raise AssertionError(f"{MOST_STOPS} stops did not lead to {wanted}")


def found(page: Page, role: str, words: str) -> Locator:
    """The first thing that can be seen of that role and name; `summary` opens a menu."""
    if role == "summary":
        return page.locator("main summary").filter(has_text=words).first
    return page.get_by_role(role, name=words).locator("visible=true").first  # type: ignore[arg-type]


def labelled(page: Page, label: str) -> Locator:
    return page.get_by_label(re.compile(f"^{re.escape(label)}"))


def saved(download: object, into: Path) -> Path:
    target = into / str(download.suggested_filename)  # type: ignore[attr-defined]
    download.save_as(target)  # type: ignore[attr-defined]
    return target
