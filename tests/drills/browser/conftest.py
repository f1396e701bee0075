"""The running portal and the browser of the journeys, started anew for this folder and gone behind it."""

from tests.journeys.conftest import _playwright, _running, chromium, portal, surf

__all__ = ["_playwright", "_running", "chromium", "portal", "surf"]
