"""Terms and events of stores in the fake database: the `Terms` and `StoreEvents` ports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from control_plane.domain.life import Asked
from control_plane.domain.store import Actor, Desired, StoreState
from control_plane.domain.store_events import StoreEvent
from control_plane.ports.fleet import PassLease
from tests.fakes.stores import FakeStores
from tests.fakes.tables import Row, Tables, transaction

_S = StoreState
_SETTLED = (_S.READY, _S.DEGRADED, _S.SUSPENDED)


@dataclass(frozen=True)
class FakeTerms:
    """The `Terms` port."""

    tables: Tables

    @transaction
    def ended(self, lease: PassLease, *, limit: int) -> Sequence[UUID]:
        """See the port."""
        now = self.tables.now
        due = [
            row.id
            for row in self._rows(lease)
            if row.desired is not Desired.DELETED
            and (
                (row.removal_at and row.removal_at <= now)
                or (row.former_until and row.former_until <= now and row.state is not _S.FAILED)
            )
        ]
        return due[:limit]

    @transaction
    def change(self, store_id: UUID, asked: Asked, actor: Actor) -> None:
        """See the port."""
        FakeStores(self.tables, None).change(store_id, asked, generation=None, actor=actor)

    @transaction
    def refresh(self, lease: PassLease, digests: Mapping[str, str], actor: Actor, *, at_once: int) -> int:
        """See the port."""
        rows = self._rows(lease)
        unfinished = [row for row in rows if row.applied_generation < row.generation]
        busy = [row for row in rows if row.state is _S.UPDATING]
        busy += [row for row in unfinished if row.state in _SETTLED]
        busy += [
            row
            for row in rows
            if row.state in (_S.FAILED, _S.QUEUED, _S.PROVISIONING)
            and row.ready_at
            and row.refreshed_for == digests.get(row.plan, "")
        ]
        due = [
            row
            for row in rows
            if row.state in _SETTLED
            and row.applied_generation == row.generation
            and row.made_with
            and digests.get(row.plan, row.made_with) != row.made_with
            and row.refreshed_for != digests.get(row.plan)
        ]
        due = sorted(due, key=lambda row: row.updated_at)[: max(0, at_once - len(busy))]
        now = self.tables.now
        for row in due:
            after = self.tables.write(
                row, actor, "refreshed", refreshed_for=digests[row.plan],
                generation=row.generation + 1, failures=0, next_attempt_at=now, quiet_until=now,
            )  # fmt: skip
            self.tables.announce(after)
        return len(due)

    def _rows(self, lease: PassLease) -> list[Row]:
        return [row for row in self.tables.rows.values() if row.cell == lease.cell]


@dataclass(frozen=True)
class FakeStoreEvents:
    """The `StoreEvents` port."""

    tables: Tables

    @transaction
    def untold(self, lease: PassLease, *, limit: int) -> Sequence[StoreEvent]:
        """See the port."""
        rows, told = self.tables.rows, self.tables.told_outside
        waiting = [each for each in self.tables.store_events if each.id not in told and each.subject in rows]
        return [each for each in waiting if rows[each.subject].cell == lease.cell][:limit]

    @transaction
    def mark_told(self, ids: Iterable[UUID]) -> None:
        """See the port."""
        self.tables.told_outside |= dict.fromkeys(ids, self.tables.now)
