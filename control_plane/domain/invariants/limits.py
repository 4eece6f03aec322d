"""From when on something is said to take too long, or to happen too often."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Seconds and counts. Generous: a pass comes every minute and wakes what is due."""

    waiting: float = 300.0  # due, overdue, unpublished, or the cell unseen
    removing: float = 600.0  # DELETING, its namespace told to go, and no reason given
    failures: int = 10  # after so many a store is given up
    deliveries: int = 10  # of one message; the topic's own limit
    announcements: int = 1000  # of one store in an hour; unreachable cells cost 240, waking 120
