"""One round trip for each statement, whatever the statement comes to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from control_plane.adapters.postgres_database import Database, sqlstate
from tests.adapters.wire import Wire, wired

# What Postgres refuses at each step of a statement: reading it, its parameters, running it.
WRONG = {
    "42601": ("SELEC :value", 1),
    "42P01": ("SELECT * FROM nowhere WHERE id = :value", 1),
    "22P02": ("SELECT CAST(:value AS uuid)", "no uuid"),
    "22012": ("SELECT 1 / CAST(:value AS integer)", 0),
}
ECHO = text("SELECT CAST(:value AS text) AS value")


@pytest.fixture
def wire(database_url: str) -> Iterator[Wire]:
    with wired(database_url) as wire:
        yield wire


@pytest.fixture
def database(wire: Wire) -> Iterator[Database]:
    """One connection, which is there."""
    database = Database(wire.url, connections=1)
    database.rows(text("SELECT 1"), {})
    wire.told()
    yield database
    database._engine.dispose()


def assert_usable(database: Database, wire: Wire) -> None:
    """And by the same connection: a new one would say much more."""
    wire.told()
    assert database.rows(ECHO, {"value": "Töpferei"}) == [{"value": "Töpferei"}]
    assert wire.told() == ["SELECT CAST($1 AS text) AS value"]


@pytest.mark.parametrize("code", WRONG)
def test_what_is_refused_leaves_the_connection_usable(database: Database, wire: Wire, code: str) -> None:
    statement, value = WRONG[code]
    with pytest.raises(DBAPIError) as refused:
        database.rows(text(statement), {"value": value})
    assert sqlstate(refused.value) == code
    assert len(wire.told()) == 1
    assert_usable(database, wire)


@pytest.mark.parametrize("code", WRONG)
def test_what_is_refused_in_a_transaction_is_undone_alone(database: Database, wire: Wire, code: str) -> None:
    statement, value = WRONG[code]
    table = text("CREATE TABLE kept AS SELECT CAST(:value AS integer) AS n")
    entering = "CREATE TABLE entered (n int); SELECT 1 AS one"
    with suppress(DBAPIError), database.transaction(entering) as (_, session):
        session.rows(table, {"value": 1})
        session.rows(text(statement), {"value": value})
    known = "SELECT to_regclass('entered') IS NOT NULL AS entered, to_regclass('kept') IS NULL AS undone"
    assert database.rows(text(known), {}) == [{"entered": True, "undone": True}]
    assert_usable(database, wire)


def test_what_cannot_be_encoded_is_never_begun(database: Database, wire: Wire) -> None:
    with pytest.raises(UnicodeEncodeError):
        database.rows(ECHO, {"value": "\ud800"})
    assert wire.told() == []
    assert_usable(database, wire)


def test_the_columns_are_those_of_now(database: Database) -> None:
    """Nothing is prepared, so nothing is out of date after a migration."""
    look, one = text("SELECT * FROM changing WHERE n = :n"), {"n": 1}
    database.rows(text("CREATE TABLE changing AS SELECT 1 AS n"), {})
    assert database.rows(look, one) == [{"n": 1}]
    database.rows(text("ALTER TABLE changing ADD COLUMN more text DEFAULT 'yes'"), {})
    assert database.rows(look, one) == [{"n": 1, "more": "yes"}]


def test_much_goes_both_ways(database: Database, wire: Wire) -> None:
    value = "ä" * 4_000_000
    (row,) = database.rows(
        text("SELECT CAST(:value AS text) AS value, n FROM generate_series(1, 1) n"), {"value": value}
    )
    assert row["value"] == value
    assert (
        len(database.rows(text("SELECT n FROM generate_series(1, CAST(:n AS integer)) n"), {"n": 50_000}))
        == 50_000
    )
    assert_usable(database, wire)


def test_what_answers_with_no_rows_has_none(database: Database) -> None:
    database.rows(text("CREATE TABLE filled AS SELECT generate_series(1, 3) AS n"), {})
    assert database.rows(text("UPDATE filled SET n = n + :more"), {"more": 1}) == []
    assert database.rows(text("SELECT n FROM filled WHERE n > :most"), {"most": 9}) == []
