"""What the API needs: who is asking, and that customer's stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from control_plane.domain.store import Actor, AuditEntry, NewStore, Store, StoreState
from control_plane.ports.messages import Announcement


@dataclass(frozen=True)
class IdempotencyKey:
    """A caller's key and the digest of the request body that it came with."""

    key: str
    body_digest: str


@dataclass(frozen=True)
class Accepted:
    """The store that a request led to. `announcement` is None where nothing new was recorded."""

    store: Store
    announcement: Announcement | None


@dataclass(frozen=True)
class Position:
    """Where a page ended: the newest-first order is by creation time, then id."""

    created_at: datetime
    id: UUID


@dataclass(frozen=True)
class Page:
    """Which of a customer's stores to list: newest first, after `after`, at most `limit`."""

    limit: int
    after: Position | None = None
    state: StoreState | None = None
    text: str | None = None


class Tokens(Protocol):
    """Who is asking."""

    def customer_of(self, token: str) -> UUID | None:
        """The customer whose token this is; None for one that nobody was given."""


class Stores(Protocol):
    """A customer's stores: intent in, rows out. Every method sees that customer's rows only."""

    def add(self, order: NewStore, key: IdempotencyKey | None, actor: Actor) -> Accepted:
        """Record a new store, QUEUED. The same key and body within 24 hours give the same store.

        Raises NameTakenError, HostnameTakenError, IdempotencyMismatchError.
        """

    def get(self, customer_id: UUID, store_id: UUID) -> Store:
        """Raises StoreNotFoundError."""

    def page(self, customer_id: UUID, page: Page) -> Sequence[Store]:
        """The stores of one page."""

    def history(self, customer_id: UUID, store_id: UUID) -> Sequence[AuditEntry]:
        """The store's audit, newest last. Raises StoreNotFoundError."""

    def ask_deletion(self, customer_id: UUID, store_id: UUID, actor: Actor) -> Accepted:
        """Record that the store shall go: DELETING, next generation. Asking again changes nothing.

        Raises StoreNotFoundError.
        """
