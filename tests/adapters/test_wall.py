"""The wall between accounts, tried with code that forgets whose rows are meant."""

# ruff: noqa: S608, S311 - statements of constants and names of the catalogue; chance is for order only

from __future__ import annotations

import inspect
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from control_plane.adapters import postgres_accounts
from control_plane.adapters.postgres_accounts import PostgresAccounts, PostgresTransaction
from control_plane.adapters.postgres_database import Database, Session, sqlstate
from control_plane.adapters.postgres_stores import PostgresStores
from control_plane.adapters.postgres_tokens import PostgresTokens
from control_plane.domain.accounts import ALL_SCOPES, NewToken, Role, Scope, TokenShown
from control_plane.domain.errors import (
    DatabaseUnavailableError,
    ForbiddenError,
    NameTakenError,
    StoreNotFoundError,
    TokenNotFoundError,
    UnauthenticatedError,
)
from control_plane.domain.identity import Identity
from control_plane.domain.life import Rename
from control_plane.ports.customers import IdempotencyKey, Page
from control_plane.use_cases.create_token import digest_of
from dev.machine import database_roles
from tests.adapters.backends import SEALER, PostgresBackend
from tests.builders import ACTOR, CUSTOMER, LIMITS, STRANGER, a_new_store
from tests.postgres_server import Server

CONTROL_PLANE = Path(postgres_accounts.__file__).parents[1]
FOR_CUSTOMERS = ("create_store", "console")  # whom the wall stands before
MAY_NOT = "42501"  # insufficient_privilege, and what row-level security refuses
# Those of the brief; the catalogue may know more, and all that it knows are tried.
AT_LEAST = {
    "accounts",
    "links",
    "tokens",
    "account_audit",
    "idempotency_keys",
    "stores",
    "audit",
    "dead_letters",
    "people",
    "members",
    "identities",
    "sessions",
    "sign_ins",
    "subscriptions",
    "billing_facts",
}
NOBODYS = {
    "billing_facts",
    "dead_letters",
    "identities",
    "sign_ins",
}  # nobody who is walled sees a row of them
# Those that hang on another table come first: what is theirs is told by it.
LAST = ("members", "stores", "accounts")

WALLED = """
    SELECT relname, relforcerowsecurity, array_agg(attname::text ORDER BY attnum) FROM pg_class
    JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
    WHERE relnamespace = 'public'::regnamespace AND relrowsecurity GROUP BY 1, 2 ORDER BY 1
"""
UNWALLED = """
    SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND NOT attisdropped
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND NOT relrowsecurity
        AND attname IN ('customer_id', 'account_id')
"""


@dataclass(frozen=True)
class Side:
    """One account, and what it shows."""

    account: UUID
    shown: TokenShown
    stores: list[UUID] = field(default_factory=list)
    tokens: list[UUID] = field(default_factory=list)


def whose(table: str, columns: Sequence[str], account: UUID) -> str:
    """The condition for the rows of an account."""
    if table in NOBODYS:
        return "false"
    if table == "people":
        return f"id IN (SELECT person_id FROM members WHERE account_id = '{account}')"
    if table == "accounts":
        return f"id = '{account}'"
    for column in ("account_id", "customer_id"):
        if column in columns:
            return f"{column} = '{account}'"
    assert "store_id" in columns, f"whose rows are those of {table}?"
    return f"store_id IN (SELECT id FROM stores WHERE customer_id = '{account}')"


def walled(real: PostgresBackend) -> Mapping[str, list[str]]:
    """All tables behind the wall with their columns, those that hang on others first."""
    found = {name: columns for name, _, columns in real.back_door.run(WALLED)}
    first = {name: columns for name, columns in found.items() if name not in LAST}
    return first | {name: found[name] for name in LAST}


def kept(real: PostgresBackend, account: UUID) -> Mapping[str, list[Any]]:
    """Every row of an account, and which transaction wrote it last."""
    return {
        table: real.back_door.run(
            f"SELECT xmin::text, {table}::text FROM {table} WHERE {whose(table, columns, account)} ORDER BY 2"
        )
        for table, columns in walled(real).items()
    }


def count(session: Session | Database, table: str, condition: str = "true") -> int:
    (row,) = session.rows(text(f"SELECT count(*) AS n FROM {table} WHERE {condition}"), {})
    return int(row["n"])


def session_of(transaction: PostgresTransaction) -> Session:
    return transaction.stores._session


def entering(shown: Any) -> str:
    return postgres_accounts._entering(shown, {"partner": {"rate": 100, "burst": 1000}})


def a_side(real: PostgresBackend, account: UUID, name: str) -> Side:
    """An account with rows in every table behind the wall."""
    side = Side(account, TokenShown(digest_of(name)))
    real.let_in(account, side.shown.digest)
    real.back_door.run(
        "INSERT INTO links (kind, issuer, customer, account_id) VALUES ('identity', 'i', :name, :id)",
        name=name,
        id=account,
    )
    with real.accounts.enter(side.shown, Scope.WRITE) as transaction:
        for number in range(2):
            order = a_new_store(customer_id=account, name=f"shop-{number}")
            key = IdempotencyKey(str(number), "digest")
            side.stores.append(transaction.stores.add(order, key, ACTOR, most=9).store.id)
        new = NewToken(uuid4(), "n", "p", digest_of(f"second {name}"), ALL_SCOPES, None)
        side.tokens.append(transaction.tokens.add(new, ACTOR).id)
    person = Identity("i", f"subject of {name}", name, Role.CUSTOMER, f"{name}@example.com", name, None)
    with real.console.enter(person, Scope.READ) as transaction:
        transaction.people.open(digest_of(f"session of {name}"), "b", instead_of=None, actor=ACTOR)
    real.let_sign_in(account, digest_of(f"address of {name}"))
    for store_id in side.stores:
        real.back_door.run(
            "INSERT INTO dead_letters (source, message_id, body, store_id, generation, kind, reason)"
            " VALUES ('s', gen_random_uuid(), 'b', :id, 1, 'refused', 'r')",
            id=store_id,
        )
        real.back_door.run(
            "INSERT INTO unclaimed (store_id, number, generation, sealed) VALUES (:id, 1, 1, 'x')",
            id=store_id,
        )
        subscription = {"subscription": f"of {store_id}"}
        real.back_door.run(
            "INSERT INTO subscriptions (id, source, customer, account_id, store_id)"
            " VALUES (:subscription, 's', :name, :account, :id)",
            name=name,
            account=account,
            id=store_id,
            **subscription,
        )
        real.back_door.run(
            "INSERT INTO billing_facts (source, event_id, kind, subscription_id, occurred_at, fingerprint)"
            " VALUES ('s', :subscription, 'activated', :subscription, now(), 'f')",
            **subscription,
        )
    return side


@pytest.fixture
def mine(real: PostgresBackend) -> Side:
    return a_side(real, CUSTOMER, "mine")


@pytest.fixture
def theirs(real: PostgresBackend) -> Side:
    side = a_side(real, STRANGER, "theirs")
    empty = [table for table, rows in kept(real, STRANGER).items() if not rows and table not in NOBODYS]
    assert empty == [], "a test over these tables would find no stranger's row to miss"
    return side


@pytest.fixture(params=FOR_CUSTOMERS)
def user(request: pytest.FixtureRequest) -> str:
    """The API or the console."""
    return str(request.param)


@pytest.fixture
def granted_all(real: PostgresBackend, mine: Side, theirs: Side, user: str) -> PostgresBackend:
    """It may do everything with every table, and no trigger stands in its way: the wall is left."""
    for table in walled(real):
        real.back_door.run(f"GRANT ALL ON {table} TO urumi_{user}")
        real.back_door.run(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    if user == "console":
        real.accounts = real.console
    return real


@pytest.fixture
def single(real: PostgresBackend, postgres: Server, database_url: str, user: str) -> Iterator[Database]:
    """Its login with one connection."""
    database = Database(postgres.logins(database_url)[user], connections=1)
    yield database
    database._engine.dispose()


def seen(session: Session | Database, real: PostgresBackend) -> dict[str, int]:
    """How many rows of each table an unfiltered statement finds, where it finds any."""
    counts = {table: count(session, table) for table in walled(real)}
    return {table: number for table, number in counts.items() if number}


class TestEveryTable:
    def test_the_tables_of_accounts_are_behind_it_and_bind_their_owner(self, real):
        rows = real.back_door.run(WALLED)
        assert {name for name, _, _ in rows} >= AT_LEAST
        assert [name for name, forced, _ in rows if not forced] == []

    def test_no_table_that_names_an_account_is_outside(self, real):
        assert real.back_door.run(UNWALLED) == []

    def test_an_unfiltered_select_finds_ones_own(self, granted_all, mine, theirs):
        expected = {table: len(rows) for table, rows in kept(granted_all, mine.account).items() if rows}
        assert set(expected) == set(walled(granted_all)) - NOBODYS
        with granted_all.accounts.enter(mine.shown, Scope.READ) as transaction:
            session = session_of(transaction)
            assert seen(session, granted_all) == expected
            strangers = {
                table: count(session, table, whose(table, columns, theirs.account))
                for table, columns in walled(granted_all).items()
            }
        assert set(strangers.values()) == {0}

    def test_an_unfiltered_update_changes_ones_own(self, granted_all, mine, theirs):
        before = kept(granted_all, theirs.account)
        letters = granted_all.back_door.run("SELECT xmin::text FROM dead_letters ORDER BY 1")
        own, changed = kept(granted_all, mine.account), {}
        with granted_all.accounts.enter(mine.shown, Scope.READ) as transaction:
            for table, (column, *_) in walled(granted_all).items():
                statement = f"UPDATE {table} SET {column} = {column} RETURNING 1"
                changed[table] = len(session_of(transaction).rows(text(statement), {}))
        assert changed == {table: len(rows) for table, rows in own.items()}
        assert kept(granted_all, theirs.account) == before
        assert granted_all.back_door.run("SELECT xmin::text FROM dead_letters ORDER BY 1") == letters
        after = kept(granted_all, mine.account)
        assert [table for table, rows in own.items() if rows and rows == after[table]] == []

    def test_an_unfiltered_delete_removes_ones_own(self, granted_all, mine, theirs):
        before = kept(granted_all, theirs.account)
        letters = granted_all.back_door.run("SELECT count(*) FROM dead_letters")
        own, removed = kept(granted_all, mine.account), {}
        with granted_all.accounts.enter(mine.shown, Scope.READ) as transaction:
            for table in walled(granted_all):
                statement = f"DELETE FROM {table} RETURNING 1"
                removed[table] = len(session_of(transaction).rows(text(statement), {}))
        assert removed == {table: len(rows) for table, rows in own.items()}
        assert kept(granted_all, theirs.account) == before
        assert granted_all.back_door.run("SELECT count(*) FROM dead_letters") == letters
        assert not any(kept(granted_all, mine.account).values())

    def test_a_named_stranger_is_not_found_either(self, granted_all, mine, theirs):
        with granted_all.accounts.enter(mine.shown, Scope.READ) as transaction:
            session, done = session_of(transaction), {}
            for table, columns in walled(granted_all).items():
                condition, column = whose(table, columns, theirs.account), columns[0]
                for statement in (
                    f"SELECT 1 FROM {table} WHERE {condition} FOR UPDATE",
                    f"UPDATE {table} SET {column} = {column} WHERE {condition} RETURNING 1",
                    f"DELETE FROM {table} WHERE {condition} RETURNING 1",
                ):
                    done[statement] = len(session.rows(text(statement), {}))
        assert [statement for statement, rows in done.items() if rows] == []

    def test_nothing_is_written_for_or_given_to_a_stranger(self, granted_all, mine, theirs):
        stranger = theirs.account
        attacks = {
            "a store": "INSERT INTO stores (id, customer_id, name, title, admin_email, plan, hostname, cell)"
            f" SELECT gen_random_uuid(), '{stranger}', 'n', 't', 'e', 'p', 'h', id FROM cells LIMIT 1",
            "a key": "INSERT INTO idempotency_keys (customer_id, key, body_digest, store_id)"
            f" VALUES ('{stranger}', 'k', 'd', '{mine.stores[0]}')",
            "a key that is there": "INSERT INTO idempotency_keys (customer_id, key, body_digest, store_id)"
            f" VALUES ('{stranger}', '0', 'd', '{mine.stores[0]}')"
            " ON CONFLICT (customer_id, key) DO UPDATE SET store_id = EXCLUDED.store_id",
            "a token": "INSERT INTO tokens (account_id, name, prefix, digest, scopes)"
            f" VALUES ('{stranger}', 'n', 'p', sha256('x'), '{{}}')",
            "a link": "INSERT INTO links (kind, issuer, customer, account_id)"
            f" VALUES ('identity', 'i', 'c', '{stranger}')",
            "a line of their audit": "INSERT INTO account_audit (account_id, actor, cause, action, subject)"
            f" VALUES ('{stranger}', 'a', 'c', 'x', 's')",
            "an account": "INSERT INTO accounts DEFAULT VALUES",
            "a letter": "INSERT INTO dead_letters (source, message_id, body, kind, reason)"
            " VALUES ('s', 'm', 'b', 'refused', 'r')",
            "a person": "INSERT INTO people (name) VALUES ('n')",
            "a member": "INSERT INTO members (account_id, person_id, role)"
            f" SELECT '{stranger}', id, 'owner' FROM people LIMIT 1",
            "an identity": "INSERT INTO identities (issuer, subject, person_id)"
            " SELECT 'i', 's', id FROM people LIMIT 1",
            "a session": "INSERT INTO sessions (digest, account_id, person_id, role, browser)"
            f" SELECT sha256('x'), '{stranger}', id, 'customer', 'b' FROM people LIMIT 1",
            "a session of staff": "INSERT INTO sessions (digest, account_id, person_id, role, browser)"
            f" SELECT sha256('x'), '{mine.account}', id, 'operator', 'b' FROM people LIMIT 1",
            "my session, of staff": "UPDATE sessions SET role = 'support'",
            "a one-time address": "INSERT INTO sign_ins (digest, account_id)"
            f" VALUES (sha256('x'), '{mine.account}')",
            "my membership, given": f"UPDATE members SET account_id = '{stranger}'",
            "my session, given": f"UPDATE sessions SET account_id = '{stranger}'",
            "a password": "INSERT INTO unclaimed (store_id, number, generation, sealed)"
            f" VALUES ('{theirs.stores[0]}', 2, 1, 'x')",
            "my store, given": f"UPDATE stores SET customer_id = '{stranger}'",
            "my token, given": f"UPDATE tokens SET account_id = '{stranger}'",
            "my link, given": f"UPDATE links SET account_id = '{stranger}'",
            "my key, given": f"UPDATE idempotency_keys SET customer_id = '{stranger}', key = key || 'x'",
            "my account, renumbered": "UPDATE accounts SET id = gen_random_uuid()",
        }
        before, outcome = kept(granted_all, stranger), {}
        for name, statement in attacks.items():
            try:
                with granted_all.accounts.enter(mine.shown, Scope.READ) as transaction:
                    session_of(transaction).rows(text(statement), {})
                outcome[name] = "done"
            except DBAPIError as error:
                refused = sqlstate(error) == MAY_NOT and "row-level security" in str(error.orig)
                outcome[name] = "refused" if refused else str(error.orig)
        assert outcome == dict.fromkeys(attacks, "refused")
        assert kept(granted_all, stranger) == before


class TestForgottenFilters:
    """The adapters themselves, told that they reach everything."""

    def test_no_method_finds_a_strangers_store(self, real, mine, theirs):
        stranger, arguments = theirs.stores[0], {"actor": ACTOR, "asked": Rename("t"), "generation": None}
        before, found = kept(real, theirs.account), {}
        with real.accounts.enter(mine.shown, Scope.READ) as transaction:
            session = session_of(transaction)
            careless = PostgresStores(session, None, wake_seconds=30)
            assert {store.id for store in careless.page(Page(limit=100))} == set(mine.stores)
            assert careless.page(Page(limit=100, text=str(stranger))) == []
            credentials = type(transaction.credentials)(session, None, SEALER)
            for adapter in (careless, credentials):
                for name, method in inspect.getmembers(adapter, inspect.ismethod):
                    expected = inspect.signature(method).parameters
                    if name.startswith("_") or "store_id" not in expected:
                        continue
                    given = {key: value for key, value in arguments.items() if key in expected}
                    assert set(given) | {"store_id"} == set(expected), f"{name} is not tried"
                    with suppress(StoreNotFoundError):
                        found[name] = method(stranger, **given)
                    found.setdefault(name, None)
        assert {"get", "history", "change"} <= set(found)
        assert [name for name, result in found.items() if result is not None] == []
        assert kept(real, theirs.account) == before

    def test_they_do_find_ones_own(self, real, mine):
        with real.accounts.enter(mine.shown, Scope.WRITE) as transaction:
            careless = PostgresStores(session_of(transaction), None, wake_seconds=30)
            assert careless.get(mine.stores[0]).id == mine.stores[0]
            assert careless.history(mine.stores[0])
            assert careless.change(mine.stores[0], Rename("x"), generation=1, actor=ACTOR).announcement

    def test_a_store_for_a_stranger_is_refused(self, real, mine, theirs):
        before = kept(real, theirs.account)
        for key in (None, IdempotencyKey("new", "d"), IdempotencyKey("0", "digest")):
            with pytest.raises(DBAPIError) as error, real.accounts.enter(mine.shown, Scope.WRITE) as mistaken:
                mistaken.stores.add(a_new_store(customer_id=theirs.account), key, ACTOR, most=9)
            assert sqlstate(error.value) == MAY_NOT
        assert kept(real, theirs.account) == before

    def test_a_strangers_tokens_are_neither_told_nor_revoked_nor_made(self, real, mine, theirs):
        before = kept(real, theirs.account)
        with real.accounts.enter(mine.shown, Scope.TOKENS) as transaction:
            careless = PostgresTokens(session_of(transaction), theirs.account)
            assert careless.all() == []
            with pytest.raises(TokenNotFoundError):
                careless.revoke(theirs.tokens[0], ACTOR)
        new = NewToken(uuid4(), "n", "p", digest_of("x"), ALL_SCOPES, None)
        with pytest.raises(DBAPIError) as error, real.accounts.enter(mine.shown, Scope.TOKENS) as transaction:
            PostgresTokens(session_of(transaction), theirs.account).add(new, ACTOR)
        assert sqlstate(error.value) == MAY_NOT
        assert kept(real, theirs.account) == before


class TestWhoHasNotEntered:
    def where(self, single: Database) -> int:
        (row,) = single.rows(text("SELECT pg_backend_pid() AS pid"), {})
        return int(row["pid"])

    @contextmanager
    def one_connection(self, single: Database) -> Iterator[None]:
        before = self.where(single)
        yield
        assert self.where(single) == before, "another connection proves nothing"

    def test_nothing_is_seen(self, granted_all, single):
        assert seen(single, granted_all) == {}
        for table, (column, *_) in walled(granted_all).items():
            assert single.rows(text(f"UPDATE {table} SET {column} = {column} RETURNING 1"), {}) == []
            assert single.rows(text(f"DELETE FROM {table} RETURNING 1"), {}) == []

    def test_nothing_is_seen_in_a_transaction_that_only_began(self, granted_all, single):
        with single.transaction("SELECT 1 AS nobody") as (_, session):
            assert seen(session, granted_all) == {}

    def test_nothing_is_seen_after_any_end(self, granted_all, single, mine, theirs):
        accounts = PostgresAccounts(single, SEALER, LIMITS)

        def works(session: Session) -> None:
            assert count(session, "stores") == 2

        def fails(session: Session) -> None:
            raise ZeroDivisionError

        def is_refused(session: Session) -> None:
            session.rows(text("SELECT 1/0"), {})

        def is_forgotten(session: Session) -> None:
            session.rows(text("COMMIT"), {})
            assert seen(session, granted_all) == {}
            session.rows(text("ROLLBACK"), {})
            assert seen(session, granted_all) == {}

        def is_rolled_back(session: Session) -> None:
            session.rows(text("ROLLBACK"), {})
            assert seen(session, granted_all) == {}

        def is_interrupted(session: Session) -> None:
            raise KeyboardInterrupt

        def takes_too_long(session: Session) -> None:
            session.rows(text("SET LOCAL statement_timeout = 20; SELECT pg_sleep(5)"), {})

        for what in (works, fails, is_refused, is_forgotten, is_rolled_back, is_interrupted, takes_too_long):
            with self.one_connection(single):
                raised = (ZeroDivisionError, DBAPIError, KeyboardInterrupt, DatabaseUnavailableError)
                with suppress(*raised), accounts.enter(mine.shown, Scope.READ) as transaction:
                    what(session_of(transaction))
                assert (what.__name__, seen(single, granted_all)) == (what.__name__, {})
        with self.one_connection(single):
            with pytest.raises(ForbiddenError), accounts.enter(mine.shown, "nothing"):
                pass
            assert seen(single, granted_all) == {}

    def test_what_was_set_ends_with_the_transaction(self, single, mine):
        kept_of_it = text(
            "SELECT current_setting('urumi.account', true) AS account, txid_current_if_assigned()"
        )
        accounts = PostgresAccounts(single, SEALER, LIMITS)
        for error in (None, ZeroDivisionError):
            with suppress(ZeroDivisionError), accounts.enter(mine.shown, Scope.READ) as transaction:
                (row,) = session_of(transaction).rows(kept_of_it, {})
                assert row["account"] == str(mine.account)
                if error:
                    raise error
            (row,) = single.rows(kept_of_it, {})
            assert (row["account"] or "", row["txid_current_if_assigned"]) == ("", None)

    def test_an_error_leaves_them_where_they_were(self, single, mine):
        # Back to before the error, and still theirs: the request's own rows and nobody else's.
        with single.transaction(entering(mine.shown)) as (_, session):
            session.rows(text("SAVEPOINT mine"), {})
            with suppress(DBAPIError):
                session.rows(text("SELECT 1/0"), {})
            session.rows(text("ROLLBACK TO SAVEPOINT mine"), {})
            assert count(session, "stores") == 2

    def test_who_is_unknown_and_goes_on_sees_nothing(self, granted_all, single, mine, theirs):
        with single.transaction(entering(TokenShown("00" * 32))) as (row, session):
            assert row["outcome"] == "unknown"
            assert seen(session, granted_all) == {}
        with single.transaction("SELECT * FROM enter('{}')") as (row, session):
            assert row["outcome"] == "unknown"
            assert seen(session, granted_all) == {}

    def test_who_asks_too_often_and_goes_on_sees_nothing(self, granted_all, single, mine):
        granted_all.back_door.run("UPDATE accounts SET requests_left = 0, requests_at = clock_timestamp()")
        said = json.dumps({"token": mine.shown.digest, "limits": {"partner": {"rate": 0.001, "burst": 1}}})
        with single.transaction(f"SELECT * FROM enter('{said}')") as (row, session):
            assert row["outcome"] == "limited"
            assert seen(session, granted_all) == {}

    @pytest.mark.parametrize("role", [Role.CUSTOMER, Role.OPERATOR])
    def test_who_enters_anew_is_not_who_was_there_before(self, granted_all, single, mine, theirs, role):
        first = TokenShown(digest_of("first"))
        granted_all.let_in(theirs.account, first.digest, role=role)
        for second, expected in ((TokenShown("00" * 32), {}), (mine.shown, {"stores": 2, "tokens": 2})):
            with single.transaction(entering(first)) as (_, session):
                assert count(session, "stores") == (2 if role is Role.CUSTOMER else 4)
                session.rows(text(entering(second)), {})
                found = seen(session, granted_all)
                assert {table: found.get(table, 0) for table in expected} == expected
                assert bool(found) is bool(expected)

    def test_an_empty_or_strange_setting_sees_nothing(self, granted_all, single):
        for account, staff in (
            ("", ""),
            ("", "no"),
            ("", "true"),
            (str(uuid4()), ""),
            (str(UUID(int=0)), ""),
        ):
            set_to = {"urumi.account": account, "urumi.staff": staff}
            settings = [f"set_config('{name}', '{value}', true)" for name, value in set_to.items()]
            setting = f"SELECT {', '.join(settings)}"
            with single.transaction(setting) as (_, session):
                assert seen(session, granted_all) == {}
        with single.transaction("SELECT set_config('urumi.account', 'true', true)") as (_, session):
            with pytest.raises(DBAPIError, match="invalid input syntax for type uuid"):
                count(session, "tokens")
            session.rows(text("ROLLBACK TO SAVEPOINT entered"), {})


class TestManyOnOneConnection:
    """Two customers' requests, one after the other at random, with errors in between."""

    def request(self, accounts: PostgresAccounts, side: Side, chance: random.Random) -> None:
        """One request of any outcome; whatever it sees is its account's."""
        outcome = chance.choice(
            ["done", "made", "refused", "taken", "broken", "unknown", "forbidden", "late"]
        )
        shown = TokenShown("00" * 32) if outcome == "unknown" else side.shown
        errors = (
            ZeroDivisionError,
            DBAPIError,
            NameTakenError,
            UnauthenticatedError,
            ForbiddenError,
            DatabaseUnavailableError,
        )
        needs: Any = "nothing" if outcome == "forbidden" else Scope.WRITE
        with suppress(*errors), accounts.enter(shown, needs) as transaction:
            assert outcome not in ("unknown", "forbidden")
            self.look(transaction, side)
            if outcome == "made" or (outcome == "taken" and chance.random() < 0.3):
                order = a_new_store(customer_id=side.account)
                side.stores.append(transaction.stores.add(order, None, ACTOR, most=999).store.id)
            elif outcome == "taken":
                transaction.stores.add(
                    a_new_store(customer_id=side.account, name="shop-0"), None, ACTOR, most=999
                )
            elif outcome == "refused":
                session_of(transaction).rows(text("SELECT 1/0"), {})
            elif outcome == "broken":
                raise ZeroDivisionError
            elif outcome == "late":
                session_of(transaction).rows(text("SET LOCAL statement_timeout = 10; SELECT pg_sleep(1)"), {})
            self.look(transaction, side)

    def look(self, transaction: PostgresTransaction, side: Side) -> None:
        careless = PostgresStores(session_of(transaction), None, wake_seconds=30)
        found = careless.page(Page(limit=1000))
        assert {store.customer_id for store in found} == {side.account}
        assert {store.id for store in found} == set(side.stores)
        (row,) = session_of(transaction).rows(
            text("SELECT array_agg(DISTINCT account_id) AS a FROM tokens"), {}
        )
        assert row["a"] == [side.account]

    def test_two_hundred_in_turn(self, single, mine, theirs):
        chance, accounts = random.Random(7), PostgresAccounts(single, SEALER, LIMITS)
        (first,) = single.rows(text("SELECT pg_backend_pid() AS pid"), {})
        for _ in range(200):
            self.request(accounts, chance.choice([mine, theirs]), chance)
            if chance.random() < 0.2:
                assert count(single, "stores") == 0
        (last,) = single.rows(text("SELECT pg_backend_pid() AS pid"), {})
        assert first == last
        assert min(len(mine.stores), len(theirs.stores)) > 4

    def test_two_threads_that_wait_for_it(self, single, mine, theirs):
        accounts = PostgresAccounts(single, SEALER, LIMITS)

        def customer(side: Side) -> None:
            chance = random.Random(side.account.int)
            for _ in range(60):
                self.request(accounts, side, chance)

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(customer, [mine, theirs]))


class TestOwner:
    def test_it_is_bound_except_by_its_written_policy(self, real, mine, theirs):
        door = real.back_door
        for table in walled(real):
            door.run("BEGIN")
            try:
                door.run(f"SET LOCAL ROLE {database_roles.OWNER}")
                (before,) = door.run(f"SELECT count(*) FROM {table}")[0]
                door.run(f"DROP POLICY owner ON {table}")
                (after,) = door.run(f"SELECT count(*) FROM {table}")[0]
            finally:
                door.run("ROLLBACK")
            assert before >= 2, table
            assert (table, after) == (table, 0)

    def test_nobody_passes_by_the_wall(self, real, mine):
        # Only a superuser or BYPASSRLS would; the owner gets an error instead of rows.
        door = real.back_door
        door.run("BEGIN")
        door.run(f"SET LOCAL ROLE {database_roles.OWNER}")
        door.run("SET LOCAL row_security = off")
        with pytest.raises(Exception, match="would be affected by row-level security"):
            door.run("SELECT id FROM stores")
        door.run("ROLLBACK")


class TestStaff:
    @pytest.mark.parametrize("role", [Role.SUPPORT, Role.OPERATOR])
    @pytest.mark.parametrize("way", ["token", "identity"])
    def test_they_see_stores_and_their_audit_and_no_more(self, granted_all, mine, theirs, role, way):
        account = uuid4()
        shown: Any = TokenShown(digest_of("staff"))
        granted_all.let_in(account, shown.digest, role=role)
        if way == "identity":
            shown = Identity("i", "s", "c", role, None, None, None)
            granted_all.back_door.run(
                "INSERT INTO links (kind, issuer, customer, account_id) VALUES ('identity', 'i', 'c', :id)",
                id=account,
            )
        with granted_all.accounts.enter(shown, Scope.READ) as transaction:
            found = seen(session_of(transaction), granted_all)
        own = {"links": 1, "members": 1, "people": 1, "account_audit": 1} if way == "identity" else {}
        of_stores = {"stores": 4, "audit": 4, "unclaimed": 4, "subscriptions": 4}
        assert found == {"accounts": 1, "tokens": 1, **of_stores, **own}

    @pytest.mark.parametrize("role", [None, "", "boss", "Operator", "customer"])
    def test_nobody_else_is_staff(self, granted_all, single, mine, theirs, role):
        said = {
            "issuer": "i",
            "customer": "mine",
            "subject": "s",
            "limits": {"partner": {"rate": 9, "burst": 9}},
        }
        said |= {"role": role} if role is not None else {}
        with single.transaction(f"SELECT * FROM enter('{json.dumps(said)}')") as (row, session):
            assert (row["outcome"], row["account"]) == ("entered", mine.account)
            assert count(session, "stores") == 2


class TestSettings:
    """Whatever is set for a request must end with its transaction."""

    def sources(self) -> Mapping[str, str]:
        found = {str(path): path.read_text() for path in CONTROL_PLANE.rglob("*.py")}
        assert len(found) > 40
        return found

    def test_every_set_config_is_for_its_transaction_only(self):
        calls = {
            (path, call)
            for path, source in self.sources().items()
            for call in re.findall(r"set_config\s*\([^;]*?\)(?=[\s,;])", source)
        }
        assert len(calls) >= 3
        assert [each for each in calls if not re.search(r",\s*true\s*\)$", each[1])] == []

    def test_nothing_is_set_for_a_connection(self):
        forbidden = re.compile(
            r"(?i:\bSET\s+(SESSION\s+)?(\"?urumi\.|ROLE\b|row_security\b|session_replication_role\b))"
            r"|\bSET\s+SESSION\b|\bRESET\s+\w|\bDISCARD\s+\w"
        )
        found = [
            (path, match.group())
            for path, source in self.sources().items()
            for match in forbidden.finditer(source)
        ]
        assert found == []
