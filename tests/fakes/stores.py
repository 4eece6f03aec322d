"""The customer's side of the fake database: the `Stores` and `Outbox` ports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from uuid import UUID

from control_plane.domain import retention
from control_plane.domain.errors import (
    HostnameTakenError,
    IdempotencyMismatchError,
    NameTakenError,
    StoreNotFoundError,
)
from control_plane.domain.store import Actor, AuditEntry, Desired, NewStore, Store, StoreState
from control_plane.ports.customers import Accepted, IdempotencyKey, Page
from control_plane.ports.messages import Announcement
from tests.fakes.tables import Row, Tables, transaction

_S = StoreState
_WAKE = timedelta(seconds=30)  # who was not taken by then is announced again


@dataclass(frozen=True)
class FakeStores:
    """The `Stores` port."""

    tables: Tables

    @transaction
    def add(self, order: NewStore, key: IdempotencyKey | None, actor: Actor) -> Accepted:
        """See the port."""
        known = self.tables.keys.get((order.customer_id, key.key)) if key else None
        if key and known and self.tables.now - known[2] <= retention.IDEMPOTENCY_KEYS:
            if known[0] != key.body_digest:
                raise IdempotencyMismatchError("another body", field="Idempotency-Key")
            return Accepted(self.tables.rows[known[1]].store(), None)
        if order.cell not in self.tables.cells:
            raise LookupError(order.cell)
        for row in self.tables.rows.values():
            if row.state is not _S.DELETED and row.hostname == order.hostname:
                raise HostnameTakenError(order.hostname)
            if row.state is not _S.DELETED and (row.customer_id, row.name) == (order.customer_id, order.name):
                raise NameTakenError("taken", field="name")
        now = self.tables.now
        new = Row(
            **{**asdict(order), "cell": self.tables.cells[order.cell].id},
            desired=Desired.RUNNING, generation=1, applied_generation=0, observed_generation=0,
            state=_S.QUEUED, reason=None, chart_version=None, release_revision=None, release_digest=None,
            failures=0, created_at=now, updated_at=now, ready_at=None, credentials_uid=None,
            next_attempt_at=now,
            quiet_until=now + _WAKE,
        )  # fmt: skip
        self.tables.rows[new.id] = new
        self.tables.tell(new, actor, "created", None)
        if key:
            self.tables.keys[order.customer_id, key.key] = key.body_digest, new.id, now
        return Accepted(new.store(), self.tables.announce(new))

    @transaction
    def get(self, customer_id: UUID, store_id: UUID) -> Store:
        """See the port."""
        return self._row(customer_id, store_id).store()

    @transaction
    def page(self, customer_id: UUID, page: Page) -> Sequence[Store]:
        """See the port."""
        after = (page.after.created_at, page.after.id) if page.after else None
        found = [
            row.store()
            for row in self.tables.rows.values()
            if row.customer_id == customer_id
            and page.state in (None, row.state)
            and (page.text or "").lower() in f"{row.name} {row.title} {row.hostname}".lower()
            and (after is None or (row.created_at, row.id) < after)
        ]
        return sorted(found, key=lambda each: (each.created_at, each.id), reverse=True)[: page.limit]

    @transaction
    def history(self, customer_id: UUID, store_id: UUID) -> Sequence[AuditEntry]:
        """See the port."""
        return list(self.tables.audit[self._row(customer_id, store_id).id])

    @transaction
    def ask_deletion(self, customer_id: UUID, store_id: UUID, actor: Actor) -> Accepted:
        """See the port."""
        row = self._row(customer_id, store_id)
        if row.desired is Desired.DELETED:
            return Accepted(row.store(), None)
        after = self.tables.write(
            row, actor, "deletion asked",
            desired=Desired.DELETED, generation=row.generation + 1, state=_S.DELETING, reason=None,
            failures=0, next_attempt_at=self.tables.now,
            quiet_until=self.tables.now + _WAKE, deadline_at=None,
        )  # fmt: skip
        return Accepted(after.store(), self.tables.announce(after))

    def _row(self, customer_id: UUID, store_id: UUID) -> Row:
        row = self.tables.rows.get(store_id)
        if row is None or row.customer_id != customer_id:
            raise StoreNotFoundError("no such store")
        return row


@dataclass(frozen=True)
class FakeOutbox:
    """The `Outbox` port."""

    tables: Tables

    @transaction
    def unpublished(self, *, older_than: float, limit: int) -> Sequence[Announcement]:
        """See the port."""
        before = self.tables.now - timedelta(seconds=older_than)
        waiting = [row for row in self.tables.outbox if not row.published_at and row.created_at < before]
        return [row.announcement for row in waiting[:limit]]

    @transaction
    def mark_published(self, ids: Iterable[UUID]) -> None:
        """See the port."""
        wanted = set(ids)
        for row in self.tables.outbox:
            if row.announcement.id in wanted and not row.published_at:
                row.published_at = self.tables.now
