"""What must hold of one row, by the database alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from control_plane.domain.invariants import catalogue
from control_plane.domain.invariants.evidence import Entry, Row
from control_plane.domain.invariants.findings import Finding
from control_plane.domain.invariants.limits import Limits
from control_plane.domain.retention import ANSWERED_LETTERS
from control_plane.domain.store import StoreState

_S = StoreState
_ON_ITS_WAY = (_S.PROVISIONING, _S.UPDATING)
_TRIED = (_S.QUEUED, _S.PROVISIONING, _S.UPDATING)  # states in which provision gives up at last
_GAVE_UP = "gave up"


def judge_row(row: Row, limits: Limits) -> Iterator[Finding]:
    """What does not hold of it."""
    yield from _audited(row)
    yield from _waiting(row, limits)
    yield from _explained(row)
    if row.newest_attempt is not None and row.newest_attempt != row.lease_token:
        seen = f"lease token {row.lease_token}, newest attempt on record {row.newest_attempt}"
        yield finding(row, catalogue.ONE_WORKER_AT_A_TIME, seen, "an attempt on record for every lease")
    if row.state in _TRIED and row.failures > limits.failures + 1:
        seen = f"{row.failures} failures and still {row.state}"
        yield finding(row, catalogue.POISON_IS_PARKED, seen, f"FAILED after {limits.failures}")


def finding(row: Row, invariant: str, seen: str, expected: str, *, after_pass: bool = False) -> Finding:
    """A finding about the store of this row."""
    return Finding(invariant, f"store {row.id}", seen, expected, row.id, after_pass)


def together(row: Row, invariant: str, problems: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """One finding about all of these, each what was seen and what was expected; none about none."""
    if found := list(problems):
        seen, expected = ("; ".join(texts) for texts in zip(*found, strict=True))
        yield finding(row, invariant, seen, expected)


def _audited(row: Row) -> Iterator[Finding]:
    told = row.entry
    if told is None:
        yield finding(row, catalogue.ROW_MATCHES_AUDIT, "no audit entry", "one for each change")
    elif (told.to_state, told.generation) != (row.state, row.generation):
        yield finding(
            row,
            catalogue.ROW_MATCHES_AUDIT,
            f"{row.state} at generation {row.generation}",
            f"{told.to_state} at generation {told.generation}, as the newest entry says",
        )
    elif row.handed_over != row.applied_generation:
        yield finding(
            row,
            catalogue.ROW_MATCHES_AUDIT,
            f"applied_generation {row.applied_generation}",
            f"{row.handed_over}, the newest that the audit tells of",
        )


def _waiting(row: Row, limits: Limits) -> Iterator[Finding]:
    seen = expected = ""
    if not row.applied and row.state is not _S.FAILED:
        if row.idle > limits.waiting:
            seen, expected = f"{row.state}, due {row.idle:.0f} s ago and in nobody's hand", "woken by a pass"
    elif row.state in _ON_ITS_WAY and row.overdue is None:
        seen, expected = f"{row.state} without a deadline", "READY or FAILED by a deadline"
    elif row.state in _ON_ITS_WAY and row.overdue is not None and row.overdue > limits.waiting:
        seen, expected = f"{row.state}, {row.overdue:.0f} s past its deadline", "READY or FAILED by a pass"
    elif row.state is _S.DELETING and not row.reason and row.settled > limits.removing:
        seen, expected = f"DELETING for {row.settled:.0f} s without a reason", "DELETED, or a reason"
    if seen:
        yield finding(row, catalogue.NOTHING_WAITS_FOR_EVER, seen, expected)


def _explained(row: Row) -> Iterator[Finding]:
    if row.state in (_S.FAILED, _S.DEGRADED) and not row.reason:
        yield finding(row, catalogue.FAILED_SAYS_WHY, f"{row.state} without a reason", "a reason")
    if row.state is _S.FAILED and row.letters == 0 and _leaves_a_letter(row.entry):
        seen = "given up, and no dead letter about it"
        yield finding(row, catalogue.EVERY_FAILURE_IS_VISIBLE, seen, "one that waits or was answered")


def _leaves_a_letter(entry: Entry | None) -> bool:
    # Answered letters are removed in the end, and there were none before leases were told to the audit.
    if entry is None or not entry.leased:
        return False
    return entry.action == _GAVE_UP and entry.seconds < ANSWERED_LETTERS.total_seconds()
