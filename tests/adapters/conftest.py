"""The database ports, in turn over the fakes and over a real Postgres."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.adapters.backends import Backend, FakeBackend, PostgresBackend
from tests.postgres_server import Server


@pytest.fixture(params=["fake", "postgres"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Both, one after the other."""
    if request.param == "fake":
        yield FakeBackend()
    else:
        yield request.getfixturevalue("real")


@pytest.fixture
def real(postgres: Server, database_url: str) -> Iterator[PostgresBackend]:
    """Postgres alone, for what only it can promise."""
    backend = PostgresBackend(database_url, postgres.logins(database_url))
    yield backend
    backend.close()
