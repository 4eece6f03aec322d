"""How often a request waits for the database, counted on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID, uuid4

import pytest
from pg8000.dbapi import Connection

from control_plane.adapters import postgres_login
from control_plane.adapters.postgres_accounts import PostgresAccounts
from control_plane.adapters.postgres_database import Database
from control_plane.domain.accounts import Scope, TokenShown
from control_plane.domain.errors import (
    NameTakenError,
    RateLimitedError,
    StoreLimitError,
    StoreNotFoundError,
    UnauthenticatedError,
)
from control_plane.domain.life import Verb
from control_plane.domain.limits import Limits
from control_plane.plan_file import plans
from control_plane.use_cases.announce import Announce
from control_plane.use_cases.change_store import ChangeStore
from control_plane.use_cases.create_store import CreateStore
from control_plane.use_cases.hostnames import Hostnames
from tests.adapters.backends import SEALER, PostgresBackend
from tests.adapters.wire import Wire, wired
from tests.builders import BASE_DOMAIN, CELL, CUSTOMER, LIMITS, an_order, shown_by
from tests.fakes.clock import FakeClock
from tests.fakes.events import FakeEvents
from tests.postgres_server import Server

ENTER = "BEGIN; SELECT * FROM enter(…); SAVEPOINT entered"
COMMIT, UNDO = "COMMIT", "ROLLBACK TO SAVEPOINT entered; COMMIT"
INTENT, LOOK = "WITH", "SELECT"


def sort_of(statement: str) -> str:
    """Which of these it is; else itself."""
    said = " ".join(statement.split())
    if said.startswith("BEGIN; SELECT * FROM enter(") and said.endswith("); SAVEPOINT entered"):
        return ENTER
    for begin in (INTENT, LOOK):
        if said.startswith(f"{begin} ") and ";" not in said:
            return begin
    return said


@pytest.fixture
def wire(postgres: Server, database_url: str) -> Iterator[Wire]:
    """Between the API and its database."""
    with wired(postgres.logins(database_url)["create_store"]) as wire:
        yield wire


class Platform:
    """The verbs over one connection, which is there, and has not seen them yet."""

    def __init__(self, database: Database) -> None:
        announce = Announce(FakeEvents(FakeClock()))
        self.accounts = accounts = PostgresAccounts(database, SEALER, LIMITS)
        self.shown = shown_by(CUSTOMER)
        self.create = CreateStore(accounts, announce, Hostnames(BASE_DOMAIN), plans(), CELL)
        self._change = ChangeStore(accounts, announce, plans())
        with accounts.enter(self.shown, Scope.READ):
            pass

    def change(self, store_id: UUID, verb: Verb, given: str = "") -> None:
        """Ask for one verb."""
        self._change(self.shown, store_id, {verb: given}, generation=None, cause="request 2")


@pytest.fixture
def database(real: PostgresBackend, wire: Wire) -> Iterator[Database]:
    real.let_in(CUSTOMER, shown_by(CUSTOMER).digest)
    database = Database(wire.url, connections=1)
    yield database
    database._engine.dispose()


@pytest.fixture
def platform(database: Database, wire: Wire) -> Platform:
    platform = Platform(database)
    wire.told()
    return platform


def told(wire: Wire) -> list[str]:
    """The round trips since it was asked last."""
    return [sort_of(each) for each in wire.told()]


@pytest.mark.parametrize("key", [None, "a-key"])
def test_an_order_takes_three(platform: Platform, wire: Wire, key: str | None) -> None:
    for name in ("pottery", "teapots"):
        platform.create(platform.shown, an_order(name=name), key=key and name, body=b"{}", cause="request 1")
        assert told(wire) == [ENTER, INTENT, COMMIT]


def test_any_other_intent_takes_four(real: PostgresBackend, platform: Platform, wire: Wire) -> None:
    """The row is locked and looked at first: what may be asked of a store is said in Python, not in SQL."""
    store = platform.create(platform.shown, an_order(), key=None, body=b"{}", cause="request 1").store
    told(wire)
    for verb, given in ((Verb.RENAME, "Anew"), (Verb.RETRY, ""), (Verb.DELETE, "")):
        if verb is Verb.RETRY:
            real.put(store.id, state="FAILED", reason="because")
        platform.change(store.id, verb, given)
        assert told(wire) == [ENTER, LOOK, INTENT, COMMIT]


def test_what_changes_nothing_is_announced_by_nobody(platform: Platform, wire: Wire) -> None:
    store = platform.create(platform.shown, an_order(), key="k", body=b"{}", cause="request 1").store
    told(wire)
    platform.create(platform.shown, an_order(), key="k", body=b"{}", cause="request 2")
    assert told(wire) == [ENTER, INTENT, LOOK, COMMIT]

    platform.change(store.id, Verb.DELETE)
    told(wire)
    platform.change(store.id, Verb.DELETE)
    assert told(wire) == [ENTER, LOOK, COMMIT]


def test_a_refused_request_takes_three(platform: Platform, wire: Wire) -> None:
    platform.create(platform.shown, an_order(), key=None, body=b"{}", cause="request 1")
    told(wire)
    with pytest.raises(NameTakenError):
        platform.create(platform.shown, an_order(), key=None, body=b"{}", cause="request 2")
    assert told(wire) == [ENTER, INTENT, UNDO]
    with pytest.raises(StoreNotFoundError):
        platform.change(uuid4(), Verb.DELETE)
    assert told(wire) == [ENTER, LOOK, UNDO]


def test_at_the_limit_it_is_asked_why(
    platform: Platform, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIMITS, "partner", Limits(live_stores=0, rate=1, burst=1))  # type: ignore[arg-type]
    with pytest.raises(StoreLimitError):
        platform.create(platform.shown, an_order(), key=None, body=b"{}", cause="request 1")
    assert told(wire) == [ENTER, INTENT, LOOK, UNDO]


def test_who_is_not_let_in_costs_two(real: PostgresBackend, platform: Platform, wire: Wire) -> None:
    with (
        pytest.raises(UnauthenticatedError),
        platform.accounts.enter(TokenShown("00" * 32), Scope.READ),
    ):
        pass
    assert told(wire) == [ENTER, UNDO]
    real.back_door.run("UPDATE accounts SET requests_left = -1e6")
    with pytest.raises(RateLimitedError), platform.accounts.enter(platform.shown, Scope.READ):
        pass
    assert told(wire) == [ENTER, UNDO]


def test_looking_takes_three_and_leaves_no_transaction_open(
    real: PostgresBackend, platform: Platform, wire: Wire
) -> None:
    for error in (None, ZeroDivisionError):
        with suppress(ZeroDivisionError), platform.accounts.enter(platform.shown, Scope.READ) as transaction:
            with suppress(StoreNotFoundError):
                transaction.stores.look(uuid4())
            if error:
                raise error
        assert told(wire) == [ENTER, LOOK, UNDO if error else COMMIT]
        still = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in t%'"
        assert real.back_door.run(still) == []


def test_the_driver_alone_would_wait_three_times_for_one_statement(
    database: Database, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that what is counted above are round trips."""
    monkeypatch.setattr(postgres_login, "OneTripConnection", Connection)
    platform = Platform(database)
    wire.told()
    platform.create(platform.shown, an_order(), key="k", body=b"{}", cause="request 1")
    assert told(wire) == [ENTER, INTENT, "DHS", "BHEHS", COMMIT]
