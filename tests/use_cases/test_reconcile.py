"""A pass writes what it saw, says what was not said, and is safe against itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from control_plane.domain.store import StoreState
from control_plane.use_cases.install import ROLLOUT_SECONDS
from tests.builders import CELL
from tests.use_cases.platform import Platform

_S = StoreState


def test_a_store_is_ready_when_its_pods_are_and_not_before(platform: Platform) -> None:
    store = platform.create()
    platform.deliver(store.id)
    platform.run_pass()
    assert platform.state(store.id) is _S.PROVISIONING
    platform.cell.pods(store.id, ready=True)
    platform.run_pass()
    row = platform.tables.rows[store.id]
    assert (row.state, row.observed_generation, row.deadline_at) == (_S.READY, 1, None)
    assert row.ready_at


def test_a_store_put_in_motion_while_the_pass_looks_is_seen_by_it(platform: Platform) -> None:
    slow, quick = platform.create("slow"), platform.create("quick")
    platform.deliver(slow.id)
    platform.cell.ready_at_once = True
    platform.cell.on_wait = lambda: platform.deliver(quick.id)
    platform.run_pass()
    assert platform.state(quick.id) is _S.READY


def test_a_wake_up_that_comes_as_the_pass_ends_is_not_lost(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = platform.create()
    platform.cell.ready_at_once = True
    end = platform.fleet.end_pass

    def deliver_then_end(*arguments: object) -> None:
        platform.deliver(store.id)
        end(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(type(platform.fleet), "end_pass", lambda _self, *each: deliver_then_end(*each))
    platform.run_pass()
    assert platform.state(store.id) is _S.READY


def test_a_second_pass_answers_at_once(platform: Platform) -> None:
    lease = platform.fleet.begin_pass(CELL, seconds=30, full_every=600)
    assert lease
    assert not platform.run_pass().ran
    platform.fleet.end_pass(lease, None)
    assert platform.run_pass().ran


def test_a_pass_ends_within_its_budget_whatever_is_in_motion(platform: Platform) -> None:
    platform.deliver(platform.create().id)
    began = platform.clock.monotonic()
    platform.run_pass()
    assert 50 <= platform.clock.monotonic() - began < 52


def test_a_pass_that_is_told_to_stop_ends(platform: Platform) -> None:
    platform.deliver(platform.create().id)
    began = platform.clock.monotonic()
    platform.cell.on_wait = lambda: setattr(platform.clock, "told_to_stop", True)
    platform.run_pass()
    assert platform.clock.monotonic() - began < 2


def test_an_idle_platform_costs_a_moment(platform: Platform) -> None:
    platform.ready()
    began = platform.clock.monotonic()
    platform.run_pass()
    assert platform.clock.monotonic() - began < 2


def test_a_cell_that_does_not_answer_is_told_and_nothing_is_judged(platform: Platform) -> None:
    store = platform.create()
    platform.deliver(store.id)
    platform.cell.reachable = False
    platform.clock.later(2 * ROLLOUT_SECONDS)
    assert not platform.run_pass().cell_answered
    assert platform.state(store.id) is _S.PROVISIONING

    platform.cell.reachable = True
    platform.run_pass()
    assert platform.state(store.id) is _S.FAILED  # never seen before: no outage to excuse


def test_no_deadline_runs_while_the_cell_does_not_answer(platform: Platform) -> None:
    store = platform.create()
    platform.deliver(store.id)
    platform.run_pass()
    platform.cell.reachable = False
    for _ in range(30):
        platform.clock.later(60)
        platform.run_pass()
    platform.cell.reachable = True
    platform.run_pass()
    assert platform.state(store.id) is _S.PROVISIONING


def test_pods_that_have_had_their_time_are_given_up_with_a_diagnosis(platform: Platform) -> None:
    store = platform.create()
    platform.deliver(store.id)
    platform.cell.pods(store.id, ready=False, detail="ImagePullBackOff")
    for _ in range(20):
        platform.run_pass()
        platform.clock.later(60)
    assert platform.state(store.id) is _S.FAILED
    reason = platform.reason(store.id) or ""
    assert reason.startswith("pods not ready after 15 minutes: ")
    assert "ImagePullBackOff" in reason


def test_a_ready_store_gone_bad_is_degraded_and_heals(platform: Platform) -> None:
    store = platform.ready()
    platform.cell.pods(store.id, ready=False)
    platform.run_pass()
    assert platform.state(store.id) is _S.DEGRADED
    platform.cell.pods(store.id, ready=True)
    platform.run_pass()
    assert (platform.state(store.id), platform.reason(store.id)) == (_S.READY, None)


def test_a_broker_that_is_down_does_not_stop_the_judging(platform: Platform) -> None:
    store = platform.create()
    platform.deliver(store.id)
    platform.events.down = True
    platform.create("unsaid")
    platform.cell.pods(store.id, ready=True)
    platform.run_pass()
    assert platform.state(store.id) is _S.READY


def test_a_store_that_nobody_works_on_is_announced_again(platform: Platform) -> None:
    store = platform.create()
    platform.events.published.clear()  # the broker forgot it
    platform.clock.later(31)
    platform.run_pass()
    platform.clock.later(3)
    platform.run_pass()
    assert [each.store_id for each in platform.events.published] == [store.id]


def test_billing_that_goes_wrong_keeps_no_store_from_being_looked_at(platform: Platform) -> None:
    def broken() -> int:
        raise ZeroDivisionError

    platform.reconcile = replace(platform.reconcile, settle=broken)
    store = platform.create()
    platform.deliver(store.id)
    platform.cell.pods(store.id, ready=True)
    platform.run_pass()
    assert platform.state(store.id) is _S.READY
