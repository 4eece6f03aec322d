"""The contract of the `Outbox` port, on the fake and on Postgres."""

from __future__ import annotations

from uuid import uuid4

from tests.builders import ACTOR, CUSTOMER, a_new_store


def added(backend):
    """A store's announcement, just recorded."""
    return backend.stores.add(a_new_store(), None, ACTOR).announcement


def unpublished(backend, **wanted):
    return list(backend.outbox.unpublished(**{"older_than": 0.0, "limit": 100, **wanted}))


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
    second = backend.stores.ask_deletion(CUSTOMER, first.intent.store_id, ACTOR).announcement
    assert unpublished(backend) == [first, second]
    assert [each.intent.generation for each in (first, second)] == [1, 2]
