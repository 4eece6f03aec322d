"""What all rings share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests import postgres_server
from tests.postgres_server import Server

_HERE = Path(__file__).parent
_NO_NETWORK = tuple(_HERE / ring for ring in ("domain", "use_cases", "functions"))

# The same examples in every run, so that a change is judged and not the dice.
# `--hypothesis-profile=search` looks for new ones.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("search", deadline=None, max_examples=3000)
hypothesis.settings.load_profile("same")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The fast rings have no network."""
    for item in items:
        if any(ring in item.path.parents for ring in _NO_NETWORK):
            item.add_marker(pytest.mark.disable_socket)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server of this run's own."""
    with postgres_server.running() as server:
        yield server


@pytest.fixture
def database_url(postgres: Server) -> Iterator[str]:
    """A migrated database of this test's own."""
    url = postgres.database()
    yield url
    postgres.drop(url)
