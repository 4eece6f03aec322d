"""Publish what happened to stores, in order, at least once."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.ports.fleet import PassLease
from control_plane.ports.store_events import StoreEvents, Teller

_BATCH = 500
_PUBLISH_SECONDS = 5.0


@dataclass(frozen=True)
class TellEvents:
    """The verb, with what it needs."""

    events: StoreEvents
    teller: Teller

    def __call__(self, lease: PassLease) -> int:
        """What happened in the pass's cell; returns how many the broker took.

        One that does not answer costs its time, and loses nothing.
        """
        waiting = self.events.untold(lease, limit=_BATCH)
        told = self.teller.tell(waiting, timeout=_PUBLISH_SECONDS) if waiting else ()
        if told:
            self.events.mark_told([each.id for each in told])
        return len(told)
