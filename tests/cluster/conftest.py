"""One running copy of everything for this ring, on ports and in a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

import pytest

from dev.machine import machine
from tests import places
from tests.cluster.world import World

SETTINGS = {
    "CLUSTER": "simulated",
    "URUMI_POD_DELAY": "0",
    "URUMI_TICK_SECONDS": "1",
    "URUMI_UNSAFE_FAST": "1",
    # Short, so that what a death leaves behind is taken up within seconds.
    "URUMI_LEASE_SECONDS": "5",
    "URUMI_HELM_SECONDS": "15",
    "URUMI_WAKE_SECONDS": "5",
}


@pytest.fixture(scope="session")
def whole() -> Iterator[World]:
    """All parts, running; stopped and removed at the end."""
    with a_world() as made:
        yield made


@contextmanager
def a_world(settings: Mapping[str, str] = SETTINGS) -> Iterator[World]:
    """A running copy of everything, started with those settings."""
    before = {name: os.environ.get(name) for name in (*settings, "KUBECONFIG", "DATABASE_URL")}
    os.environ.update(settings)
    os.environ.pop("KUBECONFIG", None)
    os.environ.pop("DATABASE_URL", None)
    place = places.fresh()
    try:
        with closing(World(place, machine.up(place, print))) as world:
            yield world
    finally:
        places.remove(place)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@pytest.fixture
def world(whole: World) -> World:
    """The same, with every part running again whatever the last test killed."""
    whole.up()
    return whole
