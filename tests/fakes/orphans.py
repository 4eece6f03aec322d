"""Orphans in the fake database and the fake cell: the ports of `control_plane/ports/orphans.py`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID, uuid4

from control_plane.domain.dead_letters import Operator
from control_plane.domain.events import OF_AN_ORPHAN, StoreIntent
from control_plane.domain.orphans import NoOrphanError, Orphan
from control_plane.domain.rollout import NamespaceState
from control_plane.domain.store import StoreState
from control_plane.ports.fleet import PassLease
from control_plane.ports.messages import Announcement
from tests.builders import CELL
from tests.fakes.cell import FakeCell
from tests.fakes.tables import OutboxRow, Tables, transaction


@dataclass(frozen=True)
class FakeOrphans:
    """The ports `OrphanRecords`, `OrphanWork` and `OrphanDesk`."""

    tables: Tables
    cell: str = CELL

    @transaction
    def record(self, lease: PassLease, there: Collection[UUID], *, deleted_for: float) -> int:
        """See the port."""
        if not any(
            (cell.id, cell.pass_token) == (lease.cell, lease.token) for cell in self.tables.cells.values()
        ):
            return 0
        known = self.tables.orphans.setdefault(lease.cell, {})
        found = {each for each in there if self._is_orphan(each, deleted_for)}
        for gone in known.keys() - found:
            del known[gone]
        new = found - known.keys()
        for each in new:
            known[each] = Orphan(each, self.tables.now, None, None, None)
        for each in found:
            if known[each].quarantined_at is None or known[each].removal_at:
                self._announce(each)
        return len(new)

    @transaction
    def find(self, store_id: UUID) -> Orphan | None:
        """See the port."""
        found = self._known.get(store_id)
        state = self._state(store_id)
        return replace(found, state=state) if found and state in (None, StoreState.DELETED) else None

    @transaction
    def mark_quarantined(self, store_id: UUID) -> None:
        """See the port."""
        orphan = self._known[store_id]
        if orphan.quarantined_at is None:
            self._known[store_id] = replace(orphan, quarantined_at=self.tables.now)

    @transaction
    def orphans(self, *, limit: int) -> Sequence[Orphan]:
        """See the port."""
        oldest = sorted(self._known.values(), key=lambda each: each.found_at)
        return [replace(each, state=self._state(each.store_id)) for each in oldest[:limit]]

    @transaction
    def ask_removal(self, store_id: UUID, operator: Operator) -> None:
        """See the port."""
        if self._state(store_id) not in (None, StoreState.DELETED):
            raise NoOrphanError("it is a store's")
        if store_id not in self._known:
            raise NoOrphanError("no orphan is on record")
        orphan = self._known[store_id]
        if orphan.removal_at is None:
            self._known[store_id] = replace(orphan, removal_at=self.tables.now)
            self.tables.operations.append(
                (operator.name, "orphan removed", orphan.namespace, operator.reason)
            )
            self._announce(store_id)

    @property
    def _known(self) -> dict[UUID, Orphan]:
        return self.tables.orphans.setdefault(self.tables.cells[self.cell].id, {})

    def _is_orphan(self, store_id: UUID, deleted_for: float) -> bool:
        row = self.tables.rows.get(store_id)
        if row is None:
            return True
        long_ago = self.tables.now - timedelta(seconds=deleted_for)
        return row.state is StoreState.DELETED and row.updated_at < long_ago

    def _announce(self, store_id: UUID) -> None:
        waiting = (each.announcement.intent.store_id for each in self.tables.outbox if not each.published_at)
        if store_id not in waiting:
            said = Announcement(uuid4(), StoreIntent(store_id, OF_AN_ORPHAN), self.cell)
            self.tables.outbox.append(OutboxRow(said, self.tables.now))

    def _state(self, store_id: UUID) -> StoreState | None:
        row = self.tables.rows.get(store_id)
        return row.state if row else None


@dataclass(frozen=True)
class FakeOrphanNamespaces:
    """The `OrphanNamespaces` port."""

    cell: FakeCell

    def quarantine(self, store_id: UUID) -> None:
        """See the port."""
        self.cell.ask()
        if found := self.cell.of(store_id):
            found.quarantined = True

    def remove(self, store_id: UUID) -> None:
        """See the port."""
        self.cell.ask()
        if found := self.cell.of(store_id):
            self.cell.show(found, replace(found.seen, namespace=NamespaceState.TERMINATING))
