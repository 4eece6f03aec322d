"""The two databases that a contract is tried on, and what a test may do to either behind the ports' back."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol
from uuid import UUID

import pg8000.native
from cryptography.fernet import Fernet
from sqlalchemy import text

from control_plane.adapters.postgres_accounts import PostgresAccounts
from control_plane.adapters.postgres_cleaning import PostgresCleaning
from control_plane.adapters.postgres_database import Database
from control_plane.adapters.postgres_dead_letters import PostgresDeadLetters, PostgresParking
from control_plane.adapters.postgres_fleet import PostgresFleet
from control_plane.adapters.postgres_orphans import PostgresOrphans
from control_plane.adapters.postgres_outbox import PostgresOutbox
from control_plane.adapters.postgres_people import PostgresDepartures
from control_plane.adapters.postgres_store_events import PostgresStoreEvents
from control_plane.adapters.postgres_terms import PostgresTerms
from control_plane.adapters.postgres_vault import PostgresVault
from control_plane.adapters.postgres_work import PostgresWork
from control_plane.adapters.sealer import Sealer
from control_plane.domain.accounts import ALL_SCOPES, Role, Scope, TokenShown
from control_plane.domain.life import Asked
from control_plane.domain.people import ONE_TIME_LIFE
from control_plane.domain.rollout import Verdict
from control_plane.domain.store import Actor, AuditEntry, NewStore, Store
from control_plane.ports.billing import SubscriptionRow
from control_plane.ports.cleaning import Cleaning
from control_plane.ports.customers import Accepted, Accounts, IdempotencyKey, Looked, Page, Stores
from control_plane.ports.dead_letters import DeadLetters, Parking
from control_plane.ports.fleet import Fleet, PassLease
from control_plane.ports.messages import Outbox
from control_plane.ports.orphans import OrphanDesk, OrphanRecords, OrphanWork
from control_plane.ports.people import Departures
from control_plane.ports.store_events import StoreEvents
from control_plane.ports.terms import Terms
from control_plane.ports.work import Vault, Work
from control_plane.use_cases.create_token import digest_of
from dev.machine import database
from tests.builders import CELL, LIMITS, Gone
from tests.fakes.accounts import FakeAccounts, a_fake_token
from tests.fakes.clock import FakeClock
from tests.fakes.dead_letters import FakeCleaning, FakeDeadLetters, FakeParking
from tests.fakes.fleet import FakeFleet
from tests.fakes.orphans import FakeOrphans
from tests.fakes.people import FakeDepartures, SignInRow
from tests.fakes.stores import FakeOutbox
from tests.fakes.tables import Tables
from tests.fakes.terms import FakeStoreEvents, FakeTerms
from tests.fakes.work import FakeVault, FakeWork

SEALER = Sealer([Fernet.generate_key().decode()])


class Backend(Protocol):
    """All database ports over one database."""

    accounts: Accounts  # as the API enters them
    console: Accounts  # as the console does
    stores: EachItsOwn
    outbox: Outbox
    work: Work
    vault: Vault
    fleet: Fleet
    parking: Parking
    letters: DeadLetters
    cleaning: Cleaning
    orphan_records: OrphanRecords
    orphan_work: OrphanWork
    orphan_desk: OrphanDesk
    departures: Departures
    terms: Terms
    store_events: StoreEvents

    def work_of(self, cell: str) -> Work:
        """What provision of that cell works with."""

    def cell(self, name: str) -> UUID:
        """The id of a cell."""

    def let_in(
        self,
        customer: UUID,
        digest: str,
        *,
        plan: str = "partner",
        role: Role = Role.CUSTOMER,
        scopes: frozenset[Scope] = ALL_SCOPES,
    ) -> None:
        """Make an account, where it is not there, and give it a token."""

    def let_sign_in(self, customer: UUID, digest: str) -> None:
        """What an operator does for a one-time address."""

    def later(self, seconds: float) -> None:
        """Let time pass."""

    def put(self, store_id: UUID, **columns: Any) -> None:
        """Write columns of a store's row, past the table of moves."""

    def value(self, store_id: UUID, column: str) -> Any:
        """One column of a store's row."""

    def bill(self, row: SubscriptionRow) -> None:
        """Write a subscription's row."""

    def said(self, store_id: UUID) -> list[tuple[int, bool]]:
        """The store's outbox, oldest first: generation, and whether it is ticked off."""

    def operations(self) -> list[tuple[str, str, str, str | None]]:
        """What operators did, oldest first: operator, action, subject, reason."""

    def told_of(self, account: UUID) -> list[tuple[str, str, str, str]]:
        """The account's audit, oldest first: actor, cause, action, subject."""

    def accounts_of(self, customer: str) -> list[UUID]:
        """The accounts of all who have this name with an identity provider."""


class EachItsOwn:
    """The `Stores` port with each call in a transaction of its own, of the customer that it names."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._known: set[UUID] = set()
        self._lock = threading.Lock()

    def add(self, order: NewStore, key: IdempotencyKey | None, actor: Actor, *, most: int = 1000) -> Accepted:
        """See the port."""
        with self.of(order.customer_id) as stores:
            return stores.add(order, key, actor, most=most)

    def get(self, customer: UUID, store_id: UUID) -> Store:
        """See the port."""
        with self.of(customer) as stores:
            return stores.get(store_id)

    def look(self, customer: UUID, store_id: UUID) -> Looked:
        """See the port."""
        with self.of(customer) as stores:
            return stores.look(store_id)

    def page(self, customer: UUID, page: Page) -> Sequence[Store]:
        """See the port."""
        with self.of(customer) as stores:
            return stores.page(page)

    def history(self, customer: UUID, store_id: UUID) -> Sequence[AuditEntry]:
        """See the port."""
        with self.of(customer) as stores:
            return stores.history(store_id)

    def change(
        self, customer: UUID, store_id: UUID, asked: Asked, actor: Actor, generation: int | None = None
    ) -> Accepted:
        """See the port."""
        with self.of(customer) as stores:
            return stores.change(store_id, asked, generation=generation, actor=actor)

    def remove(self, customer: UUID, store_id: UUID, actor: Actor, generation: int | None = None) -> Accepted:
        """The store is to go at once."""
        return self.change(customer, store_id, Gone(), actor, generation)

    @contextmanager
    def of(self, customer: UUID) -> Iterator[Stores]:
        """A transaction of a customer's."""
        digest = digest_of(f"token of {customer}")
        with self._lock:
            if customer not in self._known:
                self._backend.let_in(customer, digest)
                self._known.add(customer)
        with self._backend.accounts.enter(TokenShown(digest), Scope.READ) as transaction:
            yield transaction.stores


class FakeBackend:
    """The fakes."""

    def __init__(self) -> None:
        self.tables = Tables(FakeClock(), CELL, "other")
        self.accounts: Accounts = FakeAccounts(self.tables)
        self.console = self.accounts
        self.stores = EachItsOwn(self)
        self.outbox: Outbox = FakeOutbox(self.tables)
        self.work = self.work_of(CELL)
        self.vault: Vault = FakeVault(self.tables)
        self.fleet: Fleet = FakeFleet(self.tables)
        self.parking: Parking = FakeParking(self.tables)
        self.letters: DeadLetters = FakeDeadLetters(self.tables)
        self.cleaning: Cleaning = FakeCleaning(self.tables)
        orphans = FakeOrphans(self.tables)
        self.orphan_records: OrphanRecords = orphans
        self.orphan_work: OrphanWork = orphans
        self.orphan_desk: OrphanDesk = orphans
        self.departures: Departures = FakeDepartures(self.tables)
        self.terms: Terms = FakeTerms(self.tables)
        self.store_events: StoreEvents = FakeStoreEvents(self.tables)

    def work_of(self, cell: str) -> Work:
        """See the protocol."""
        return FakeWork(self.tables, cell)

    def cell(self, name: str) -> UUID:
        """See the protocol."""
        return self.tables.cells[name].id

    def let_in(
        self,
        customer: UUID,
        digest: str,
        *,
        plan: str = "partner",
        role: Role = Role.CUSTOMER,
        scopes: frozenset[Scope] = ALL_SCOPES,
    ) -> None:
        """See the protocol."""
        a_fake_token(self.tables, customer, digest, plan=plan, role=role, scopes=scopes)

    def let_sign_in(self, customer: UUID, digest: str) -> None:
        """See the protocol."""
        self.tables.of_people.sign_ins[digest] = SignInRow(customer, self.tables.now + ONE_TIME_LIFE)

    def later(self, seconds: float) -> None:
        """See the protocol."""
        self.tables.clock.later(seconds)

    def put(self, store_id: UUID, **columns: Any) -> None:
        """See the protocol."""
        self.tables.rows[store_id] = replace(self.tables.rows[store_id], **columns)

    def value(self, store_id: UUID, column: str) -> Any:
        """See the protocol."""
        return getattr(self.tables.rows[store_id], column)

    def bill(self, row: SubscriptionRow) -> None:
        """See the protocol."""
        self.tables.subscriptions[row.id] = row

    def said(self, store_id: UUID) -> list[tuple[int, bool]]:
        """See the protocol."""
        return [
            (row.announcement.intent.generation, row.published_at is not None)
            for row in self.tables.outbox
            if row.announcement.intent.store_id == store_id
        ]

    def operations(self) -> list[tuple[str, str, str, str | None]]:
        """See the protocol."""
        return list(self.tables.operations)

    def told_of(self, account: UUID) -> list[tuple[str, str, str, str]]:
        """See the protocol."""
        return [entry[1:] for entry in self.tables.account_audit if entry[0] == account]

    def accounts_of(self, customer: str) -> list[UUID]:
        """See the protocol."""
        return [account for (_, theirs), account in self.tables.links.items() if theirs == customer]


def pass_over(backend: Backend, cell: str = CELL) -> PassLease:
    """A pass that was not begun, for what asks only which cell it is of."""
    return PassLease(backend.cell(cell), 0, None)


def judged(backend: Backend, verdicts: Sequence[Verdict], actor: Actor) -> int:
    """What a pass of its own writes of them."""
    lease = backend.fleet.begin_pass(CELL, seconds=30.0, full_every=600.0)
    assert lease
    try:
        return backend.fleet.record(lease, verdicts, actor)
    finally:
        backend.fleet.end_pass(lease, None)


_TIMES = {
    "stores": (
        "lease_until",
        "next_attempt_at",
        "quiet_until",
        "deadline_at",
        "created_at",
        "updated_at",
        "ready_at",
        "removal_at",
        "former_until",
    ),
    "outbox": ("created_at", "published_at"),
    "store_events": ("at", "published_at"),
    "idempotency_keys": ("created_at",),
    "cells": ("pass_until", "seen_at", "full_pass_at"),
    "attempts": ("began_at",),
    "unclaimed": ("made_at",),
    "dead_letters": ("parked_at", "answered_at"),
    "orphans": ("found_at", "quarantined_at", "removal_at"),
    "accounts": ("requests_at",),
    "tokens": ("created_at", "expires_at", "last_used_at"),
    "members": ("joined_at",),
    "sessions": ("created_at", "seen_at", "expires_at", "ended_at"),
    "sign_ins": ("expires_at",),
}


class PostgresBackend:
    """The real thing. Time passes by moving all that is written into the past.

    Each port has the login of the function that uses it, so that a missing grant is found here.
    """

    def __init__(self, url: str, logins: Mapping[str, str]) -> None:
        self.database = Database(url, connections=8)
        self.functions = {name: Database(login, connections=8) for name, login in logins.items()}
        create_store, provision = self.functions["create_store"], self.functions["provision"]
        reconcile, operator = self.functions["reconcile"], self.functions["operator"]
        console = self.functions["console"]
        self.accounts: Accounts = PostgresAccounts(create_store, SEALER, LIMITS)
        self.console: Accounts = PostgresAccounts(console, SEALER, LIMITS)
        self.stores = EachItsOwn(self)
        self.work = self.work_of(CELL)
        self.vault: Vault = PostgresVault(provision, SEALER)
        self.parking: Parking = PostgresParking(provision)
        self.fleet: Fleet = PostgresFleet(reconcile)
        self.outbox: Outbox = PostgresOutbox(reconcile)
        self.cleaning: Cleaning = PostgresCleaning(reconcile)
        self.letters: DeadLetters = PostgresDeadLetters(operator)
        self.orphan_records: OrphanRecords = PostgresOrphans(reconcile, CELL)
        self.orphan_work: OrphanWork = PostgresOrphans(provision, CELL)
        self.orphan_desk: OrphanDesk = PostgresOrphans(operator, CELL)
        self.departures: Departures = PostgresDepartures(console)
        self.terms: Terms = PostgresTerms(reconcile)
        self.store_events: StoreEvents = PostgresStoreEvents(reconcile)
        self.back_door: pg8000.native.Connection = database.connect(url)
        self.back_door.run("SET session_replication_role = replica")  # its writes meet no trigger
        self.back_door.run("INSERT INTO cells (id, name) VALUES (gen_random_uuid(), 'other')")

    def work_of(self, cell: str) -> Work:
        """See the protocol."""
        return PostgresWork(self.functions["provision"], cell)

    def cell(self, name: str) -> UUID:
        """See the protocol."""
        ((found,),) = self.back_door.run("SELECT id FROM cells WHERE name = :name", name=name)
        return UUID(str(found))

    def let_in(
        self,
        customer: UUID,
        digest: str,
        *,
        plan: str = "partner",
        role: Role = Role.CUSTOMER,
        scopes: frozenset[Scope] = ALL_SCOPES,
    ) -> None:
        """See the protocol."""
        self.back_door.run(
            "INSERT INTO accounts (id, plan) VALUES (:id, :plan) ON CONFLICT DO NOTHING",
            id=customer,
            plan=plan,
        )
        self.back_door.run(
            "INSERT INTO tokens (account_id, name, prefix, digest, role, scopes)"
            " VALUES (:id, 'a test''s', 'urumi_', decode(:digest, 'hex'), :role, CAST(:scopes AS text[]))",
            id=customer,
            digest=digest,
            role=role.value,
            scopes=[scope.value for scope in scopes],
        )

    def let_sign_in(self, customer: UUID, digest: str) -> None:
        """See the protocol."""
        sign_in = "INSERT INTO sign_ins (account_id, digest) VALUES (:id, decode(:digest, 'hex'))"
        self.functions["operator"].rows(text(sign_in), {"id": customer, "digest": digest})

    def later(self, seconds: float) -> None:
        """See the protocol."""
        for table, columns in _TIMES.items():
            moved = ", ".join(f"{each} = {each} - make_interval(secs => :seconds)" for each in columns)
            self.back_door.run(f"UPDATE {table} SET {moved}", seconds=float(seconds))  # noqa: S608 - constants

    def put(self, store_id: UUID, **columns: Any) -> None:
        """See the protocol."""
        changes = ", ".join(f"{each} = :{each}" for each in columns)
        self.back_door.run(f"UPDATE stores SET {changes} WHERE id = :id", id=store_id, **columns)  # noqa: S608

    def value(self, store_id: UUID, column: str) -> Any:
        """See the protocol."""
        return self.back_door.run(f"SELECT {column} FROM stores WHERE id = :id", id=store_id)[0][0]  # noqa: S608

    def bill(self, row: SubscriptionRow) -> None:
        """See the protocol."""
        self.back_door.run(
            "INSERT INTO subscriptions (id, source, customer, account_id, store_id, status, since, plan,"
            " trial_ends_at, known_at, note) VALUES (:id, 's', 'c', :account, :store_id, :status, :since,"
            " :plan, :trial_ends_at, :known_at, :note)",
            id=row.id,
            account=row.account,
            store_id=row.store_id,
            status=row.state.status.value,
            since=row.state.since,
            plan=row.state.plan,
            trial_ends_at=row.state.trial_ends_at,
            known_at=row.state.known_at,
            note=row.note,
        )

    def said(self, store_id: UUID) -> list[tuple[int, bool]]:
        """See the protocol."""
        rows = self.back_door.run(
            "SELECT generation, published_at IS NOT NULL FROM outbox"
            " WHERE store_id = :id ORDER BY created_at",
            id=store_id,
        )
        return [(row[0], row[1]) for row in rows]

    def operations(self) -> list[tuple[str, str, str, str | None]]:
        """See the protocol."""
        rows = self.back_door.run(
            "SELECT operator, action, subject, reason FROM operations ORDER BY position"
        )
        return [tuple(row) for row in rows]

    def told_of(self, account: UUID) -> list[tuple[str, str, str, str]]:
        """See the protocol."""
        rows = self.back_door.run(
            "SELECT actor, cause, action, subject FROM account_audit"
            " WHERE account_id = :id ORDER BY position",
            id=account,
        )
        return [tuple(row) for row in rows]

    def accounts_of(self, customer: str) -> list[UUID]:
        """See the protocol."""
        rows = self.back_door.run("SELECT account_id FROM links WHERE customer = :name", name=customer)
        return [row[0] for row in rows]

    def close(self) -> None:
        """Let go of all connections."""
        self.back_door.close()
        for each in (self.database, *self.functions.values()):
            each._engine.dispose()
