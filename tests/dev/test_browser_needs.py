"""What the console's tests need of the machine is what is installed for tests."""

from __future__ import annotations

import re

import pytest

from dev.machine.place import CHECKOUT
from tests.browser import needs


def test_bootstrap_installs_it_for_tests_alone() -> None:
    script = (CHECKOUT / "dev" / "bootstrap").read_text()
    listed = re.search(r'browser_programs="([^"]*)"', script)
    assert listed
    packages = dict(line.split() for line in listed[1].splitlines())
    assert set(packages) == {needs._BROWSERS[0], needs._DRIVER}
    assert all(package in needs.MISSING for package in packages.values())
    assert "dev/bootstrap tests" in (CHECKOUT / "Makefile").read_text()


@pytest.mark.parametrize("there", [set(), {"chromium"}, {"chromedriver"}])
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, there: set[str]) -> None:
    monkeypatch.setattr(needs.shutil, "which", lambda name: f"/bin/{name}" if name in there else None)
    assert needs.missing() == needs.MISSING


def test_chrome_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"google-chrome", "chromedriver"}
    monkeypatch.setattr(needs.shutil, "which", lambda name: f"/bin/{name}" if name in there else None)
    assert (needs.missing(), needs.browser()) == (None, "/bin/google-chrome")
