"""One running copy of everything with real pods, and stores in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import a_world
from tests.cluster.world import World
from tests.node.plugins import a_folder_of_plugins
from tests.node.shops import Shop, Shops


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All parts, running, with the provider `node`; stopped and removed at the end."""
    plugins: Path = tmp_path_factory.mktemp("plugins")
    a_folder_of_plugins(plugins)
    settings = {
        "CLUSTER": "node",
        "URUMI_PLUGINS": str(plugins),
        "URUMI_TICK_SECONDS": "1",
        "URUMI_UNSAFE_FAST": "1",
    }
    with a_world(settings) as made:
        yield made


@pytest.fixture(scope="session")
def shops(node: World) -> Shops:
    """Hands to make stores and to look at them from outside and inside."""
    return Shops(node)


@pytest.fixture
def make(shops: Shops) -> Iterator[Callable[[int], list[Shop]]]:
    """Makes so many stores, accepted and not more; the next test has the machine to itself again."""
    made: list[Shop] = []

    def make_some(number: int) -> list[Shop]:
        some = [shops.create() for _ in range(number)]
        made.extend(some)
        return some

    yield make_some
    shops.delete(made)


@pytest.fixture(scope="module")
def shop(shops: Shops) -> Iterator[Shop]:
    """A store that is READY, for the tests of one module."""
    made = shops.create(title='Ann\'s "Teapots" & <more> 🫖')
    shops.settle([made])
    yield made
    shops.delete([made])
