"""Record that a store shall go. Provision removes it; reconcile sees when it is gone."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from control_plane.domain.store import Actor, Store
from control_plane.ports.customers import Stores
from control_plane.ports.messages import Events, Outbox
from control_plane.use_cases.create_store import announce_now


@dataclass(frozen=True)
class DeleteStore:
    """The verb, with what it needs."""

    stores: Stores
    outbox: Outbox
    events: Events

    def __call__(self, customer_id: UUID, store_id: UUID, actor: Actor) -> Store:
        """The store, DELETING (or DELETED already). Works from every state; asking again changes nothing.

        Raises StoreNotFoundError, DatabaseUnavailableError.
        """
        accepted = self.stores.ask_deletion(customer_id, store_id, actor)
        announce_now(accepted, self.outbox, self.events)
        return accepted.store
