"""Park what the broker gave up delivering, so that it is seen where all other poison is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from control_plane.domain.dead_letters import Kind, Poison
from control_plane.ports.dead_letters import DeadTopic, Parking, Undelivered

log = structlog.get_logger()

_BATCH = 100
_SECONDS = 1.0  # a pass waits no longer for the broker


@dataclass(frozen=True)
class DrainDeadLetters:
    """The verb, with what it needs."""

    topics: Sequence[DeadTopic]
    parking: Parking

    def __call__(self) -> int:
        """Park one batch of each topic, then acknowledge it; returns how many messages there were.

        Whoever dies in between parks the same again, which only counts. Raises DatabaseUnavailableError.
        """
        return sum(self._drain(topic) for topic in self.topics)

    def _drain(self, topic: DeadTopic) -> int:
        found = topic.pull(limit=_BATCH, timeout=_SECONDS)
        if not found:
            return 0
        self.parking.park(
            Poison(topic.source, each.message, Kind.UNDELIVERABLE, _reason(each)) for each in found
        )
        log.error("undeliverable_messages_parked", source=topic.source, count=len(found))
        topic.acknowledge([each.receipt for each in found], timeout=_SECONDS)
        return len(found)


def _reason(undelivered: Undelivered) -> str:
    times = "again and again" if undelivered.deliveries is None else f"{undelivered.deliveries} times"
    return f"delivered {times}, and never acknowledged: the log of the function that reads it says why"
