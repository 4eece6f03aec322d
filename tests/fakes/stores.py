"""The customer's side of the fake database: the `Stores` and `Outbox` ports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import timedelta
from uuid import UUID

from control_plane.domain import retention
from control_plane.domain.errors import (
    HostnameTakenError,
    IdempotencyMismatchError,
    NameTakenError,
    StaleError,
    StoreLimitError,
    StoreNotFoundError,
)
from control_plane.domain.events import OF_AN_ORPHAN
from control_plane.domain.life import Asked
from control_plane.domain.store import (
    Actor,
    AuditEntry,
    Desired,
    NewStore,
    Notice,
    Store,
    StoreState,
)
from control_plane.domain.store_events import StoreEventType
from control_plane.ports.customers import Accepted, IdempotencyKey, Looked, Page, Paying
from control_plane.ports.fleet import PassLease
from control_plane.ports.messages import Announcement
from tests.fakes.tables import OutboxRow, Row, Tables, transaction

_S = StoreState
_WAKE = timedelta(seconds=30)  # who was not taken by then is announced again


@dataclass(frozen=True)
class FakeStores:
    """The `Stores` port, for one caller."""

    tables: Tables
    reach: UUID | None

    @transaction
    def add(self, order: NewStore, key: IdempotencyKey | None, actor: Actor, *, most: int) -> Accepted:
        """See the port."""
        known = self.tables.keys.get((order.customer_id, key.key)) if key else None
        if key and known and self.tables.now - known[2] <= retention.IDEMPOTENCY_KEYS:
            if known[0] != key.body_digest:
                raise IdempotencyMismatchError("another body", field="Idempotency-Key")
            return Accepted(self.tables.rows[known[1]].store(), None)
        if order.cell not in self.tables.cells:
            raise LookupError(order.cell)
        alive = [row for row in self.tables.rows.values() if row.state is not _S.DELETED]
        if sum(row.customer_id == order.customer_id for row in alive) >= most:
            raise StoreLimitError("too many")
        for row in alive:
            if order.hostname in (row.hostname, row.former_hostname):
                raise HostnameTakenError(order.hostname)
            if (row.customer_id, row.name) == (order.customer_id, order.name):
                raise NameTakenError("taken", field="name")
        now = self.tables.now
        new = Row(
            **{**asdict(order), "cell": self.tables.cells[order.cell].id},
            desired=Desired.RUNNING, generation=1, applied_generation=0, observed_generation=0,
            state=_S.QUEUED, reason=None, chart_version=None, release_revision=None, release_digest=None,
            failures=0, created_at=now, updated_at=now, ready_at=None, credentials_uid=None,
            admin_number=1, holds=frozenset(), removal_at=None, former_hostname=None, former_until=None,
            notice=Notice.NONE, applied_plan=None, next_attempt_at=now,
            quiet_until=now + _WAKE,
        )  # fmt: skip
        self.tables.rows[new.id] = new
        self.tables.tell(new, actor, "created", None)
        self.tables.add_event(new, StoreEventType.CREATED)
        if key:
            self.tables.keys[order.customer_id, key.key] = key.body_digest, new.id, now
        return Accepted(new.store(), self.tables.announce(new))

    @transaction
    def get(self, store_id: UUID) -> Store:
        """See the port."""
        return self._row(store_id).store()

    @transaction
    def look(self, store_id: UUID) -> Looked:
        """See the port."""
        of_it = [
            Paying(each.id, each.state, each.note)
            for each in self.tables.subscriptions.values()
            if each.store_id == store_id and self.reach in (None, each.account)
        ]
        return Looked(self._row(store_id).store(), of_it[0] if of_it else None, self.tables.now)

    @transaction
    def page(self, page: Page) -> Sequence[Store]:
        """See the port."""
        after = (page.after.created_at, page.after.id) if page.after else None
        found = [
            row.store()
            for row in self.tables.rows.values()
            if self.reach in (None, row.customer_id)
            and page.state in (None, row.state)
            and (page.text or "").lower() in f"{row.name} {row.title} {row.hostname}".lower()
            and (after is None or (row.created_at, row.id) < after)
        ]
        return sorted(found, key=lambda each: (each.created_at, each.id), reverse=True)[: page.limit]

    @transaction
    def history(self, store_id: UUID) -> Sequence[AuditEntry]:
        """See the port."""
        return list(self.tables.audit[self._row(store_id).id])

    @transaction
    def change(self, store_id: UUID, asked: Asked, *, generation: int | None, actor: Actor) -> Accepted:
        """See the port."""
        row = self._row(store_id, generation)
        before, now = row.store(), self.tables.now
        wanted = asked(before, now)
        if wanted is before:
            return Accepted(before, None)
        for other in self.tables.rows.values():
            if other.id == row.id or other.state is _S.DELETED:
                continue
            if wanted.hostname in (other.hostname, other.former_hostname):
                raise HostnameTakenError(wanted.hostname)
            if (other.customer_id, other.name) == (wanted.customer_id, wanted.name):
                raise NameTakenError("taken", field="name")
        changes = {
            each.name: getattr(wanted, each.name)
            for each in fields(Store)
            if getattr(wanted, each.name) != getattr(before, each.name)
        }
        after = self.tables.write(
            row, actor, asked.action,
            generation=row.generation + 1, failures=0, next_attempt_at=now, quiet_until=now + _WAKE,
            deadline_at=None, **changes,
        )  # fmt: skip
        return Accepted(after.store(), self.tables.announce(after))

    def _row(self, store_id: UUID, generation: int | None = None) -> Row:
        row = self.tables.rows.get(store_id)
        if row is None or self.reach not in (None, row.customer_id):
            raise StoreNotFoundError("no such store")
        if generation not in (None, row.generation):
            raise StaleError("another generation")
        return row


@dataclass(frozen=True)
class FakeOutbox:
    """The `Outbox` port."""

    tables: Tables

    @transaction
    def unpublished(self, lease: PassLease, *, older_than: float, limit: int) -> Sequence[Announcement]:
        """See the port."""
        ours = [row for row in self.tables.outbox if not row.published_at and self._is_of(lease.cell, row)]
        for row in ours:
            if self._taken_up(row):
                row.published_at = self.tables.now
        before = self.tables.now - timedelta(seconds=older_than)
        waiting = [row for row in ours if not row.published_at and row.created_at < before]
        cell = self.tables.name_of(lease.cell)
        return [replace(row.announcement, cell=cell) for row in waiting[:limit]]

    @transaction
    def mark_published(self, ids: Iterable[UUID]) -> None:
        """See the port."""
        wanted = set(ids)
        for row in self.tables.outbox:
            if row.announcement.id in wanted and not row.published_at:
                row.published_at = self.tables.now

    def _is_of(self, cell: UUID, said: OutboxRow) -> bool:
        intent = said.announcement.intent
        if intent.generation == OF_AN_ORPHAN:
            known = {each for each, orphans in self.tables.orphans.items() if intent.store_id in orphans}
        else:
            known = {row.cell for row in self.tables.rows.values() if row.id == intent.store_id}
        return cell in known or not known

    def _taken_up(self, said: OutboxRow) -> bool:
        intent, rows = said.announcement.intent, self.tables.rows
        if intent.generation == OF_AN_ORPHAN:
            return False
        applied = intent.store_id in rows and rows[intent.store_id].applied_generation >= intent.generation
        return applied or any(
            store_id == intent.store_id and generation >= intent.generation and began > said.created_at
            for (store_id, _), (generation, began) in self.tables.attempts.items()
        )
