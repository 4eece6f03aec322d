"""The platform with pods that only pretend, and browsers in front of its console."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from dev.cli import signing_in
from tests.browser.window import Window, a_window
from tests.cluster.conftest import SETTINGS, a_world
from tests.cluster.world import World

Opens = Callable[..., Window]


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """All parts, running; a new store takes long enough to be watched."""
    with a_world({**SETTINGS, "URUMI_POD_DELAY": "1"}) as made:
        yield made


@pytest.fixture
def opens(world: World) -> Iterator[Opens]:
    """Opens windows whose person has signed in with a one-time address."""
    with ExitStack() as windows:

        def opened(**how: Any) -> Window:
            window = windows.enter_context(a_window(world.values["URUMI_CONSOLE_URL"], **how))
            window.open(signing_in.address(world.place, world.values))
            assert window.path == "/"
            return window

        yield opened
