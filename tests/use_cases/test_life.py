"""A store's life over fakes: it is suspended, resumed, deleted, brought back and removed in the end."""

from __future__ import annotations

import pytest

from control_plane.domain.life import Verb
from control_plane.domain.store import Hold, StoreState
from control_plane.use_cases.tell_events import TellEvents
from tests.builders import PLANS, STANDARD
from tests.fakes.terms import FakeStoreEvents
from tests.use_cases.platform import Platform

_S = StoreState
DAY = 86400.0


def settle(platform: Platform, store_id: object, *, pods: bool) -> None:
    """Provision and a pass; `pods` whether what the store wants of pods is there."""
    platform.deliver(store_id)  # type: ignore[arg-type]
    platform.cell.pods(store_id, ready=pods)  # type: ignore[arg-type]
    platform.run_pass()


def test_a_suspended_store_has_no_pods_and_comes_back(platform: Platform) -> None:
    store = platform.ready()
    platform.ask(store.id, Verb.SUSPEND)
    assert platform.state(store.id) is _S.READY  # until somebody has begun
    settle(platform, store.id, pods=False)
    assert platform.state(store.id) is _S.UPDATING  # not before the last pod is gone
    settle(platform, store.id, pods=True)
    assert platform.state(store.id) is _S.SUSPENDED
    found = platform.cell.of(store.id)
    assert found
    assert [found.values[each]["replicas"] for each in ("storefront", "database")] == [0, 0]
    assert platform.tables.rows[store.id].observed_generation == 2

    platform.ask(store.id, Verb.RESUME)
    settle(platform, store.id, pods=True)
    assert platform.state(store.id) is _S.READY
    assert [found.values[each]["replicas"] for each in ("storefront", "database")] == [1, 1]
    told = [each.type.value for each in platform.events.told]
    assert told == ["store.created", "store.ready", "store.suspended", "store.resumed"]


def test_what_the_broker_did_not_take_is_told_with_the_next_pass(platform: Platform) -> None:
    for name in ("one", "two", "three"):
        platform.create(name)
    platform.events.takes = 2
    tell = TellEvents(FakeStoreEvents(platform.tables), platform.events)
    assert [tell(platform.lease) for _ in range(3)] == [2, 1, 0]
    assert platform.events.told == platform.tables.store_events


def test_a_store_that_is_held_before_it_ever_ran_waits_suspended(platform: Platform) -> None:
    store = platform.create()
    platform.ask(store.id, Verb.SUSPEND)
    settle(platform, store.id, pods=True)
    assert (platform.state(store.id), platform.tables.rows[store.id].ready_at) == (_S.SUSPENDED, None)
    platform.ask(store.id, Verb.RESUME)
    settle(platform, store.id, pods=True)
    assert platform.state(store.id) is _S.READY


def test_a_deleted_store_is_off_at_once_and_gone_after_its_retention(platform: Platform) -> None:
    kept, gone = platform.ready("kept"), platform.ready("gone")
    for store in (kept, gone):
        platform.ask(store.id, Verb.DELETE)
        settle(platform, store.id, pods=True)
        assert platform.state(store.id) is _S.SUSPENDED
    platform.clock.later((STANDARD.retention_days - 1) * DAY)
    platform.run_pass()
    platform.ask(kept.id, Verb.UNDELETE)
    settle(platform, kept.id, pods=True)
    assert platform.state(kept.id) is _S.READY

    platform.clock.later(2 * DAY)
    platform.run_pass()
    assert platform.state(gone.id) is _S.DELETING
    platform.deliver(gone.id)
    platform.cell.finish_removals()
    platform.run_pass()
    assert (platform.state(gone.id), platform.state(kept.id)) == (_S.DELETED, _S.READY)


def test_a_store_that_was_given_up_can_be_suspended(platform: Platform) -> None:
    store = platform.ready()
    platform.tables.rows[store.id] = platform.tables.rows[store.id].__class__(
        **{**vars(platform.tables.rows[store.id]), "state": _S.FAILED, "reason": "because"}
    )
    platform.ask(store.id, Verb.SUSPEND)
    settle(platform, store.id, pods=True)
    assert platform.state(store.id) is _S.SUSPENDED


def test_a_plan_that_is_no_longer_there_is_told_and_not_guessed(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = platform.create()
    monkeypatch.delitem(PLANS, "standard")  # type: ignore[arg-type]
    platform.give_up(store.id)
    assert platform.reason(store.id) == "there is no plan 'standard' any more: choose another one"


def test_an_operator_holds_what_an_owner_cannot_lift(platform: Platform) -> None:
    store = platform.ready()
    row = platform.tables.rows[store.id]
    platform.tables.rows[store.id] = row.__class__(**{**vars(row), "holds": frozenset({Hold.OPERATOR})})
    with pytest.raises(Exception, match="held by operator"):
        platform.ask(store.id, Verb.RESUME)
