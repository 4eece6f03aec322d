"""Publish an intent right after its commit, so that nobody waits for a pass.

Whether it came on is not told to the database: a pass sees who was taken up, and repeats the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from control_plane.domain.store import Store
from control_plane.ports.customers import Accepted
from control_plane.ports.messages import Events

log = structlog.get_logger()

PUBLISH_SECONDS = 1.0  # a caller waits no longer for Pub/Sub; the outbox has the message anyway


@dataclass(frozen=True)
class Announce:
    """The last step of every verb, with what it needs."""

    events: Events

    def __call__(self, accepted: Accepted) -> Store:
        """The store of an accepted request, announced. Never raises: the request is recorded."""
        announcement = accepted.announcement
        if announcement is None:
            return accepted.store
        try:
            self.events.announce([announcement], timeout=PUBLISH_SECONDS)
        except Exception:  # nothing that happens now may turn the 202 into an error
            store_id = str(accepted.store.id)
            log.warning("announcement_left_to_the_next_pass", store_id=store_id, exc_info=True)
        return accepted.store
