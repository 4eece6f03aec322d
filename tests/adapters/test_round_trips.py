"""How often a request asks the database, counted where the driver is handed each statement."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event

from control_plane.use_cases.create_store import CreateStore
from control_plane.use_cases.delete_store import DeleteStore
from tests.adapters.backends import PostgresBackend
from tests.builders import ACTOR, BASE_DOMAIN, CELL, CUSTOMER, an_order
from tests.fakes.clock import FakeClock
from tests.fakes.events import FakeEvents

MOST = 3


@pytest.fixture
def asked(real: PostgresBackend) -> Iterator[list[str]]:
    """Every statement, BEGIN, COMMIT or ROLLBACK that any engine sends from now on."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize("key", [None, "a-key"])
def test_accepting_a_store_takes_two_statements(
    real: PostgresBackend, asked: list[str], key: str | None
) -> None:
    create = CreateStore(real.stores, real.outbox, FakeEvents(FakeClock()), CELL, BASE_DOMAIN)
    store = create(an_order(), key=key, body=b"{}", actor=ACTOR)
    assert len(asked) == 2 <= MOST

    asked.clear()
    DeleteStore(real.stores, real.outbox, FakeEvents(FakeClock()))(CUSTOMER, store.id, ACTOR)
    assert len(asked) == 2 <= MOST


def test_the_server_sees_no_transaction_statements_beside_them(real: PostgresBackend) -> None:
    connection = real.stores._database._engine.connect()  # type: ignore[attr-defined]
    try:
        assert connection.connection.dbapi_connection.autocommit
    finally:
        connection.close()
