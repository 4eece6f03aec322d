"""What the database itself refuses, whoever writes."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from control_plane.adapters.postgres_database import Database
from control_plane.domain.store import MOVES, StoreState
from tests.adapters.backends import PostgresBackend
from tests.builders import ACTOR, CUSTOMER, STRANGER, a_new_store


@pytest.fixture
def database(real: PostgresBackend) -> Database:
    return real.database


def a_stored(real: PostgresBackend, **fields: object) -> str:
    return str(real.stores.add(a_new_store(**fields), None, ACTOR).store.id)


def test_the_database_has_the_very_table_of_moves(database: Database) -> None:
    rows = database.rows(text("SELECT from_state, to_state FROM moves"), {})
    here = {(before.value, after.value) for before, afters in MOVES.items() for after in afters}
    assert {(row["from_state"], row["to_state"]) for row in rows} == here


@pytest.mark.parametrize(("before", "after"), list(itertools.product(StoreState, repeat=2)))
def test_only_moves_of_the_table_are_written(
    real: PostgresBackend, database: Database, before: StoreState, after: StoreState
) -> None:
    store_id = a_stored(real)
    real.put(store_id, state=before, reason="because")  # type: ignore[arg-type]
    move = text("UPDATE stores SET state = :after WHERE id = :id")
    if after in MOVES[before] or after is before:
        database.rows(move, {"after": after, "id": store_id})
    else:
        with pytest.raises(DBAPIError, match="may not move"):
            database.rows(move, {"after": after, "id": store_id})


def test_an_unknown_state_is_refused(real: PostgresBackend, database: Database) -> None:
    with pytest.raises(DBAPIError):
        database.rows(text("UPDATE stores SET state = 'HAPPY' WHERE id = :id"), {"id": a_stored(real)})


@pytest.mark.parametrize("change", ["UPDATE audit SET reason = 'x'", "DELETE FROM audit", "TRUNCATE audit"])
def test_the_audit_cannot_be_changed_or_emptied(
    real: PostgresBackend, database: Database, change: str
) -> None:
    a_stored(real)
    with pytest.raises(DBAPIError, match="append-only"):
        database.rows(text(change), {})


def test_generation_and_token_only_grow(real: PostgresBackend, database: Database) -> None:
    store_id = a_stored(real)
    for column in ("generation", "lease_token"):
        with pytest.raises(DBAPIError):
            database.rows(
                text(f"UPDATE stores SET {column} = {column} - 1 WHERE id = :id"),  # noqa: S608 - two constants
                {"id": store_id},
            )


def test_two_live_stores_never_have_one_host_name(real: PostgresBackend, database: Database) -> None:
    one = a_stored(real, customer_id=CUSTOMER)
    other = a_stored(real, customer_id=STRANGER)
    same = text(
        "UPDATE stores SET hostname = (SELECT hostname FROM stores WHERE id = :one) WHERE id = :other"
    )
    with pytest.raises(DBAPIError, match="one_live_store_per_hostname"):
        database.rows(same, {"one": one, "other": other})
