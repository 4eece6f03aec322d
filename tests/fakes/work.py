"""Provision's side of the fake database: the `Work` port."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from control_plane.domain.errors import ElsewhereError, LeaseLostError, UnknownStoreError
from control_plane.domain.events import INTENTS, StoreIntent
from control_plane.domain.store import BEGINS, Actor, Lease, StoreState
from control_plane.ports.work import Leased
from tests.builders import CELL
from tests.fakes.tables import DeadLetterRow, Row, Tables, held, transaction, unfinished

_S = StoreState


@dataclass(frozen=True)
class FakeWork:
    """The `Work` port."""

    tables: Tables
    cell: str = CELL

    @transaction
    def take(self, store_id: UUID, *, seconds: float) -> Leased | None:
        """See the port."""
        row = self.tables.rows.get(store_id)
        if row is None:
            raise UnknownStoreError(str(store_id))
        if row.cell != self.tables.cells[self.cell].id:
            raise ElsewhereError(str(store_id))
        now = self.tables.now
        if held(row, now) or not unfinished(row) or (row.failures and row.next_attempt_at > now):
            return None
        taken = self._keep(
            row,
            lease_holder="worker",
            lease_until=now + timedelta(seconds=seconds),
            lease_token=row.lease_token + 1,
            failures=row.failures + (row.lease_holder is not None),
        )
        self.tables.attempts[store_id, taken.lease_token] = taken.generation, now
        return Leased(taken.store(), Lease(store_id, taken.lease_token, self._in(seconds)))

    @transaction
    def renew(self, lease: Lease, *, seconds: float) -> Lease:
        """See the port."""
        self._keep(self._mine(lease), lease_until=self.tables.now + timedelta(seconds=seconds))
        return replace(lease, ends=self._in(seconds))

    @transaction
    def begin(self, leased: Leased, actor: Actor) -> None:
        """See the port."""
        row = self._mine(leased.lease)
        if leased.store.state in BEGINS and row.state is leased.store.state:
            self._write(leased, actor, "begun", state=BEGINS[row.state], reason=None)

    @transaction
    def record_credentials(self, leased: Leased, uid: str) -> str:
        """See the port."""
        row = self._mine(leased.lease)
        return self._keep(row, credentials_uid=row.credentials_uid or uid).credentials_uid or uid

    @transaction
    def record_freeing(self, leased: Leased, actor: Actor) -> None:
        """See the port."""
        self._write(leased, actor, "release freed")

    @transaction
    def record_release(
        self,
        leased: Leased,
        *,
        revision: int,
        digest: str,
        chart_version: str,
        made_with: str,
        deadline: float,
        actor: Actor,
    ) -> None:
        """See the port."""
        self._write(
            leased, actor, "release applied",
            applied_generation=leased.store.generation, release_revision=revision, release_digest=digest,
            chart_version=chart_version, made_with=made_with,
            applied_plan=leased.store.plan, failures=0, reason=None,
            deadline_at=self.tables.now + timedelta(seconds=deadline),
        )  # fmt: skip

    @transaction
    def record_removal(self, leased: Leased, actor: Actor) -> None:
        """See the port."""
        applied = leased.store.generation
        self._write(
            leased, actor, "removal begun",
            applied_generation=applied, failures=0, reason=None, deadline_at=None,
        )  # fmt: skip

    @transaction
    def fail(self, leased: Leased, reason: str, actor: Actor) -> None:
        """See the port."""
        if self._mine(leased.lease).state is not _S.DELETING:
            self._write(leased, actor, "gave up", state=_S.FAILED, reason=reason)
            self._park(leased, reason, actor)

    @transaction
    def postpone(self, leased: Leased, reason: str, *, seconds: float, counted: bool, actor: Actor) -> None:
        """See the port."""
        row = self._mine(leased.lease)
        self._write(
            leased, actor, "postponed", audited=reason != row.reason,
            next_attempt_at=self.tables.now + timedelta(seconds=seconds), quiet_until=self.tables.now,
            failures=row.failures + counted, reason=reason,
        )  # fmt: skip

    @transaction
    def finish(self, leased: Leased, *, seconds: float) -> Leased | None:
        """See the port."""
        row = self._mine(leased.lease)
        if row.generation == leased.store.generation:
            self._keep(row, lease_holder=None, lease_until=None)
            return None
        kept = self._keep(row, lease_until=self.tables.now + timedelta(seconds=seconds))
        return Leased(kept.store(), replace(leased.lease, ends=self._in(seconds)))

    def _park(self, leased: Leased, reason: str, actor: Actor) -> None:
        store = leased.store
        if self.tables.rows[store.id].generation == store.generation:
            body = StoreIntent(store.id, store.generation).encode()
            now = self.tables.now
            self.tables.park(
                DeadLetterRow(INTENTS, actor.cause, body, store.id, store.generation, "refused", reason, now)
            )

    def _in(self, seconds: float) -> float:
        return self.tables.clock.monotonic() + seconds

    def _mine(self, lease: Lease) -> Row:
        row = self.tables.rows[lease.store_id]
        if row.lease_token != lease.token or not held(row, self.tables.now):
            raise LeaseLostError(str(lease.store_id))
        return row

    def _write(
        self, leased: Leased, actor: Actor, action: str, *, audited: bool = True, **changes: Any
    ) -> None:
        row = self._mine(leased.lease)
        if row.generation == leased.store.generation:
            self.tables.write(row, actor, action, audited=audited, **changes)

    def _keep(self, row: Row, **changes: Any) -> Row:
        kept = self.tables.rows[row.id] = replace(row, **changes)
        return kept


@dataclass(frozen=True)
class FakeVault:
    """The `Vault` port."""

    tables: Tables

    @transaction
    def keep(self, leased: Leased, number: int, password: str) -> str:
        """See the port."""
        row = self.tables.rows[leased.lease.store_id]
        if row.lease_token != leased.lease.token or not held(row, self.tables.now):
            raise LeaseLostError(str(row.id))
        made = (password, leased.store.generation, self.tables.now)
        kept = self.tables.unclaimed.setdefault((row.id, number), made)
        self.tables.rows[row.id] = replace(row, admin_made=max(row.admin_made, number))
        return kept[0]
