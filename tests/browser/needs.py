"""A real browser, and what drives it: Debian's Chromium, or Chrome."""

from __future__ import annotations

import shutil

_BROWSERS = ("chromium", "google-chrome")
_DRIVER = "chromedriver"
MISSING = "a browser or its driver is missing: 'apt-get install chromium chromium-driver' on Debian"


def browser() -> str | None:
    """Where it is."""
    return next((found for name in _BROWSERS if (found := shutil.which(name))), None)


def driver() -> str | None:
    """Where what drives it is."""
    return shutil.which(_DRIVER)


def missing() -> str | None:
    """Why the tests cannot run here, and what to do; None if they can."""
    if browser() and driver():
        return None
    return MISSING
