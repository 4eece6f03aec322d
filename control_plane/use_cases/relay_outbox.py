"""Say what was recorded but not said: lost publishes, dead workers, messages that a broker forgot."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.ports.fleet import Fleet, PassLease
from control_plane.ports.messages import Events, Outbox

_BATCH = 500
_DIRECT_SECONDS = 3.0  # whoever recorded it published it; who is not taken up by now is announced once more
_PUBLISH_SECONDS = 5.0
WAKE_SECONDS = 30.0  # an unfinished store in nobody's hand is announced again this often


@dataclass(frozen=True)
class RelayOutbox:
    """The verb, with what it needs."""

    fleet: Fleet
    outbox: Outbox
    events: Events
    wake_seconds: float = WAKE_SECONDS

    def __call__(self, lease: PassLease) -> int:
        """Wake what is due in the cell, publish what nobody has taken up; returns how many the broker took.

        A broker that does not answer costs one time limit, and nothing is lost.
        """
        waiting = self.outbox.unpublished(lease, older_than=_DIRECT_SECONDS, limit=_BATCH)
        # After it: what that has ticked off can be woken in this pass.
        self.fleet.wake_due(lease, every=self.wake_seconds, limit=_BATCH)
        if not waiting or not self.events.announce(waiting, timeout=_PUBLISH_SECONDS):
            return 0
        self.outbox.mark_published([each.id for each in waiting])
        return len(waiting)
