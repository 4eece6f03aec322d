"""What happened to stores and other systems shall know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol
from uuid import UUID

from control_plane.domain.store_events import StoreEvent
from control_plane.ports.fleet import PassLease


class StoreEvents(Protocol):
    """What the database has written down of it."""

    def untold(self, lease: PassLease, *, limit: int) -> Sequence[StoreEvent]:
        """What was not published yet of the stores of the pass's cell, oldest first."""

    def mark_told(self, ids: Iterable[UUID]) -> None:
        """Tick them off."""


class Teller(Protocol):
    """The topic that they go to."""

    def tell(self, events: Sequence[StoreEvent], *, timeout: float) -> Sequence[StoreEvent]:
        """Publish them, each store's in this order; those that the broker took within `timeout` seconds.

        It ends with the first that is not taken. Never raises.
        """
