"""The two databases that a contract is tried on, and what a test may do to either behind the ports' back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol
from uuid import UUID

import pg8000.native

from control_plane.adapters.postgres_cleaning import PostgresCleaning
from control_plane.adapters.postgres_database import Database
from control_plane.adapters.postgres_dead_letters import PostgresDeadLetters, PostgresParking
from control_plane.adapters.postgres_fleet import PostgresFleet
from control_plane.adapters.postgres_orphans import PostgresOrphans
from control_plane.adapters.postgres_outbox import PostgresOutbox
from control_plane.adapters.postgres_stores import PostgresStores
from control_plane.adapters.postgres_work import PostgresWork
from control_plane.domain.rollout import Verdict
from control_plane.domain.store import Actor
from control_plane.ports.cleaning import Cleaning
from control_plane.ports.customers import Stores
from control_plane.ports.dead_letters import DeadLetters, Parking
from control_plane.ports.fleet import Fleet
from control_plane.ports.messages import Outbox
from control_plane.ports.orphans import OrphanDesk, OrphanRecords, OrphanWork
from control_plane.ports.work import Work
from dev.machine import database
from tests.builders import CELL
from tests.fakes.clock import FakeClock
from tests.fakes.dead_letters import FakeCleaning, FakeDeadLetters, FakeParking
from tests.fakes.fleet import FakeFleet
from tests.fakes.orphans import FakeOrphans
from tests.fakes.stores import FakeOutbox, FakeStores
from tests.fakes.tables import Tables
from tests.fakes.work import FakeWork


class Backend(Protocol):
    """All database ports over one database."""

    stores: Stores
    outbox: Outbox
    work: Work
    fleet: Fleet
    parking: Parking
    letters: DeadLetters
    cleaning: Cleaning
    orphan_records: OrphanRecords
    orphan_work: OrphanWork
    orphan_desk: OrphanDesk

    def later(self, seconds: float) -> None:
        """Let time pass."""

    def put(self, store_id: UUID, **columns: Any) -> None:
        """Write columns of a store's row, past the table of moves."""

    def value(self, store_id: UUID, column: str) -> Any:
        """One column of a store's row."""

    def said(self, store_id: UUID) -> list[tuple[int, bool]]:
        """The store's outbox, oldest first: generation, and whether it is ticked off."""

    def operations(self) -> list[tuple[str, str, str, str | None]]:
        """What operators did, oldest first: operator, action, subject, reason."""


class FakeBackend:
    """The fakes."""

    def __init__(self) -> None:
        self.tables = Tables(FakeClock(), CELL, "other")
        self.stores: Stores = FakeStores(self.tables)
        self.outbox: Outbox = FakeOutbox(self.tables)
        self.work: Work = FakeWork(self.tables)
        self.fleet: Fleet = FakeFleet(self.tables)
        self.parking: Parking = FakeParking(self.tables)
        self.letters: DeadLetters = FakeDeadLetters(self.tables)
        self.cleaning: Cleaning = FakeCleaning(self.tables)
        orphans = FakeOrphans(self.tables)
        self.orphan_records: OrphanRecords = orphans
        self.orphan_work: OrphanWork = orphans
        self.orphan_desk: OrphanDesk = orphans

    def later(self, seconds: float) -> None:
        """See the protocol."""
        self.tables.clock.later(seconds)

    def put(self, store_id: UUID, **columns: Any) -> None:
        """See the protocol."""
        self.tables.rows[store_id] = replace(self.tables.rows[store_id], **columns)

    def value(self, store_id: UUID, column: str) -> Any:
        """See the protocol."""
        return getattr(self.tables.rows[store_id], column)

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
    ),
    "outbox": ("created_at", "published_at"),
    "idempotency_keys": ("created_at",),
    "cells": ("pass_until", "seen_at", "full_pass_at"),
    "attempts": ("began_at",),
    "dead_letters": ("parked_at", "answered_at"),
    "orphans": ("found_at", "quarantined_at", "removal_at"),
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
        self.stores: Stores = PostgresStores(create_store)
        self.work: Work = PostgresWork(provision)
        self.parking: Parking = PostgresParking(provision)
        self.fleet: Fleet = PostgresFleet(reconcile)
        self.outbox: Outbox = PostgresOutbox(reconcile)
        self.cleaning: Cleaning = PostgresCleaning(reconcile)
        self.letters: DeadLetters = PostgresDeadLetters(operator)
        self.orphan_records: OrphanRecords = PostgresOrphans(reconcile, CELL)
        self.orphan_work: OrphanWork = PostgresOrphans(provision, CELL)
        self.orphan_desk: OrphanDesk = PostgresOrphans(operator, CELL)
        self.back_door: pg8000.native.Connection = database.connect(url)
        self.back_door.run("SET session_replication_role = replica")  # its writes meet no trigger
        self.back_door.run("INSERT INTO cells (id, name) VALUES (gen_random_uuid(), 'other')")

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

    def close(self) -> None:
        """Let go of all connections."""
        self.back_door.close()
        for each in (self.database, *self.functions.values()):
            each._engine.dispose()
