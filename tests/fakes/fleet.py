"""Reconcile's side of the fake database: the `Fleet` port."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from control_plane.domain.errors import LeaseLostError
from control_plane.domain.rollout import Standing, Verdict
from control_plane.domain.store import Actor, StoreState
from control_plane.ports.fleet import PassLease, Watermark
from tests.fakes.tables import CellRow, Row, RuleBrokenError, Tables, held, transaction, unfinished

_S = StoreState
_IN_MOTION = (_S.PROVISIONING, _S.UPDATING, _S.DEGRADED, _S.DELETING)


@dataclass(frozen=True)
class FakeFleet:
    """The `Fleet` port."""

    tables: Tables

    @transaction
    def begin_pass(self, cell: str, *, seconds: float, full_every: float) -> PassLease | None:
        """See the port."""
        if cell not in self.tables.cells:
            raise LookupError(cell)
        row, now = self.tables.cells[cell], self.tables.now
        if row.pass_until and row.pass_until > now:
            return None
        row.pass_token += 1
        row.pass_until = now + timedelta(seconds=seconds)
        recent = row.full_pass_at and row.full_pass_at > now - timedelta(seconds=full_every)
        return PassLease(row.id, row.pass_token, row.watermark if recent else None)

    @transaction
    def renew_pass(self, lease: PassLease, *, seconds: float) -> bool:
        """See the port."""
        row, now = self._cell(lease), self.tables.now
        if row.pass_token != lease.token or not row.pass_until or row.pass_until <= now:
            return False
        row.pass_until = now + timedelta(seconds=seconds)
        return True

    @transaction
    def end_pass(self, lease: PassLease, watermark: Watermark | None) -> None:
        """See the port."""
        row = self._cell(lease)
        if row.pass_token != lease.token:
            return
        row.pass_until = None
        if watermark is not None:
            row.watermark, row.seen_at = watermark, self.tables.now
            if lease.watermark is None:
                row.full_pass_at = self.tables.now

    @transaction
    def wake_due(self, lease: PassLease, *, every: float, limit: int) -> int:
        """See the port."""
        now = self.tables.now
        due = [
            row
            for row in self._rows(lease)
            if unfinished(row)
            and row.next_attempt_at <= now
            and not held(row, now)
            and row.quiet_until <= now
            and not self._waiting(row)
        ]
        due = sorted(due, key=lambda row: row.next_attempt_at)[:limit]
        for row in due:
            self.tables.rows[row.id] = replace(row, quiet_until=now + timedelta(seconds=every))
            self.tables.announce(row)
        return len(due)

    @transaction
    def in_motion(self, lease: PassLease) -> Sequence[Standing]:
        """See the port."""
        rows = [row for row in self._rows(lease) if row.state in _IN_MOTION]
        return [self._standing(row) for row in rows if row.applied_generation == row.generation]

    @transaction
    def standings(self, lease: PassLease, store_ids: Iterable[UUID] | None) -> Sequence[Standing]:
        """See the port."""
        rows = self._rows(lease)
        if store_ids is not None:
            wanted = set(store_ids)
            return [self._standing(row) for row in rows if row.id in wanted]
        there = [row for row in rows if row.state not in (_S.FAILED, _S.DELETED)]
        return [self._standing(row) for row in there if row.applied_generation == row.generation]

    @transaction
    def record(self, lease: PassLease, verdicts: Sequence[Verdict], actor: Actor) -> int:
        """See the port."""
        cell = self._cell(lease)
        held = cell.pass_token == lease.token and cell.pass_until and cell.pass_until > self.tables.now
        if verdicts and not held:
            raise LeaseLostError("the pass")
        recorded = 0
        for verdict in verdicts:
            row = self.tables.rows[verdict.store_id]
            now = (row.cell, row.state, row.generation, row.applied_generation)
            if now != (lease.cell, verdict.from_state, verdict.generation, verdict.generation):
                continue
            changes: dict[str, Any] = {"state": verdict.to_state, "reason": verdict.reason}
            if verdict.to_state in (_S.READY, _S.SUSPENDED):
                changes["observed_generation"] = verdict.generation
                changes["deadline_at"] = None
            if verdict.to_state is _S.READY:
                changes["ready_at"] = row.ready_at or self.tables.now
            if verdict.to_state is verdict.from_state:
                changes["updated_at"] = row.updated_at
            try:
                self.tables.write(row, actor, "observed", **changes)
                recorded += 1
            except RuleBrokenError:
                continue
        return recorded

    @transaction
    def excuse_outage(self, lease: PassLease, *, longer_than: float) -> None:
        """See the port."""
        cell, now = self._cell(lease), self.tables.now
        if cell.seen_at is None or now - cell.seen_at <= timedelta(seconds=longer_than):
            return
        length, cell.seen_at = now - cell.seen_at, now
        for row in self._rows(lease):
            if row.state in (_S.PROVISIONING, _S.UPDATING) and row.deadline_at:
                self.tables.rows[row.id] = replace(row, deadline_at=row.deadline_at + length)

    @transaction
    def overdue(self, lease: PassLease, *, limit: int) -> Sequence[Standing]:
        """See the port."""
        now = self.tables.now
        late = [
            (row.deadline_at, row)
            for row in self._rows(lease)
            if row.state in (_S.PROVISIONING, _S.UPDATING)
            and row.applied_generation == row.generation
            and row.deadline_at
            and row.deadline_at <= now
        ]
        return [self._standing(row) for _, row in sorted(late, key=lambda each: each[0])[:limit]]

    def _waiting(self, row: Row) -> bool:
        outbox = self.tables.outbox
        return any(each.announcement.intent.store_id == row.id and not each.published_at for each in outbox)

    def _cell(self, lease: PassLease) -> CellRow:
        return next(cell for cell in self.tables.cells.values() if cell.id == lease.cell)

    def _rows(self, lease: PassLease) -> list[Row]:
        return [row for row in self.tables.rows.values() if row.cell == lease.cell]

    def _standing(self, row: Row) -> Standing:
        seconds = (self.tables.now - row.updated_at).total_seconds()
        return Standing(
            row.id, row.generation, row.applied_generation, row.state, row.store().runs, row.reason, seconds
        )
