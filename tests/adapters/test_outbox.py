"""The contract of the `Outbox` port, on the fake and on Postgres."""

from __future__ import annotations

from uuid import uuid4

from control_plane.domain.events import OF_AN_ORPHAN, StoreIntent
from control_plane.domain.store import StoreState
from tests.adapters.backends import pass_over
from tests.builders import ACTOR, CELL, CUSTOMER, a_new_store


def added(backend):
    """A store's announcement, just recorded."""
    return backend.stores.add(a_new_store(), None, ACTOR).announcement


def unpublished(backend, **wanted):
    lease = pass_over(backend, wanted.pop("cell", CELL))
    return list(backend.outbox.unpublished(lease, **{"older_than": 0.0, "limit": 100, **wanted}))


def test_what_nobody_ticked_off_comes_back_oldest_first(backend):
    announcements = [added(backend) for _ in range(3)]
    assert unpublished(backend) == announcements


def test_what_is_ticked_off_does_not(backend):
    first, second = added(backend), added(backend)
    backend.outbox.mark_published([first.id])
    assert unpublished(backend) == [second]
    assert backend.said(first.intent.store_id) == [(1, True)]


def test_ticking_off_again_or_something_unknown_changes_nothing(backend):
    first, second = added(backend), added(backend)
    for _ in range(2):
        backend.outbox.mark_published([first.id, uuid4()])
    backend.outbox.mark_published([])
    assert unpublished(backend) == [second]


def test_what_is_younger_than_asked_is_left_to_whoever_recorded_it(backend):
    old = added(backend)
    backend.later(5)
    added(backend)
    assert unpublished(backend, older_than=3.0) == [old]


def test_no_more_than_the_limit_comes_at_once(backend):
    announcements = [added(backend) for _ in range(3)]
    assert unpublished(backend, limit=2) == announcements[:2]


def test_each_intent_of_a_store_is_announced(backend):
    first = added(backend)
    second = backend.stores.remove(CUSTOMER, first.intent.store_id, ACTOR).announcement
    assert unpublished(backend) == [first, second]
    assert [each.intent.generation for each in (first, second)] == [1, 2]


def test_what_was_taken_up_is_ticked_off_at_any_age(backend):
    first, second = added(backend), added(backend)
    assert backend.work.take(first.intent.store_id, seconds=30.0)
    assert unpublished(backend, older_than=3.0) == []
    assert backend.said(first.intent.store_id) == [(1, True)]
    assert backend.said(second.intent.store_id) == [(1, False)]
    assert unpublished(backend) == [second]


def test_taking_up_a_newer_intent_is_taking_up_the_older_ones(backend):
    first = added(backend)
    store_id = first.intent.store_id
    backend.stores.remove(CUSTOMER, store_id, ACTOR)
    backend.work.take(store_id, seconds=30.0)
    assert unpublished(backend) == []
    assert backend.said(store_id) == [(1, True), (2, True)]


def test_taking_up_an_older_intent_is_not(backend):
    first = added(backend)
    store_id = first.intent.store_id
    backend.work.take(store_id, seconds=30.0)
    second = backend.stores.remove(CUSTOMER, store_id, ACTOR).announcement
    assert unpublished(backend) == [second]


def test_nor_where_the_server_s_clock_was_ahead_then(real):
    first = added(real)
    store_id = first.intent.store_id
    real.work.take(store_id, seconds=30.0)
    real.back_door.run("UPDATE attempts SET began_at = began_at + interval '1 hour'")
    second = real.stores.remove(CUSTOMER, store_id, ACTOR).announcement
    assert unpublished(real) == [second]


def test_a_wake_up_is_not_taken_up_by_the_attempt_before_it(backend):
    """That one failed, or died; its store is still to be woken."""
    store_id = added(backend).intent.store_id
    backend.work.take(store_id, seconds=30.0)
    assert unpublished(backend) == []
    backend.later(60)
    lease = backend.fleet.begin_pass(CELL, seconds=30.0, full_every=600.0)
    assert backend.fleet.wake_due(lease, every=30.0, limit=9) == 1
    (woken,) = unpublished(backend)
    assert woken.intent == StoreIntent(store_id, 1)
    backend.work.take(store_id, seconds=30.0)
    assert unpublished(backend) == []


def test_what_was_applied_meanwhile_is_ticked_off(backend):
    """Its attempt is on record no more, or began before it was announced again."""
    store_id = added(backend).intent.store_id
    backend.put(store_id, applied_generation=1)
    assert unpublished(backend) == []
    assert backend.said(store_id) == [(1, True)]


def test_an_orphan_of_a_deleted_store_is_announced_whatever_became_of_the_store(backend):
    store_id = added(backend).intent.store_id
    backend.work.take(store_id, seconds=30.0)
    backend.put(store_id, state=StoreState.DELETED, applied_generation=1)
    assert unpublished(backend) == []
    backend.later(65)
    lease = backend.fleet.begin_pass(CELL, seconds=30.0, full_every=600.0)
    backend.orphan_records.record(lease, {store_id}, deleted_for=60.0)
    (orphan,) = unpublished(backend)
    assert orphan.intent == StoreIntent(store_id, OF_AN_ORPHAN)


class TestCells:
    def test_each_pass_says_what_is_for_its_own_cell(self, backend):
        ours = added(backend)
        theirs = backend.stores.add(a_new_store(cell="other"), None, ACTOR).announcement
        assert (ours.cell, theirs.cell) == (CELL, "other")
        assert unpublished(backend) == [ours]
        assert unpublished(backend, cell="other") == [theirs]

    def test_a_change_is_announced_to_the_cell_that_the_store_is_in(self, backend):
        store = backend.stores.add(a_new_store(cell="other"), None, ACTOR).store
        changed = backend.stores.remove(CUSTOMER, store.id, ACTOR).announcement
        assert changed.cell == "other"
        assert unpublished(backend) == []

    def test_nor_does_a_pass_tick_off_what_another_cell_has_taken_up(self, backend):
        store = backend.stores.add(a_new_store(cell="other"), None, ACTOR).store
        assert backend.work_of("other").take(store.id, seconds=30.0)
        assert unpublished(backend) == []
        assert backend.said(store.id) == [(1, False)]
        assert unpublished(backend, cell="other") == []
        assert backend.said(store.id) == [(1, True)]

    def test_an_orphan_is_announced_to_the_cell_that_it_was_found_in(self, backend):
        store_id = uuid4()
        lease = backend.fleet.begin_pass("other", seconds=30.0, full_every=600.0)
        backend.orphan_records.record(lease, {store_id}, deleted_for=60.0)
        assert unpublished(backend) == []
        (orphan,) = unpublished(backend, cell="other")
        assert (orphan.intent, orphan.cell) == (StoreIntent(store_id, OF_AN_ORPHAN), "other")

    def test_what_names_nothing_that_is_there_is_said_by_whoever_looks(self, backend):
        """An orphan whose namespace is gone: while it is not said, nothing of that id is announced again."""
        store_id = uuid4()
        for there in ({store_id}, set()):
            lease = backend.fleet.begin_pass("other", seconds=30.0, full_every=600.0)
            backend.orphan_records.record(lease, there, deleted_for=60.0)
            backend.fleet.end_pass(lease, None)
        for cell in (CELL, "other"):
            (orphan,) = unpublished(backend, cell=cell)
            assert (orphan.intent.store_id, orphan.cell) == (store_id, cell)
