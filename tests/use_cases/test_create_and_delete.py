"""What a customer asks for is recorded, whatever becomes of the message about it."""

from __future__ import annotations

import pytest

from control_plane.domain.errors import NameTakenError, TemporaryError
from control_plane.domain.store import StoreState
from tests.builders import ACTOR, BASE_DOMAIN, an_order
from tests.use_cases.platform import Platform


def test_a_new_store_is_recorded_announced_and_ticked_off(platform: Platform) -> None:
    store = platform.create()

    assert platform.state(store.id) is StoreState.QUEUED
    assert store.hostname.startswith("pottery-")
    assert store.hostname.endswith(f".{BASE_DOMAIN}")
    assert [each.store_id for each in platform.events.published] == [store.id]
    assert platform.outbox.unpublished(older_than=0, limit=9) == []


def test_a_broker_that_is_down_changes_nothing_but_the_outbox(platform: Platform) -> None:
    platform.events.down = True
    store = platform.create()
    platform.clock.later(3)
    waiting = platform.outbox.unpublished(older_than=2, limit=9)
    assert [each.intent.store_id for each in waiting] == [store.id]

    platform.events.down = False
    platform.run_pass()

    assert [each.store_id for each in platform.events.published] == [store.id]


def test_an_outbox_that_cannot_be_ticked_off_costs_no_order(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_self: object, _ids: object) -> None:
        raise TemporaryError("the database went away after the commit")

    monkeypatch.setattr(type(platform.outbox), "mark_published", fails)
    assert platform.state(platform.create().id) is StoreState.QUEUED


def test_a_host_name_that_somebody_has_is_drawn_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = iter("aaaaaaaabbbb")
    monkeypatch.setattr("control_plane.use_cases.create_store.secrets.choice", lambda _: next(letters))
    first = platform.create()
    other = an_order(customer_id=platform.tables.cells["local"].id)
    second = platform.create_store(other, key=None, body=b"", actor=ACTOR)
    assert (first.hostname, second.hostname) == (
        f"pottery-aaaa.{BASE_DOMAIN}",
        f"pottery-bbbb.{BASE_DOMAIN}",
    )


def test_a_taken_name_is_refused_until_the_store_is_gone(platform: Platform) -> None:
    store = platform.ready()
    with pytest.raises(NameTakenError):
        platform.create()
    platform.delete(store.id)
    platform.deliver(store.id)
    platform.cell.finish_removals()
    platform.run_pass()
    assert platform.state(store.id) is StoreState.DELETED
    platform.create()


def test_asking_for_deletion_twice_announces_once(platform: Platform) -> None:
    store = platform.create()
    platform.delete(store.id)
    platform.delete(store.id)
    assert [each.generation for each in platform.events.published] == [1, 2]
