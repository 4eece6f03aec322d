"""The contract of the `Fleet` port, on the fake and on Postgres: one pass at a time, and rows in bulk."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest

from control_plane.domain.errors import LeaseLostError
from control_plane.domain.rollout import Verdict
from control_plane.domain.store import MOVES, Actor, StoreState
from control_plane.ports.fleet import Watermark
from tests.adapters.backends import judged, pass_over
from tests.builders import ACTOR, CELL, CUSTOMER, a_new_store

_S = StoreState
PASS = Actor("reconcile", "request 1")
WORKER = Actor("provision", "message 1")
SEEN = Watermark({"deployments": "12", "namespaces": "34"})
FULL_EVERY = 600.0


def begin(backend, cell=CELL, seconds=30.0):
    return backend.fleet.begin_pass(cell, seconds=seconds, full_every=FULL_EVERY)


def a_queued_store(backend, **order):
    return backend.stores.add(a_new_store(**order), None, ACTOR).store


def a_store_in_motion(backend, deadline=900.0, **order):
    """A store as provision leaves it."""
    store = a_queued_store(backend, **order)
    work = backend.work_of(order.get("cell", CELL))
    leased = work.take(store.id, seconds=30.0)
    work.begin(leased, WORKER)
    work.record_release(
        leased, revision=1, digest="d", chart_version="1", made_with="p1", deadline=deadline, actor=WORKER
    )
    work.finish(leased, seconds=30.0)
    return backend.stores.get(CUSTOMER, store.id)


def verdict_on(store, to_state, reason=None, **changes):
    values = {"store_id": store.id, "generation": store.generation, "from_state": store.state}
    return Verdict(**{**values, **changes}, to_state=to_state, reason=reason)


def ids(rows):
    return {row.store_id for row in rows}


class TestPass:
    def test_one_pass_at_a_time_for_each_cell(self, backend):
        assert begin(backend)
        assert begin(backend) is None
        assert begin(backend, "other")

    def test_ten_at_once_give_one_pass(self, backend):
        start = Barrier(10)

        def one(_):
            start.wait()
            return begin(backend)

        with ThreadPoolExecutor(10) as threads:
            assert sum(lease is not None for lease in threads.map(one, range(10))) == 1

    def test_a_cell_that_nobody_registered_is_an_error(self, backend):
        with pytest.raises(LookupError):
            begin(backend, "nowhere")

    def test_a_pass_that_died_is_followed_when_its_lease_ends(self, backend):
        first = begin(backend, seconds=30.0)
        backend.later(31)
        second = begin(backend)
        assert second.token > first.token
        assert not backend.fleet.renew_pass(first, seconds=30.0)
        assert backend.fleet.renew_pass(second, seconds=30.0)

    def test_a_renewed_pass_lasts_from_then_on(self, backend):
        lease = begin(backend, seconds=30.0)
        backend.later(20)
        assert backend.fleet.renew_pass(lease, seconds=30.0)
        backend.later(20)
        assert begin(backend) is None

    def test_a_lease_that_ended_cannot_be_renewed(self, backend):
        lease = begin(backend, seconds=30.0)
        backend.later(31)
        assert not backend.fleet.renew_pass(lease, seconds=30.0)

    def test_the_next_pass_may_begin_as_soon_as_one_ended(self, backend):
        backend.fleet.end_pass(begin(backend), None)
        assert begin(backend)

    def test_the_first_pass_looks_at_everything_and_the_next_at_what_changed(self, backend):
        first = begin(backend)
        assert first.watermark is None
        backend.fleet.end_pass(first, SEEN)
        assert begin(backend).watermark == SEEN

    def test_everything_is_looked_at_again_after_a_while(self, backend):
        backend.fleet.end_pass(begin(backend), SEEN)
        backend.later(FULL_EVERY / 2)
        between = begin(backend)
        assert between.watermark == SEEN
        backend.fleet.end_pass(between, Watermark({"deployments": "13"}))
        backend.later(FULL_EVERY / 2 + 1)  # since the last full pass, not since the last pass
        full = begin(backend)
        assert full.watermark is None
        backend.fleet.end_pass(full, SEEN)
        assert begin(backend).watermark == SEEN

    def test_a_pass_that_saw_nothing_leaves_the_watermark_as_it_was(self, backend):
        backend.fleet.end_pass(begin(backend), SEEN)
        backend.fleet.end_pass(begin(backend), None)
        assert begin(backend).watermark == SEEN

    def test_a_full_pass_that_saw_nothing_was_none(self, backend):
        backend.fleet.end_pass(begin(backend), None)
        assert begin(backend).watermark is None

    def test_a_pass_that_was_taken_over_ends_nothing(self, backend):
        old = begin(backend, seconds=30.0)
        backend.later(31)
        begin(backend)
        backend.fleet.end_pass(old, SEEN)
        assert begin(backend) is None  # the successor still has it
        backend.later(31)
        assert begin(backend).watermark is None


class TestWakeDue:
    def wake(self, backend, every=30.0, limit=100, cell=CELL):
        lease = begin(backend, cell)
        woken = backend.fleet.wake_due(lease, every=every, limit=limit)
        backend.fleet.end_pass(lease, None)
        return woken

    def publish_all(self, backend):
        for cell in (CELL, "other"):
            waiting = backend.outbox.unpublished(pass_over(backend, cell), older_than=-1.0, limit=1000)
            backend.outbox.mark_published([each.id for each in waiting])

    def test_what_was_just_announced_is_left_alone(self, backend):
        store = a_queued_store(backend)
        self.publish_all(backend)
        assert self.wake(backend) == 0
        assert backend.said(store.id) == [(1, True)]

    def test_a_message_that_led_to_nothing_is_said_again_and_again(self, backend):
        store = a_queued_store(backend)
        for times in (1, 2, 3):
            self.publish_all(backend)
            assert self.wake(backend) == 0
            backend.later(31)
            assert self.wake(backend) == 1
            assert len(backend.said(store.id)) == 1 + times

    def test_what_still_waits_to_be_published_is_not_piled_up(self, backend):
        store = a_queued_store(backend)
        backend.later(31)
        for _ in range(3):
            self.wake(backend)
            backend.later(31)
        assert backend.said(store.id) == [(1, False)]

    def test_it_is_announced_at_its_newest_generation(self, backend):
        store = a_queued_store(backend)
        backend.stores.remove(CUSTOMER, store.id, ACTOR)
        self.publish_all(backend)
        backend.later(31)
        assert self.wake(backend) == 1
        assert backend.said(store.id)[-1] == (2, False)

    def test_what_is_in_somebodys_hand_is_not_woken(self, backend):
        store = a_queued_store(backend)
        self.publish_all(backend)
        backend.later(31)
        backend.work.take(store.id, seconds=60.0)
        assert self.wake(backend) == 0
        backend.later(61)
        assert self.wake(backend) == 1

    def test_a_failed_attempt_is_woken_when_it_is_due_and_can_be_taken_then(self, backend):
        store = a_queued_store(backend)
        leased = backend.work.take(store.id, seconds=30.0)
        backend.work.postpone(leased, "busy", seconds=5.0, counted=True, actor=WORKER)
        backend.work.finish(leased, seconds=30.0)
        self.publish_all(backend)
        assert self.wake(backend) == 0
        backend.later(6)
        assert self.wake(backend) == 1
        backend.later(2)  # the message takes its time
        assert backend.work.take(store.id, seconds=30.0).store.failures == 1

    def test_what_is_finished_or_given_up_is_not_woken(self, backend):
        a_store_in_motion(backend)
        failed = a_queued_store(backend)
        leased = backend.work.take(failed.id, seconds=30.0)
        backend.work.fail(leased, "because", WORKER)
        backend.work.finish(leased, seconds=30.0)
        self.publish_all(backend)
        backend.later(31)
        assert self.wake(backend) == 0

    def test_the_limit_holds_and_the_others_follow(self, backend):
        stores = [a_queued_store(backend) for _ in range(5)]
        self.publish_all(backend)
        backend.later(31)
        assert [self.wake(backend, limit=2) for _ in range(4)] == [2, 2, 1, 0]
        assert all(len(backend.said(store.id)) == 2 for store in stores)

    def test_each_cell_wakes_its_own(self, backend):
        a_queued_store(backend, cell="other")
        self.publish_all(backend)
        backend.later(31)
        assert self.wake(backend) == 0
        assert self.wake(backend, cell="other") == 1


class TestStandings:
    def test_in_motion_is_what_provision_handed_over_and_has_not_arrived(self, backend):
        a_queued_store(backend)
        moving, other_cell = a_store_in_motion(backend), a_store_in_motion(backend, cell="other")
        lease = begin(backend)
        (row,) = backend.fleet.in_motion(lease)
        assert (row.store_id, row.generation, row.applied_generation) == (moving.id, 1, 1)
        assert (row.state, row.reason) == (_S.PROVISIONING, None)
        assert 0 <= row.seconds < 5
        assert other_cell.id not in ids(backend.fleet.standings(lease, None))

    def test_seconds_count_from_the_last_change(self, backend):
        a_store_in_motion(backend)
        backend.later(100)
        (row,) = backend.fleet.in_motion(begin(backend))
        assert row.seconds == pytest.approx(100, abs=5)

    @pytest.mark.parametrize("state", StoreState)
    def test_which_states_are_in_motion_and_which_should_be_there(self, backend, state):
        store = a_store_in_motion(backend)
        backend.put(store.id, state=state, reason="because")
        lease = begin(backend)
        moving = {_S.PROVISIONING, _S.UPDATING, _S.DEGRADED, _S.DELETING}
        assert ids(backend.fleet.in_motion(lease)) == ({store.id} if state in moving else set())
        there = set(StoreState) - {_S.FAILED, _S.DELETED}
        assert ids(backend.fleet.standings(lease, None)) == ({store.id} if state in there else set())

    def test_a_newer_intent_is_in_motion_only_when_provision_has_handed_it_over(self, backend):
        store = a_store_in_motion(backend)
        backend.stores.remove(CUSTOMER, store.id, ACTOR)
        lease = begin(backend)
        assert backend.fleet.in_motion(lease) == []
        leased = backend.work.take(store.id, seconds=30.0)
        backend.work.record_removal(leased, WORKER)
        assert ids(backend.fleet.in_motion(lease)) == {store.id}

    def test_rows_can_be_asked_for_by_id(self, backend):
        first, second, _ = (a_store_in_motion(backend) for _ in range(3))
        lease = begin(backend)
        assert ids(backend.fleet.standings(lease, [first.id, second.id, uuid4()])) == {first.id, second.id}
        assert backend.fleet.standings(lease, []) == []


class TestRecord:
    def test_a_store_that_arrived(self, backend):
        store = a_store_in_motion(backend)
        assert judged(backend, [verdict_on(store, _S.READY)], PASS) == 1
        after = backend.stores.get(CUSTOMER, store.id)
        assert (after.state, after.observed_generation, after.reason) == (_S.READY, 1, None)
        assert after.ready_at is not None
        assert backend.value(store.id, "deadline_at") is None
        entry = backend.stores.history(CUSTOMER, store.id)[-1]
        assert (entry.actor, entry.cause, entry.action) == ("reconcile", "request 1", "observed")
        assert (entry.from_state, entry.to_state, entry.generation) == (_S.PROVISIONING, _S.READY, 1)

    def test_the_first_ready_is_remembered(self, backend):
        store = a_store_in_motion(backend)
        judged(backend, [verdict_on(store, _S.READY)], PASS)
        first = backend.value(store.id, "ready_at")
        judged(backend, [verdict_on(store, _S.DEGRADED, "bad", from_state=_S.READY)], PASS)
        assert backend.value(store.id, "ready_at") == first
        judged(backend, [verdict_on(store, _S.READY, from_state=_S.DEGRADED)], PASS)
        assert backend.value(store.id, "ready_at") == first

    def test_many_at_once(self, backend):
        stores = [a_store_in_motion(backend) for _ in range(20)]
        assert judged(backend, [verdict_on(store, _S.READY) for store in stores], PASS) == 20
        assert judged(backend, [], PASS) == 0

    @pytest.mark.parametrize("changes", [{"from_state": _S.UPDATING}, {"generation": 2}, {"generation": 0}])
    def test_a_row_that_is_not_as_it_was_judged_is_left_alone(self, backend, changes):
        store = a_store_in_motion(backend)
        before = backend.stores.history(CUSTOMER, store.id)
        assert judged(backend, [verdict_on(store, _S.READY, **changes)], PASS) == 0
        assert backend.stores.get(CUSTOMER, store.id) == store
        assert backend.stores.history(CUSTOMER, store.id) == before

    def test_a_row_with_a_newer_intent_is_left_alone(self, backend):
        store = a_store_in_motion(backend)
        backend.stores.remove(CUSTOMER, store.id, ACTOR)
        late = verdict_on(store, _S.READY, generation=2, from_state=_S.DELETING)
        assert judged(backend, [verdict_on(store, _S.READY), late], PASS) == 0
        assert backend.stores.get(CUSTOMER, store.id).state is _S.DELETING

    def test_a_new_reason_does_not_make_the_state_younger(self, backend):
        store = a_store_in_motion(backend)
        judged(backend, [verdict_on(store, _S.READY)], PASS)
        judged(backend, [verdict_on(store, _S.DEGRADED, "one", from_state=_S.READY)], PASS)
        backend.later(50)
        judged(backend, [verdict_on(store, _S.DEGRADED, "two", from_state=_S.DEGRADED)], PASS)
        (row,) = backend.fleet.in_motion(begin(backend))
        assert (row.reason, row.seconds) == ("two", pytest.approx(50, abs=5))
        assert [entry.reason for entry in backend.stores.history(CUSTOMER, store.id)][-2:] == ["one", "two"]

    @pytest.mark.parametrize("ended", ["by time", "by another pass", "by itself"])
    def test_a_pass_whose_lease_has_ended_writes_nothing(self, backend, ended):
        store = a_store_in_motion(backend)
        old = begin(backend)
        if ended == "by itself":
            backend.fleet.end_pass(old, None)
        else:
            backend.later(31)
        if ended == "by another pass":
            assert begin(backend)
        before = backend.stores.history(CUSTOMER, store.id)
        with pytest.raises(LeaseLostError):
            backend.fleet.record(old, [verdict_on(store, _S.READY)], PASS)
        assert backend.stores.get(CUSTOMER, store.id).state is _S.PROVISIONING
        assert backend.stores.history(CUSTOMER, store.id) == before

    def test_a_row_that_the_database_refuses_does_not_hold_up_the_others(self, backend):
        stores = [a_store_in_motion(backend) for _ in range(4)]
        assert _S.DELETED not in MOVES[_S.PROVISIONING]
        verdicts = [verdict_on(store, _S.READY) for store in stores]
        verdicts[1] = verdict_on(stores[1], _S.DELETED)
        assert judged(backend, verdicts, PASS) == 3
        states = [backend.stores.get(CUSTOMER, store.id).state for store in stores]
        assert states == [_S.READY, _S.PROVISIONING, _S.READY, _S.READY]


class TestDeadlines:
    def test_overdue_is_what_had_its_time_earliest_first(self, backend):
        later = a_store_in_motion(backend, deadline=20.0)
        sooner = a_store_in_motion(backend, deadline=10.0)
        a_store_in_motion(backend, deadline=900.0)
        a_store_in_motion(backend, deadline=10.0, cell="other")
        lease = begin(backend)
        assert backend.fleet.overdue(lease, limit=10) == []
        backend.later(21)
        rows = backend.fleet.overdue(lease, limit=10)
        assert [row.store_id for row in rows] == [sooner.id, later.id]
        assert [row.store_id for row in backend.fleet.overdue(lease, limit=1)] == [sooner.id]

    def test_only_what_is_on_its_way_can_be_overdue(self, backend):
        store = a_store_in_motion(backend, deadline=10.0)
        backend.later(11)
        lease = begin(backend)
        for state in StoreState:
            backend.put(store.id, state=state, reason="because")
            late = ids(backend.fleet.overdue(lease, limit=10))
            assert late == ({store.id} if state in (_S.PROVISIONING, _S.UPDATING) else set()), state

    def test_an_outage_of_the_cell_is_nobodys_delay(self, backend):
        backend.fleet.end_pass(begin(backend), SEEN)
        a_store_in_motion(backend, deadline=100.0)
        backend.later(1000)
        lease = begin(backend)
        backend.fleet.excuse_outage(lease, longer_than=180.0)
        assert backend.fleet.overdue(lease, limit=10) == []
        backend.later(90)
        backend.fleet.excuse_outage(lease, longer_than=180.0)  # seen a moment ago: no outage any more
        assert backend.fleet.overdue(lease, limit=10) == []
        backend.later(20)
        assert len(backend.fleet.overdue(lease, limit=10)) == 1

    def test_a_short_absence_is_no_outage(self, backend):
        backend.fleet.end_pass(begin(backend), SEEN)
        a_store_in_motion(backend, deadline=100.0)
        backend.later(150)
        lease = begin(backend)
        backend.fleet.excuse_outage(lease, longer_than=180.0)
        assert len(backend.fleet.overdue(lease, limit=10)) == 1

    def test_a_cell_that_was_never_seen_had_no_outage(self, backend):
        a_store_in_motion(backend, deadline=100.0)
        backend.later(1000)
        lease = begin(backend)
        backend.fleet.excuse_outage(lease, longer_than=180.0)
        assert len(backend.fleet.overdue(lease, limit=10)) == 1

    def test_an_outage_moves_no_deadline_of_another_cell(self, backend):
        backend.fleet.end_pass(begin(backend), SEEN)
        a_store_in_motion(backend, deadline=100.0, cell="other")
        backend.later(1000)
        backend.fleet.excuse_outage(begin(backend), longer_than=180.0)
        assert len(backend.fleet.overdue(begin(backend, "other"), limit=10)) == 1
