"""Provision makes the cluster match the newest intent, or writes down why it does not."""

from __future__ import annotations

from uuid import uuid4

import pytest

from control_plane.domain.errors import (
    CellUnreachableError,
    LeaseLostError,
    MisconfiguredError,
    PermanentError,
    TemporaryError,
    UnknownStoreError,
)
from control_plane.domain.store import StoreState
from control_plane.use_cases import provision
from control_plane.use_cases.provision import FAILURE_LIMIT, back_off
from tests.builders import CELL
from tests.use_cases.platform import Platform

_S = StoreState


def test_a_queued_store_gets_everything_and_its_lease_is_let_go(platform: Platform) -> None:
    store = platform.create()
    platform.deliver(store.id)

    namespace = platform.cell.of(store.id)
    assert namespace
    assert namespace.quota
    assert namespace.secret
    assert namespace.values["store"]["generation"] == 1
    row = platform.tables.rows[store.id]
    assert (row.state, row.applied_generation, row.release_revision) == (_S.PROVISIONING, 1, 1)
    assert row.release_digest
    assert row.lease_holder is None
    assert platform.events.rollouts == [CELL]


def test_more_messages_change_nothing(platform: Platform) -> None:
    store = platform.create()
    for _ in range(5):
        platform.deliver(store.id)
    namespace = platform.cell.of(store.id)
    assert namespace
    assert (namespace.revision, platform.credentials.made) == (1, 1)


def test_an_unknown_store_is_said_to_be_one(platform: Platform) -> None:
    with pytest.raises(UnknownStoreError):
        platform.deliver(uuid4())


def test_while_another_worker_has_the_lease_nothing_happens(platform: Platform) -> None:
    store = platform.create()
    assert platform.work.take(store.id, seconds=30)
    platform.deliver(store.id)
    assert platform.cell.of(store.id) is None


def test_a_permanent_error_fails_the_store_with_its_reason_when_it_is_said_twice(platform: Platform) -> None:
    once, twice = platform.create("once"), platform.create("twice")
    platform.releases.errors = [PermanentError("quota exceeded: services")]
    platform.deliver(once.id)
    assert platform.state(once.id) is _S.PROVISIONING
    platform.clock.later(10)
    platform.deliver(once.id)
    assert platform.tables.rows[once.id].applied_generation == 1

    platform.releases.errors = [PermanentError("the chart was refused: nonsense")] * 2
    platform.give_up(twice.id)
    assert platform.state(twice.id) is _S.FAILED
    assert platform.reason(twice.id) == "the chart was refused: nonsense"


def test_a_temporary_error_is_counted_and_tried_again_when_due(platform: Platform) -> None:
    store = platform.create()
    platform.releases.errors = [TemporaryError("busy")]
    platform.deliver(store.id)
    row = platform.tables.rows[store.id]
    assert (row.state, row.failures, row.reason, row.lease_holder) == (_S.PROVISIONING, 1, "busy", None)

    platform.deliver(store.id)  # too early: a message does not cut a back-off short
    assert platform.tables.rows[store.id].applied_generation == 0
    platform.clock.later(10)
    platform.deliver(store.id)
    row = platform.tables.rows[store.id]
    assert (row.applied_generation, row.failures, row.reason) == (1, 0, None)


def test_a_store_that_was_woken_after_a_failure_is_taken(platform: Platform) -> None:
    """A wake-up must not itself push the next attempt away."""
    store = platform.create()
    platform.releases.errors = [TemporaryError("busy")]
    platform.deliver(store.id)
    platform.clock.later(10)
    platform.run_pass()
    platform.clock.later(3)
    platform.run_pass()
    assert len(platform.events.published) == 2
    platform.deliver(store.id)
    assert platform.tables.rows[store.id].applied_generation == 1


def test_after_the_limit_the_store_is_failed_with_the_last_reason(platform: Platform) -> None:
    store = platform.create()
    platform.releases.errors = [TemporaryError("busy")] * FAILURE_LIMIT
    for _ in range(FAILURE_LIMIT + 1):
        platform.deliver(store.id)
        platform.clock.later(1000)
    assert (platform.state(store.id), platform.reason(store.id)) == (_S.FAILED, "busy")


def test_a_cell_that_does_not_answer_is_never_the_stores_fault(platform: Platform) -> None:
    store = platform.create()
    platform.cell.reachable = False
    for _ in range(5 * FAILURE_LIMIT):
        platform.deliver(store.id)
        platform.clock.later(60)
    assert (platform.state(store.id), platform.tables.rows[store.id].failures) == (_S.PROVISIONING, 0)
    platform.cell.reachable = True
    platform.deliver(store.id)
    assert platform.tables.rows[store.id].applied_generation == 1


def test_what_nobody_foresaw_is_counted_raised_and_kept_from_the_customer(platform: Platform) -> None:
    store = platform.create()
    platform.releases.errors = [RuntimeError("password=hunter2")]
    with pytest.raises(RuntimeError):
        platform.deliver(store.id)
    row = platform.tables.rows[store.id]
    assert (row.failures, row.reason, row.lease_holder) == (1, "internal error (RuntimeError)", None)


def test_a_wrong_setting_is_raised_and_not_counted(platform: Platform) -> None:
    store = platform.create()
    platform.releases.errors = [MisconfiguredError("no chart")]
    with pytest.raises(MisconfiguredError):
        platform.deliver(store.id)
    row = platform.tables.rows[store.id]
    assert (row.failures, row.reason, row.lease_holder) == (0, None, None)


def test_workers_that_die_count_and_the_store_is_failed_in_the_end(platform: Platform) -> None:
    store = platform.create()
    for _ in range(FAILURE_LIMIT + 1):
        assert platform.work.take(store.id, seconds=30)  # and is never heard of again
        platform.clock.later(1000)
    platform.deliver(store.id)
    assert platform.state(store.id) is _S.FAILED
    assert "died" in (platform.reason(store.id) or "")


def test_an_intent_that_moved_on_meanwhile_is_worked_on_by_the_same_worker(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = platform.create()
    monkeypatch.setattr(platform.events, "rollout_started", lambda _: platform.purge(store.id))
    platform.deliver(store.id)
    row = platform.tables.rows[store.id]
    assert (row.state, row.generation, row.applied_generation) == (_S.DELETING, 2, 2)


def test_a_worker_whose_lease_was_taken_over_stops_and_writes_nothing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = platform.create()
    apply = platform.releases.apply

    def sleep_through_the_lease(*arguments: object) -> int:
        platform.clock.later(1000)
        monkeypatch.setattr(platform.releases, "apply", apply)
        platform.deliver(store.id)  # another worker does it all
        return 77

    monkeypatch.setattr(platform.releases, "apply", sleep_through_the_lease)
    platform.deliver(store.id)
    row = platform.tables.rows[store.id]
    assert (row.release_revision, row.applied_generation) == (1, 1)


def test_before_helm_the_lease_outlives_helms_deadline(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = platform.create()
    left: list[float] = []
    apply = platform.releases.apply

    def look(*arguments: object) -> int:
        until = platform.tables.rows[store.id].lease_until
        assert until
        left.append((until - platform.clock.now).total_seconds())
        return apply(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(platform.releases, "apply", look)
    platform.deliver(store.id)
    assert left[0] > platform.releases.deadline


@pytest.mark.parametrize("error", [PermanentError("no"), TemporaryError("no"), CellUnreachableError("no")])
def test_a_deletion_is_never_given_up(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    store = platform.ready()
    platform.purge(store.id)

    def fails(_: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(provision, "FAILURE_LIMIT", 2)
        patched.setattr(type(platform.cluster), "remove_namespace", lambda *_: fails(None))
        for _ in range(5):
            platform.deliver(store.id)
            platform.clock.later(1000)
    assert platform.state(store.id) is _S.DELETING
    platform.deliver(store.id)
    platform.cell.finish_removals()
    platform.run_pass()
    assert platform.state(store.id) is _S.DELETED


def test_a_lost_lease_is_not_an_error_of_the_message(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = platform.create()
    platform.releases.errors = [LeaseLostError("gone")]
    platform.deliver(store.id)
    assert platform.state(store.id) is _S.PROVISIONING


def test_back_off_doubles_up_to_five_minutes() -> None:
    assert [back_off(n) for n in (0, 1, 2, 5, 6, 99)] == [5, 10, 20, 160, 300, 300]
