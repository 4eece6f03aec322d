"""What a customer asks for is recorded, whatever becomes of the message about it."""

from __future__ import annotations

import pytest

from control_plane.domain.errors import NameTakenError, TemporaryError
from control_plane.domain.store import StoreState
from tests.builders import BASE_DOMAIN, STRANGER, an_order, shown_by
from tests.use_cases.platform import Platform


def test_a_new_store_is_recorded_and_announced(platform: Platform) -> None:
    store = platform.create()

    assert platform.state(store.id) is StoreState.QUEUED
    assert store.hostname.startswith("pottery-")
    assert store.hostname.endswith(f".{BASE_DOMAIN}")
    assert [each.store_id for each in platform.events.published] == [store.id]


def test_who_is_taken_up_in_time_is_announced_once(platform: Platform) -> None:
    store = platform.create()
    platform.deliver(store.id)
    platform.clock.later(6)
    platform.run_pass()
    assert [each.store_id for each in platform.events.published] == [store.id]
    assert [bool(row.published_at) for row in platform.tables.outbox] == [True]


def test_who_is_not_is_announced_once_more_and_no_more_often(platform: Platform) -> None:
    store = platform.create()
    for seconds in (1, 5, 6, 6):
        platform.clock.later(seconds)
        platform.run_pass()
    assert [each.store_id for each in platform.events.published] == [store.id, store.id]


def test_a_broker_that_is_down_changes_nothing_but_the_outbox(platform: Platform) -> None:
    platform.events.down = True
    store = platform.create()
    platform.clock.later(6)
    waiting = platform.outbox.unpublished(platform.lease, older_than=2, limit=9)
    assert [each.intent.store_id for each in waiting] == [store.id]

    platform.events.down = False
    platform.run_pass()

    assert [each.store_id for each in platform.events.published] == [store.id]


def test_an_announcement_that_goes_wrong_costs_no_order(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_self: object, _intents: object, **_more: object) -> bool:
        raise TemporaryError("the client has an error of its own")

    monkeypatch.setattr(type(platform.events), "announce", fails)
    assert platform.state(platform.create().id) is StoreState.QUEUED


def test_a_host_name_that_somebody_has_is_drawn_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = iter("aaaaaaaabbbb")
    monkeypatch.setattr("control_plane.use_cases.hostnames.secrets.choice", lambda _: next(letters))
    first = platform.create()
    second = platform.create_store(
        shown_by(STRANGER), an_order(), key=None, body=b"", cause="request 2"
    ).store
    assert (first.hostname, second.hostname) == (
        f"pottery-aaaa.{BASE_DOMAIN}",
        f"pottery-bbbb.{BASE_DOMAIN}",
    )


def test_a_taken_name_is_refused_until_the_store_is_gone(platform: Platform) -> None:
    store = platform.ready()
    with pytest.raises(NameTakenError):
        platform.create()
    platform.purge(store.id)
    platform.deliver(store.id)
    platform.cell.finish_removals()
    platform.run_pass()
    assert platform.state(store.id) is StoreState.DELETED
    platform.create()


def test_asking_for_deletion_twice_announces_once(platform: Platform) -> None:
    store = platform.create()
    platform.purge(store.id)
    platform.purge(store.id)
    assert [each.generation for each in platform.events.published] == [1, 2]
