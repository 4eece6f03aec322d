"""What must hold of the audit and of the attempts, replayed in kinds of steps however long they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from control_plane.domain.invariants import catalogue
from control_plane.domain.invariants.evidence import Attempt, Step
from control_plane.domain.invariants.findings import Finding
from control_plane.domain.store import MOVES, StoreState


def judge_steps(steps: Iterable[Step]) -> Iterator[Finding]:
    """What does not hold of these kinds of steps, once for each store."""
    for step in steps:
        for invariant, seen, expected in _wrong_with(step):
            for store_id in step.stores:
                yield _finding(invariant, store_id, seen, expected)


def judge_attempts(attempts: Iterable[Attempt]) -> Iterator[Finding]:
    """What does not hold of these kinds of attempts, once for each store."""
    for attempt in attempts:
        for store_id in attempt.stores:
            if attempt.overlapping:
                seen = "an attempt that began before the lease before it had ended"
                yield _finding(catalogue.ONE_WORKER_AT_A_TIME, store_id, seen, "a free lease")
            elif attempt.skips:
                seen = "lease tokens of attempts with a gap"
                yield _finding(catalogue.ONE_WORKER_AT_A_TIME, store_id, seen, "each on record")


def _wrong_with(step: Step) -> Iterator[tuple[str, str, str]]:
    moved = f"{step.from_state or 'nothing'} → {step.to_state}"
    if step.before is None and (step.from_state, step.to_state) != (None, StoreState.QUEUED):
        yield catalogue.ONLY_ALLOWED_MOVES, f"it begins with {moved}", "it begins QUEUED"
    elif step.before is not None and step.from_state != step.before:
        yield catalogue.ONLY_ALLOWED_MOVES, f"{moved} after {step.before}", f"from {step.before}"
    elif step.from_state and step.from_state != step.to_state and step.to_state not in MOVES[step.from_state]:
        yield catalogue.ONLY_ALLOWED_MOVES, moved, "a move of the table"
    if step.generation_fell:
        yield catalogue.ONLY_ALLOWED_MOVES, "the generation fell", "it only grows"
    if step.unannounced:
        seen = f"an intent ({moved}) without an announcement of its transaction"
        yield catalogue.ANNOUNCED_WITH_ITS_INTENT, seen, "an outbox row of the same transaction"
    if step.fenced_off:
        seen = f"{moved} written by a worker that did not have the newest lease"
        yield catalogue.ONE_WORKER_AT_A_TIME, seen, "the token of the newest lease"
    if step.unexplained:
        yield catalogue.FAILED_SAYS_WHY, "FAILED without a reason in the audit", "a reason"


def _finding(invariant: str, store_id: UUID, seen: str, expected: str) -> Finding:
    return Finding(invariant, f"store {store_id}", seen, expected, store_id)
