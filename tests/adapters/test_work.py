"""The contract of the `Work` port, on the fake and on Postgres: leases, fencing, writes under them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from uuid import uuid4

import pytest

from control_plane.domain.errors import ElsewhereError, LeaseLostError, UnknownStoreError
from control_plane.domain.store import BEGINS, Actor, StoreState
from tests.builders import ACTOR, CELL, CUSTOMER, a_new_store

WORKER = Actor("provision", "message 1")
WATCHED = (
    "state", "reason", "generation", "applied_generation", "release_revision", "release_digest",
    "chart_version", "failures", "next_attempt_at", "deadline_at", "updated_at",
)  # fmt: skip


def a_queued_store(backend):
    return backend.stores.add(a_new_store(), None, ACTOR).store


def a_leased_store(backend, seconds=30.0):
    return backend.work.take(a_queued_store(backend).id, seconds=seconds)


def record_release(backend, leased, revision=1):
    backend.work.record_release(
        leased,
        revision=revision,
        digest="d1",
        chart_version="1.2.3",
        made_with="p1",
        deadline=900.0,
        actor=WORKER,
    )


def postpone(backend, leased, reason="busy", seconds=10.0, *, counted=True):
    backend.work.postpone(leased, reason, seconds=seconds, counted=counted, actor=WORKER)


WRITES = {
    "renew": lambda backend, leased: backend.work.renew(leased.lease, seconds=30.0),
    "begin": lambda backend, leased: backend.work.begin(leased, WORKER),
    "record_credentials": lambda backend, leased: backend.work.record_credentials(leased, "uid-1"),
    "record_freeing": lambda backend, leased: backend.work.record_freeing(leased, WORKER),
    "record_release": record_release,
    "record_removal": lambda backend, leased: backend.work.record_removal(leased, WORKER),
    "fail": lambda backend, leased: backend.work.fail(leased, "because", WORKER),
    "postpone": postpone,
    "finish": lambda backend, leased: backend.work.finish(leased, seconds=30.0),
}
ABOUT_A_GENERATION = ("begin", "record_freeing", "record_release", "record_removal", "fail", "postpone")


def snapshot(backend, store_id):
    """All that a worker may write, and the audit."""
    row = {column: backend.value(store_id, column) for column in WATCHED}
    return row, list(backend.stores.history(CUSTOMER, store_id))


def last_entry(backend, leased):
    return backend.stores.history(CUSTOMER, leased.store.id)[-1]


class TestTake:
    def test_the_lease_comes_with_the_row(self, backend):
        store = a_queued_store(backend)
        leased = backend.work.take(store.id, seconds=30.0)
        assert leased.store == store
        assert (leased.lease.store_id, leased.lease.token) == (store.id, 1)
        assert backend.value(store.id, "lease_holder")

    def test_a_store_without_a_row_is_unknown(self, backend):
        with pytest.raises(UnknownStoreError):
            backend.work.take(uuid4(), seconds=30.0)

    @pytest.mark.parametrize("leased", [False, True])
    def test_a_store_of_another_cell_is_left_alone(self, backend, leased):
        store = backend.stores.add(a_new_store(cell="other"), None, ACTOR).store
        if leased:
            backend.work_of("other").take(store.id, seconds=30.0)
        before = backend.value(store.id, "lease_token"), backend.value(store.id, "lease_holder")
        with pytest.raises(ElsewhereError):
            backend.work.take(store.id, seconds=30.0)
        assert (backend.value(store.id, "lease_token"), backend.value(store.id, "lease_holder")) == before
        backend.later(31)
        assert backend.work_of("other").take(store.id, seconds=30.0)

    def test_of_both_cells_at_once_only_its_own_gets_it(self, backend):
        store = backend.stores.add(a_new_store(cell="other"), None, ACTOR).store
        start = Barrier(16)

        def take(number):
            start.wait()
            with suppress(ElsewhereError):
                return backend.work_of("other" if number % 8 == 0 else CELL).take(store.id, seconds=30.0)

        with ThreadPoolExecutor(16) as threads:
            taken = [number for number, leased in enumerate(threads.map(take, range(16))) if leased]
        assert taken in ([0], [8])

    def test_nobody_else_gets_it_while_it_lasts(self, backend):
        leased = a_leased_store(backend, seconds=30.0)
        backend.later(25)
        assert backend.work.take(leased.store.id, seconds=30.0) is None
        backend.later(10)
        assert backend.work.take(leased.store.id, seconds=30.0).lease.token == 2

    def test_twenty_at_once_give_one_lease(self, backend):
        store = a_queued_store(backend)
        start = Barrier(20)

        def take(_):
            start.wait()
            return backend.work.take(store.id, seconds=30.0)

        with ThreadPoolExecutor(20) as threads:
            taken = [leased for leased in threads.map(take, range(20)) if leased]
        assert [leased.lease.token for leased in taken] == [1]

    def test_there_is_nothing_to_do_once_the_cluster_has_the_newest_intent(self, backend):
        leased = a_leased_store(backend)
        backend.work.begin(leased, WORKER)
        record_release(backend, leased)
        backend.work.finish(leased, seconds=30.0)
        assert backend.work.take(leased.store.id, seconds=30.0) is None

    def test_there_is_nothing_to_do_for_a_store_that_was_given_up(self, backend):
        leased = a_leased_store(backend)
        backend.work.fail(leased, "because", WORKER)
        backend.work.finish(leased, seconds=30.0)
        assert backend.work.take(leased.store.id, seconds=30.0) is None

    def test_a_failed_attempt_is_not_repeated_before_its_time(self, backend):
        leased = a_leased_store(backend)
        postpone(backend, leased, seconds=60.0)
        backend.work.finish(leased, seconds=30.0)
        assert backend.work.take(leased.store.id, seconds=30.0) is None
        backend.later(61)
        assert backend.work.take(leased.store.id, seconds=30.0).store.failures == 1

    def test_a_predecessor_that_died_counts_as_a_failure(self, backend):
        store = a_leased_store(backend).store
        for deaths in (1, 2, 3):
            backend.later(31)
            assert backend.work.take(store.id, seconds=30.0).store.failures == deaths

    def test_a_predecessor_that_let_go_does_not(self, backend):
        leased = a_leased_store(backend)
        backend.work.finish(leased, seconds=30.0)
        again = backend.work.take(leased.store.id, seconds=30.0)
        assert (again.store.failures, again.lease.token) == (0, 2)

    def test_a_deletion_is_work_and_starts_counting_anew(self, backend):
        leased = a_leased_store(backend)
        backend.work.fail(leased, "because", WORKER)
        backend.work.finish(leased, seconds=30.0)
        backend.stores.remove(CUSTOMER, leased.store.id, ACTOR)
        assert backend.work.take(leased.store.id, seconds=30.0).store.failures == 0


class TestFencing:
    @pytest.mark.parametrize("write", WRITES)
    def test_a_lease_that_ended_writes_nothing(self, backend, write):
        leased = a_leased_store(backend, seconds=30.0)
        backend.later(31)
        before = snapshot(backend, leased.store.id)
        with pytest.raises(LeaseLostError):
            WRITES[write](backend, leased)
        assert snapshot(backend, leased.store.id) == before

    @pytest.mark.parametrize("write", WRITES)
    def test_a_lease_that_was_taken_over_writes_nothing(self, backend, write):
        leased = a_leased_store(backend, seconds=30.0)
        backend.later(31)
        successor = backend.work.take(leased.store.id, seconds=30.0)
        before = snapshot(backend, leased.store.id)
        with pytest.raises(LeaseLostError):
            WRITES[write](backend, leased)
        assert snapshot(backend, leased.store.id) == before
        backend.work.renew(successor.lease, seconds=30.0)  # and the successor keeps it

    @pytest.mark.parametrize("write", WRITES)
    def test_a_lease_that_was_let_go_of_writes_nothing(self, backend, write):
        leased = a_leased_store(backend)
        backend.work.finish(leased, seconds=30.0)
        before = snapshot(backend, leased.store.id)
        with pytest.raises(LeaseLostError):
            WRITES[write](backend, leased)
        assert snapshot(backend, leased.store.id) == before

    @pytest.mark.parametrize("write", ABOUT_A_GENERATION)
    def test_a_write_about_an_older_generation_changes_nothing(self, backend, write):
        leased = a_leased_store(backend)
        backend.stores.remove(CUSTOMER, leased.store.id, ACTOR)
        before = snapshot(backend, leased.store.id)
        WRITES[write](backend, leased)
        assert snapshot(backend, leased.store.id) == before

    def test_a_renewed_lease_lasts_from_then_on(self, backend):
        leased = a_leased_store(backend, seconds=30.0)
        backend.later(20)
        backend.work.renew(leased.lease, seconds=30.0)
        backend.later(20)
        assert backend.work.take(leased.store.id, seconds=30.0) is None
        backend.later(11)
        assert backend.work.take(leased.store.id, seconds=30.0)


class TestWrites:
    @pytest.mark.parametrize(("before", "after"), BEGINS.items())
    def test_begin_moves_to_the_state_that_says_so(self, backend, before, after):
        store = a_queued_store(backend)
        backend.put(store.id, state=before, reason="an old reason")
        leased = backend.work.take(store.id, seconds=30.0)
        backend.work.begin(leased, WORKER)
        assert backend.value(store.id, "state") == after
        assert backend.value(store.id, "reason") is None
        entry = last_entry(backend, leased)
        assert (entry.actor, entry.cause, entry.action) == ("provision", "message 1", "begun")
        assert (entry.from_state, entry.to_state, entry.generation) == (before, after, 1)

    def test_begin_changes_nothing_where_the_work_has_begun(self, backend):
        leased = a_leased_store(backend)
        backend.work.begin(leased, WORKER)
        backend.work.finish(leased, seconds=30.0)
        again = backend.work.take(leased.store.id, seconds=30.0)
        before = snapshot(backend, leased.store.id)
        backend.work.begin(again, WORKER)
        assert snapshot(backend, leased.store.id) == before

    def test_a_release_is_recorded_and_the_failures_are_forgotten(self, backend):
        leased = a_leased_store(backend)
        backend.work.begin(leased, WORKER)
        postpone(backend, leased, "busy", 0.0)
        record_release(backend, leased, revision=4)
        assert backend.value(leased.store.id, "applied_plan") == leased.store.plan
        store = backend.stores.get(CUSTOMER, leased.store.id)
        assert (store.applied_generation, store.release_revision, store.release_digest) == (1, 4, "d1")
        assert (store.chart_version, store.failures, store.reason) == ("1.2.3", 0, None)
        assert store.state is StoreState.PROVISIONING
        deadline = backend.value(store.id, "deadline_at") - store.updated_at
        assert deadline.total_seconds() == pytest.approx(900, abs=1)
        entry = last_entry(backend, leased)
        assert (entry.action, entry.from_state, entry.to_state) == (
            "release applied",
            StoreState.PROVISIONING,
            StoreState.PROVISIONING,
        )

    def test_a_removal_is_recorded_for_the_generation_that_asked_for_it(self, backend):
        store = a_queued_store(backend)
        backend.stores.remove(CUSTOMER, store.id, ACTOR)
        leased = backend.work.take(store.id, seconds=30.0)
        postpone(backend, leased, "busy", 0.0)
        backend.work.record_removal(leased, WORKER)
        after = backend.stores.get(CUSTOMER, store.id)
        assert (after.applied_generation, after.failures, after.reason) == (2, 0, None)
        assert after.state is StoreState.DELETING
        assert last_entry(backend, leased).action == "removal begun"

    def test_giving_up_says_why(self, backend):
        leased = a_leased_store(backend)
        backend.work.begin(leased, WORKER)
        backend.work.fail(leased, "quota exceeded", WORKER)
        store = backend.stores.get(CUSTOMER, leased.store.id)
        assert (store.state, store.reason) == (StoreState.FAILED, "quota exceeded")
        entry = last_entry(backend, leased)
        assert (entry.action, entry.to_state, entry.reason) == (
            "gave up",
            StoreState.FAILED,
            "quota exceeded",
        )

    def test_a_store_that_is_being_deleted_is_never_given_up(self, backend):
        store = a_queued_store(backend)
        backend.stores.remove(CUSTOMER, store.id, ACTOR)
        leased = backend.work.take(store.id, seconds=30.0)
        before = snapshot(backend, store.id)
        backend.work.fail(leased, "because", WORKER)
        assert snapshot(backend, store.id) == before

    def test_postponed_work_says_why_and_until_when(self, backend):
        leased = a_leased_store(backend)
        postpone(backend, leased, "the cell is busy", 60.0)
        store = backend.stores.get(CUSTOMER, leased.store.id)
        assert (store.failures, store.reason) == (1, "the cell is busy")
        wait = backend.value(store.id, "next_attempt_at") - store.updated_at
        assert wait.total_seconds() == pytest.approx(60, abs=1)
        entry = last_entry(backend, leased)
        assert (entry.action, entry.reason, entry.to_state) == (
            "postponed",
            "the cell is busy",
            StoreState.QUEUED,
        )

    def test_what_is_not_the_stores_fault_is_not_counted(self, backend):
        leased = a_leased_store(backend)
        postpone(backend, leased, counted=False)
        assert backend.stores.get(CUSTOMER, leased.store.id).failures == 0

    def test_the_same_reason_again_is_told_once(self, backend):
        leased = a_leased_store(backend)
        for reason in ("busy", "busy", "still busy", "busy"):
            postpone(backend, leased, reason)
        told = [
            entry.reason
            for entry in backend.stores.history(CUSTOMER, leased.store.id)
            if entry.action == "postponed"
        ]
        assert told == ["busy", "still busy", "busy"]
        assert backend.stores.get(CUSTOMER, leased.store.id).failures == 4


class TestFinish:
    def test_a_lease_is_let_go_of_when_the_work_is_done(self, backend):
        leased = a_leased_store(backend)
        assert backend.work.finish(leased, seconds=30.0) is None
        assert backend.value(leased.store.id, "lease_holder") is None
        assert backend.value(leased.store.id, "lease_until") is None

    def test_it_is_kept_for_an_intent_that_came_meanwhile(self, backend):
        leased = a_leased_store(backend, seconds=30.0)
        backend.stores.remove(CUSTOMER, leased.store.id, ACTOR)
        backend.later(20)
        newer = backend.work.finish(leased, seconds=30.0)
        assert (newer.store.generation, newer.store.state) == (2, StoreState.DELETING)
        assert newer.lease.token == leased.lease.token
        backend.later(20)  # longer than the first lease would have lasted
        backend.work.record_removal(newer, WORKER)
        assert backend.work.finish(newer, seconds=30.0) is None
