"""What was seen of a store in the cluster, and what that means for its row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from control_plane.domain.store import StoreState

STUCK_SECONDS = 60  # a namespace that takes longer than this to go says why
COMPONENTS = ("storefront", "database")  # the workloads of a store that must be rolled out


@dataclass(frozen=True)
class Workload:
    """One Deployment or StatefulSet: the generation stamped on it, and whether that is rolled out.

    With no pods wanted, rolled out means that none is left.
    """

    generation: int
    rolled_out: bool
    detail: str  # why not, for people: "0 of 1 pods ready"


class NamespaceState(StrEnum):
    """What became of the namespace."""

    ACTIVE = "active"
    TERMINATING = "terminating"
    GONE = "gone"


@dataclass(frozen=True)
class Observation:
    """All that a pass has seen of one store. `detail` is the namespace's own word on why it is stuck."""

    namespace: NamespaceState
    workloads: Mapping[str, Workload]
    detail: str = ""


@dataclass(frozen=True)
class Standing:
    """The part of a row that a judgement needs. `seconds` is how long it has been in its state."""

    store_id: UUID
    generation: int
    applied_generation: int
    state: StoreState
    runs: bool  # whether pods are wanted
    reason: str | None
    seconds: float


@dataclass(frozen=True)
class Verdict:
    """What a row should say now. It holds only while the row still has this generation and state."""

    store_id: UUID
    generation: int
    from_state: StoreState
    to_state: StoreState
    reason: str | None


_S = StoreState


def judge(row: Standing, seen: Observation) -> Verdict | None:
    """What the row should say, given what was seen; None when it already says so.

    READY, or SUSPENDED where no pods are wanted, needs every component stamped with the row's own
    generation and rolled out, and that provision has recorded the release of that very generation.
    """
    if row.applied_generation != row.generation:
        return None  # provision has not finished; what is seen belongs to an older intent
    to_state, reason = row.state, row.reason
    if row.state is _S.DELETING:
        if seen.namespace is NamespaceState.GONE:
            to_state, reason = _S.DELETED, None
        elif seen.detail and row.seconds > STUCK_SECONDS:
            reason = seen.detail
    elif row.state in (_S.PROVISIONING, _S.UPDATING) or (row.state is _S.DEGRADED and row.runs):
        if not _missing(row, seen):
            to_state, reason = (_S.READY if row.runs else _S.SUSPENDED), None
        elif row.state is _S.DEGRADED:
            reason = _missing(row, seen)
    elif row.state is _S.READY and (missing := _missing(row, seen)):
        to_state, reason = _S.DEGRADED, missing
    if (to_state, reason) == (row.state, row.reason):
        return None
    return Verdict(row.store_id, row.generation, row.state, to_state, reason)


def _missing(row: Standing, seen: Observation) -> str:
    """What keeps the store from being READY, or SUSPENDED, for people; empty when nothing does."""
    if seen.namespace is not NamespaceState.ACTIVE:
        return f"its namespace is {seen.namespace}"
    for component in COMPONENTS:
        workload = seen.workloads.get(component)
        if workload is None:
            return f"{component}: missing"
        if workload.generation != row.generation:
            return f"{component}: still at generation {workload.generation}"
        if not workload.rolled_out:
            return f"{component}: {workload.detail}"
    return ""
