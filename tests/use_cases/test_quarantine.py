"""Orphans: found by a full pass, labelled by provision, removed when an operator asks."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from control_plane.domain.dead_letters import Message, Operator
from control_plane.domain.errors import CellUnreachableError
from control_plane.domain.orphans import NoOrphanError
from control_plane.domain.rollout import NamespaceState
from control_plane.domain.store import StoreState
from tests.fakes.cell import Namespace
from tests.use_cases.platform import Platform

OPERATOR = Operator("ops@desk")


def deliver_all(platform: Platform) -> None:
    """Every announcement reaches provision, twice."""
    for row in platform.tables.outbox:
        for _ in range(2):
            platform.receive(Message("1", row.announcement.intent.encode()))


def a_full_pass(platform: Platform) -> None:
    platform.clock.later(601)
    platform.run_pass()


def an_orphan(platform: Platform) -> UUID:
    """A namespace that the database never knew."""
    orphan = uuid4()
    platform.cell.namespaces[f"store-{orphan}"] = Namespace(orphan)
    return orphan


def quarantined(platform: Platform, store_id: UUID) -> bool:
    found = platform.cell.of(store_id)
    assert found
    return found.quarantined


def test_what_nobody_knows_is_labelled_and_left_where_it_is(platform: Platform) -> None:
    orphan = an_orphan(platform)
    a_full_pass(platform)
    deliver_all(platform)
    assert quarantined(platform, orphan)
    assert platform.cell.seen(orphan).namespace is NamespaceState.ACTIVE
    assert not platform.tables.dead_letters
    announced = len(platform.tables.outbox)
    a_full_pass(platform)
    assert len(platform.tables.outbox) == announced


def test_a_pass_that_looks_at_changes_only_records_none(platform: Platform) -> None:
    a_full_pass(platform)
    an_orphan(platform)
    platform.run_pass()
    assert platform.orphans.orphans(limit=10) == []


def test_stores_are_no_orphans_in_any_state_of_their_life(platform: Platform) -> None:
    ready, queued = platform.ready("one"), platform.create("two")
    platform.purge(platform.ready("three").id)
    a_full_pass(platform)
    assert platform.orphans.orphans(limit=10) == []
    assert not quarantined(platform, ready.id)
    assert platform.state(queued.id) is StoreState.QUEUED


def test_what_is_left_of_a_deleted_store_is_labelled_too(platform: Platform) -> None:
    store = platform.ready()
    platform.purge(store.id)
    platform.deliver(store.id)
    platform.cell.finish_removals()
    a_full_pass(platform)
    assert platform.state(store.id) is StoreState.DELETED
    platform.cell.namespaces[store.namespace] = Namespace(store.id)
    a_full_pass(platform)
    deliver_all(platform)
    assert quarantined(platform, store.id)


def test_it_is_removed_when_an_operator_asks_and_then_forgotten(platform: Platform) -> None:
    orphan, neighbour = an_orphan(platform), platform.ready()
    a_full_pass(platform)
    platform.orphans.ask_removal(orphan, OPERATOR)
    deliver_all(platform)
    assert platform.cell.seen(orphan).namespace is NamespaceState.TERMINATING
    platform.cell.finish_removals()
    a_full_pass(platform)
    assert platform.orphans.orphans(limit=10) == []
    deliver_all(platform)  # late duplicates are no poison
    assert not platform.tables.dead_letters
    assert platform.cell.seen(neighbour.id).namespace is NamespaceState.ACTIVE


def test_a_store_cannot_be_removed_by_that_way(platform: Platform) -> None:
    store = platform.ready()
    with pytest.raises(NoOrphanError):
        platform.orphans.ask_removal(store.id, OPERATOR)


def test_a_database_from_an_old_backup_removes_nothing(platform: Platform) -> None:
    stores = [platform.ready(f"shop-{number}") for number in range(3)]
    lost = {store.id: platform.tables.rows.pop(store.id) for store in stores}
    a_full_pass(platform)
    deliver_all(platform)
    assert all(quarantined(platform, each) for each in lost)
    assert all(platform.cell.seen(each).namespace is NamespaceState.ACTIVE for each in lost)
    platform.tables.rows.update(lost)  # the right backup is found
    a_full_pass(platform)
    assert platform.orphans.orphans(limit=10) == []


def test_a_removal_that_was_asked_for_spares_a_store_that_came_back(platform: Platform) -> None:
    store = platform.ready()
    row = platform.tables.rows.pop(store.id)
    a_full_pass(platform)
    platform.orphans.ask_removal(store.id, OPERATOR)
    platform.tables.rows[store.id] = row
    deliver_all(platform)
    assert platform.cell.seen(store.id).namespace is NamespaceState.ACTIVE


def test_a_cell_that_does_not_answer_has_it_tried_again_by_a_later_pass(platform: Platform) -> None:
    orphan = an_orphan(platform)
    a_full_pass(platform)
    platform.cell.reachable = False
    with pytest.raises(CellUnreachableError):
        platform.quarantine(orphan)
    platform.cell.reachable = True
    platform.outbox.mark_published([row.announcement.id for row in platform.tables.outbox])
    announced = len(platform.tables.outbox)
    a_full_pass(platform)
    assert len(platform.tables.outbox) == announced + 1
    deliver_all(platform)
    assert quarantined(platform, orphan)
