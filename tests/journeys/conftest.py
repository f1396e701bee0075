"""A running portal and a real browser, both started once and gone before any other test.

They must not outlive this folder: the workers would take the errands of tests that work on their own.
"""

import os
from collections.abc import Callable, Iterator
from functools import cache

import pytest
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from lifecycle.certificates.models import Certificate
from portal.foundation.access.models import User
from portal.foundation.tenancy.models import Tenant
from tests.journeys.live import CHROMIUM, FLAGS, Portal
from tests.world import PASSWORD, World, issued, signed_in


@pytest.fixture(scope="package")
def _running(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    portal = Portal(tmp_path_factory.mktemp("portal"))
    try:
        portal.start()
        yield portal
    finally:
        portal.stop()


@cache
def _hashed() -> str:
    return Argon2PasswordHasher().encode(PASSWORD, "as the product salts it")


@pytest.fixture
def portal(_running: Portal, world: World) -> Portal:
    """Return the portal with an empty mailbox; `world` is wiped behind the test, when its browser is gone.

    Passwords are hashed as the running portal hashes them: it would hash cheaper ones anew, which ends sessions.
    """
    for person in world.people.values():
        person.password = _hashed()
        person.save(update_fields=["password"])
    _running.forget_mails()
    return _running


@pytest.fixture
def source(portal: Portal, petra: User, acme: Tenant) -> Certificate:
    """Return a certificate of Petra's."""
    with portal.nobody_signs():
        return issued(petra, acme)


@pytest.fixture(scope="package")
def _playwright() -> Iterator[Playwright]:
    # Playwright keeps an event loop in this thread, which makes Django fear that its queries would block one
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        yield playwright
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="package")
def chromium(_playwright: Playwright) -> Iterator[Browser]:
    browser = _playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield browser
    browser.close()


Surfer = Callable[..., Page]


@pytest.fixture
def surf(portal: Portal, chromium: Browser) -> Iterator[Surfer]:
    """Open a browser, `surf(petra)` signed in or `surf()` not; it may ask nothing of another host and not complain."""
    contexts: list[BrowserContext] = []
    trouble: list[str] = []

    def start(person: User | None = None, *, script: bool = True, width: int = 1280, **how: object) -> Page:
        context = chromium.new_context(
            base_url=portal.origin, viewport={"width": width, "height": 800}, java_script_enabled=script, **how
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        if person:
            session = signed_in(Client(), person).cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": portal.origin}])
        page = context.new_page()
        page.on("request", lambda request: _stays_here(request.url, portal.origin, trouble))
        page.on("response", lambda response: _is_there(response.url, response.status, trouble))
        page.on("pageerror", lambda error: trouble.append(f"script: {error}"))
        page.on("console", lambda said: trouble.append(said.text) if _is_trouble(said) else None)
        return page

    yield start
    for context in contexts:
        context.close()
    assert trouble == []


def _stays_here(address: str, origin: str, trouble: list[str]) -> None:
    if not address.startswith((f"{origin}/", "blob:", "about:")):
        trouble.append(f"asked {address}")


def _is_there(address: str, status: int, trouble: list[str]) -> None:
    if "/static/" in address and status >= 400:
        trouble.append(f"{status} for {address}")


def _is_trouble(said: object) -> bool:
    refused = getattr(said, "text", "").startswith("Failed to load resource")  # a refusal's status, or ours on purpose
    return getattr(said, "type", "") in {"error", "warning"} and not refused
