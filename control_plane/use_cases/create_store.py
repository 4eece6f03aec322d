"""Accept an order: record the store, QUEUED, and announce it. Nothing of it exists yet."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID, uuid4

import structlog

from control_plane.domain.errors import HostnameTakenError, TemporaryError
from control_plane.domain.store import Actor, NewStore, Store
from control_plane.ports.customers import Accepted, IdempotencyKey, Stores
from control_plane.ports.messages import Events, Outbox

log = structlog.get_logger()

PUBLISH_SECONDS = 1.0  # a caller waits no longer for Pub/Sub; the outbox has the message anyway
_TRIES = 5  # of a suffix that nobody has
_SUFFIX = "abcdefghijkmnpqrstuvwxyz23456789"  # no 0/o, 1/l: people read host names out


@dataclass(frozen=True)
class Order:
    """What a customer asked for, already validated."""

    customer_id: UUID
    name: str
    title: str
    admin_email: str
    plan: str


@dataclass(frozen=True)
class CreateStore:
    """The verb, with what it needs."""

    stores: Stores
    outbox: Outbox
    events: Events
    cell: str
    base_domain: str

    def __call__(self, order: Order, *, key: str | None, body: bytes, actor: Actor) -> Store:
        """The store that this order led to; the same one for the same key and body.

        Raises NameTakenError, IdempotencyMismatchError, DatabaseUnavailableError.
        """
        known = IdempotencyKey(key, hashlib.sha256(body).hexdigest()) if key else None
        for _ in range(_TRIES):
            with suppress(HostnameTakenError):
                accepted = self.stores.add(self._new(order), known, actor)
                announce_now(accepted, self.outbox, self.events)
                return accepted.store
        raise TemporaryError(f"no free host name was found for {order.name!r}")

    def _new(self, order: Order) -> NewStore:
        # Two customers may use one name: the suffix keeps their host names apart.
        suffix = "".join(secrets.choice(_SUFFIX) for _ in range(4))
        return NewStore(
            id=uuid4(),
            customer_id=order.customer_id,
            name=order.name,
            title=order.title,
            admin_email=order.admin_email,
            plan=order.plan,
            hostname=f"{order.name}-{suffix}.{self.base_domain}",
            cell=self.cell,
        )


def announce_now(accepted: Accepted, outbox: Outbox, events: Events) -> None:
    """Publish right after the commit, so that nobody waits for a pass. What fails here, a pass repeats."""
    announcement = accepted.announcement
    if announcement is None:
        return
    try:
        if events.announce([announcement.intent], timeout=PUBLISH_SECONDS):
            outbox.mark_published([announcement.id])
    except Exception:  # the order is recorded: nothing that happens now may turn the 202 into an error
        log.warning("announcement_left_to_the_next_pass", store_id=str(accepted.store.id), exc_info=True)
