"""Look at stores in the cluster and write into their rows what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from control_plane.domain.rollout import Standing, Verdict, judge
from control_plane.domain.store import Actor, StoreState
from control_plane.ports.fleet import Changes, Fleet, PassLease, Workloads

log = structlog.get_logger()

_BATCH = 500  # rows of one statement
_OVERDUE = 20  # given up in one round; each costs a few requests for its diagnosis


@dataclass(frozen=True)
class JudgeRollouts:
    """The verb, with what it needs."""

    fleet: Fleet
    workloads: Workloads

    def __call__(self, lease: PassLease, rows: Iterable[Standing], changes: Changes, actor: Actor) -> int:
        """Write READY, SUSPENDED, DEGRADED, DELETED and reasons in bulk; returns how many rows changed.

        Raises LeaseLostError, as the next.
        """
        judged = [row for row in rows if row.applied_generation == row.generation]
        seen = changes.look([row.store_id for row in judged])
        verdicts = [verdict for row in judged if (verdict := judge(row, seen[row.store_id]))]
        recorded = 0
        for start in range(0, len(verdicts), _BATCH):
            batch = verdicts[start : start + _BATCH]
            recorded += self.fleet.record(lease, batch, actor)
            _tell(batch)
        return recorded

    def give_up_overdue(self, lease: PassLease, actor: Actor) -> int:
        """FAILED, with a diagnosis, for stores whose pods have had their time."""
        verdicts = []
        for row in self.fleet.overdue(lease, limit=_OVERDUE):
            late = "pods not ready" if row.runs else "pods not gone"
            reason = f"{late} after 15 minutes: {self.workloads.diagnose(row.store_id)}"
            failed = StoreState.FAILED
            verdicts.append(Verdict(row.store_id, row.generation, row.state, failed, reason))
        _tell(verdicts)
        return self.fleet.record(lease, verdicts, actor)


def _tell(verdicts: Sequence[Verdict]) -> None:
    for verdict in verdicts:
        log.info(
            "store_judged",
            store_id=str(verdict.store_id),
            generation=verdict.generation,
            from_state=verdict.from_state,
            to_state=verdict.to_state,
            reason=verdict.reason,
        )
