"""One browser window, and what a person does in it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.browser import needs

SECONDS = 30.0
# A page or a part of it is just being replaced.
_CHANGING = (NoSuchElementException, StaleElementReferenceException)
_QUIET = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


class Window:
    """What is seen and done in it."""

    def __init__(self, driver: Chrome, address: str) -> None:
        self.driver = driver
        self._address = address

    def open(self, path: str) -> None:
        """Of the console, or a whole address."""
        self.driver.get(path if "://" in path else self._address + path)

    @property
    def text(self) -> str:
        """What a person reads."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    @property
    def path(self) -> str:
        """Where it is."""
        return self.driver.current_url.removeprefix(self._address)

    def until_reads(self, *texts: str, within: float = SECONDS) -> None:
        """Wait until the page says all of it."""
        self.until(lambda: all(each in self.text for each in texts), f"{texts} is never read", within)

    def until(self, what: Callable[[], object], says: str, within: float = SECONDS) -> None:
        """Wait for something."""
        give_up = time.monotonic() + within
        while True:
            try:
                if what():
                    return
            except _CHANGING:
                pass
            assert time.monotonic() < give_up, f"{says}; the page is: {self.driver.page_source}"
            time.sleep(0.05)

    def press(self, label: str) -> None:
        """A button or link with this label, as soon as it is there."""

        def pressed() -> bool:
            self.find(label).click()
            return True

        self.until(pressed, f"there is no {label!r}")

    def find(self, label: str) -> WebElement:
        """A button or link with this label."""
        path = f"//button[normalize-space()='{label}'] | //a[normalize-space()='{label}']"
        return self.driver.find_element(By.XPATH, path)

    def type(self, field: str, text: str) -> None:
        """Into a field, by what its label says."""
        label = self.driver.find_element(By.XPATH, f"//label[normalize-space()='{field}']")
        found = self.driver.find_element(By.ID, str(label.get_attribute("for")))
        found.clear()
        found.send_keys(text)

    def run(self, script: str) -> Any:
        """As if typed into the browser's console."""
        return self.driver.execute_script(script)

    def complaints(self) -> list[str]:
        """What the browser has had to complain about since it was asked last."""
        found: list[dict[str, Any]] = self.driver.get_log("browser")
        return [each["message"] for each in found if each["level"] in ("SEVERE", "WARNING")]


@contextmanager
def a_window(address: str, *, scripts: bool = True) -> Iterator[Window]:
    """A new one of nobody's, with a profile of its own."""
    options = ChromeOptions()
    options.binary_location = str(needs.browser())
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if not scripts:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        as_root = ("--no-sandbox",) if os.geteuid() == 0 else ()
        for each in (*_QUIET, *as_root, f"--user-data-dir={profile}", "--window-size=1000,900"):
            options.add_argument(each)
        driver = Chrome(options, Service(str(needs.driver())))
        try:
            yield Window(driver, address)
        finally:
            driver.quit()
