"""What is recorded to be said, and Pub/Sub, which says it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from control_plane.domain.events import StoreIntent
from control_plane.ports.fleet import PassLease


@dataclass(frozen=True)
class Announcement:
    """An outbox row: what is to be published, for which cell, and under which id it is ticked off."""

    id: UUID
    intent: StoreIntent
    cell: str


class Outbox(Protocol):
    """What has been recorded and must be said."""

    def unpublished(self, lease: PassLease, *, older_than: float, limit: int) -> Sequence[Announcement]:
        """Announcements of `older_than` seconds that nobody has taken up or published again, oldest first.

        Of the pass's cell, and of no cell at all where what they name is not there any more. Those that
        somebody has taken up are ticked off.
        """

    def mark_published(self, ids: Iterable[UUID]) -> None:
        """Tick them off."""


class Events(Protocol):
    """Pub/Sub. Losing a message is allowed; waiting for ever is not."""

    def announce(self, said: Sequence[Announcement], *, timeout: float) -> bool:
        """Publish them, each for its cell; whether the broker took all within `timeout` seconds.

        Never raises.
        """

    def rollout_started(self, cell: str) -> None:
        """Wake the cell's reconcile: something was put in motion. Errors are logged, never raised."""
