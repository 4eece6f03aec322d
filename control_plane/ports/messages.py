"""What is recorded to be said, and Pub/Sub, which says it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from control_plane.domain.events import StoreIntent


@dataclass(frozen=True)
class Announcement:
    """An outbox row: what is to be published, and under which id it is ticked off."""

    id: UUID
    intent: StoreIntent


class Outbox(Protocol):
    """What has been recorded and must be said."""

    def unpublished(self, *, older_than: float, limit: int) -> Sequence[Announcement]:
        """Announcements of `older_than` seconds that nobody has taken up or published again, oldest first.

        Those that somebody has taken up are ticked off.
        """

    def mark_published(self, ids: Iterable[UUID]) -> None:
        """Tick them off."""


class Events(Protocol):
    """Pub/Sub. Losing a message is allowed; waiting for ever is not."""

    def announce(self, intents: Sequence[StoreIntent], *, timeout: float) -> bool:
        """Publish them; whether the broker took all within `timeout` seconds. Never raises."""

    def rollout_started(self) -> None:
        """Wake reconcile: something was put in motion. Errors are logged, never raised."""
