"""Judgement: READY only when everything of the row's own generation is rolled out."""

from __future__ import annotations

import itertools
from uuid import uuid4

import pytest

from control_plane.domain.rollout import (
    COMPONENTS,
    STUCK_SECONDS,
    NamespaceState,
    Observation,
    Standing,
    Workload,
    judge,
)
from control_plane.domain.store import MOVES, StoreState

_S = StoreState
GENERATION = 3
WORKLOADS = (
    None,
    Workload(GENERATION, True, "1 of 1 pods ready"),
    Workload(GENERATION, False, "0 of 1 pods ready"),
    Workload(GENERATION - 1, True, "1 of 1 pods ready"),
)
WHOLE = Observation(NamespaceState.ACTIVE, dict.fromkeys(COMPONENTS, WORKLOADS[1]))


def a_row(
    state: StoreState, *, applied: int = GENERATION, runs: bool = True, seconds: float = 0.0
) -> Standing:
    return Standing(uuid4(), GENERATION, applied, state, runs, None, seconds)


def observations() -> list[Observation]:
    pairs = itertools.product(WORKLOADS, repeat=len(COMPONENTS))
    return [
        Observation(namespace, {name: each for name, each in zip(COMPONENTS, pair, strict=True) if each})
        for namespace in NamespaceState
        for pair in pairs
    ]


@pytest.mark.parametrize("state", StoreState)
@pytest.mark.parametrize("applied", [GENERATION - 1, GENERATION])
@pytest.mark.parametrize("runs", [True, False])
def test_of_all_that_can_be_seen_only_a_whole_rollout_gives_ready_or_suspended(
    state: StoreState, applied: int, runs: bool
) -> None:
    aim, other = (_S.READY, _S.SUSPENDED) if runs else (_S.SUSPENDED, _S.READY)
    for seen in observations():
        verdict = judge(a_row(state, applied=applied, runs=runs), seen)
        if verdict is None:
            continue
        assert applied == GENERATION
        assert verdict.to_state == state or verdict.to_state in MOVES[state]
        assert verdict.to_state is not other
        assert (verdict.to_state is aim) <= (seen == WHOLE)


@pytest.mark.parametrize("state", [_S.PROVISIONING, _S.UPDATING])
def test_a_store_without_pods_that_none_wants_is_suspended(state: StoreState) -> None:
    verdict = judge(a_row(state, runs=False), WHOLE)
    assert verdict is not None
    assert (verdict.to_state, verdict.reason) == (_S.SUSPENDED, None)
    assert judge(a_row(_S.SUSPENDED, runs=False), WHOLE) is None


@pytest.mark.parametrize("state", [_S.PROVISIONING, _S.UPDATING, _S.DEGRADED])
def test_a_whole_rollout_makes_ready_what_was_on_its_way(state: StoreState) -> None:
    verdict = judge(a_row(state), WHOLE)
    assert verdict is not None
    assert (verdict.to_state, verdict.reason) == (_S.READY, None)


def test_a_ready_store_gone_bad_is_degraded_and_says_what_is_wrong() -> None:
    seen = Observation(NamespaceState.ACTIVE, {**WHOLE.workloads, "database": WORKLOADS[2]})
    verdict = judge(a_row(_S.READY), seen)
    assert verdict is not None
    assert (verdict.to_state, verdict.reason) == (_S.DEGRADED, "database: 0 of 1 pods ready")


def test_a_store_is_deleted_when_its_namespace_is_gone_and_not_before() -> None:
    assert judge(a_row(_S.DELETING), Observation(NamespaceState.TERMINATING, {})) is None
    verdict = judge(a_row(_S.DELETING), Observation(NamespaceState.GONE, {}))
    assert verdict is not None
    assert verdict.to_state is _S.DELETED


def test_a_namespace_that_does_not_go_says_why_after_a_while() -> None:
    stuck = Observation(NamespaceState.TERMINATING, {}, "still being removed: a finalizer")
    assert judge(a_row(_S.DELETING), stuck) is None
    verdict = judge(a_row(_S.DELETING, seconds=STUCK_SECONDS + 1), stuck)
    assert verdict is not None
    assert (verdict.to_state, verdict.reason) == (_S.DELETING, stuck.detail)
