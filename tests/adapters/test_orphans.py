"""The contract of the orphans' ports: on the fake and on Postgres, on a fake and on a real cell."""

from __future__ import annotations

from typing import Any, Protocol
from uuid import UUID, uuid4

import pytest

from control_plane.adapters.kubernetes_api import KubernetesApi
from control_plane.adapters.kubernetes_orphans import KubernetesOrphans
from control_plane.domain.dead_letters import Operator
from control_plane.domain.events import OF_AN_ORPHAN
from control_plane.domain.orphans import NoOrphanError
from control_plane.domain.rollout import NamespaceState
from control_plane.domain.store import StoreState
from control_plane.ports.fleet import PassLease
from control_plane.ports.orphans import OrphanNamespaces
from dev.cluster.cluster import Cluster as LocalCluster
from tests.adapters.backends import pass_over
from tests.builders import ACTOR, CELL, CUSTOMER, a_new_store
from tests.fakes.cell import FakeCell, Namespace
from tests.fakes.clock import FakeClock
from tests.fakes.orphans import FakeOrphanNamespaces

OPERATOR = Operator("ops@desk", "left over from a drill")
DELETED_FOR = 60.0


def begin(backend: Any, cell: str = CELL) -> PassLease:
    lease = backend.fleet.begin_pass(cell, seconds=30.0, full_every=600.0)
    assert lease
    return lease


def record(backend: Any, lease: PassLease, *there: UUID) -> int:
    return backend.orphan_records.record(lease, there, deleted_for=DELETED_FOR)


def on_record(backend: Any) -> list[UUID]:
    return [each.store_id for each in backend.orphan_desk.orphans(limit=100)]


def a_store(backend: Any, state: StoreState) -> UUID:
    store_id = backend.stores.add(a_new_store(), None, ACTOR).store.id
    backend.put(store_id, state=state, reason="because")
    return store_id


class TestRecording:
    def test_what_the_database_never_knew_is_put_on_record_and_announced_once(self, backend):
        lease, orphan = begin(backend), uuid4()
        assert record(backend, lease, orphan) == 1
        (found,) = backend.orphan_desk.orphans(limit=10)
        assert (found.store_id, found.state, found.quarantined_at, found.removal_at) == (
            orphan, None, None, None,
        )  # fmt: skip
        assert backend.said(orphan) == [(OF_AN_ORPHAN, False)]
        assert record(backend, lease, orphan) == 0
        assert backend.said(orphan) == [(OF_AN_ORPHAN, False)]

    @pytest.mark.parametrize("state", StoreState)
    def test_of_the_stores_with_a_row_only_those_long_deleted_are_orphans(self, backend, state):
        store_id, lease = a_store(backend, state), begin(backend)
        record(backend, lease, store_id)
        assert on_record(backend) == []
        backend.later(DELETED_FOR + 5)
        record(backend, lease, store_id)
        assert on_record(backend) == ([store_id] if state is StoreState.DELETED else [])

    def test_what_is_gone_is_forgotten(self, backend):
        lease, stays, goes = begin(backend), uuid4(), uuid4()
        record(backend, lease, stays, goes)
        record(backend, lease, stays)
        assert on_record(backend) == [stays]
        record(backend, lease)
        assert on_record(backend) == []

    def test_what_came_back_from_a_restored_database_is_an_orphan_no_more(self, backend):
        lease, order = begin(backend), a_new_store()
        record(backend, lease, order.id)
        backend.stores.add(order, None, ACTOR)
        record(backend, lease, order.id)
        assert on_record(backend) == []

    def test_one_that_was_not_labelled_is_announced_again_when_the_last_time_was_said(self, backend):
        lease, orphan = begin(backend), uuid4()
        record(backend, lease, orphan)
        tick_off(backend)
        record(backend, lease, orphan)
        assert backend.said(orphan) == [(OF_AN_ORPHAN, True), (OF_AN_ORPHAN, False)]
        tick_off(backend)
        backend.orphan_work.mark_quarantined(orphan)
        record(backend, lease, orphan)
        assert [ticked for _, ticked in backend.said(orphan)] == [True, True]

    def test_a_pass_that_was_taken_over_writes_nothing(self, backend):
        old, orphan = begin(backend), uuid4()
        record(backend, old, orphan)
        backend.later(31)
        begin(backend)
        assert record(backend, old, uuid4()) == 0
        assert on_record(backend) == [orphan]

    def test_another_cells_orphans_are_left_alone(self, backend):
        mine, others, orphan = begin(backend), begin(backend, "other"), uuid4()
        record(backend, mine, orphan)
        record(backend, others)
        assert on_record(backend) == [orphan]

    def test_many_at_once(self, backend):
        lease, many = begin(backend), [uuid4() for _ in range(50)]
        assert record(backend, lease, *many) == 50
        assert len(backend.orphan_desk.orphans(limit=20)) == 20


class TestFinding:
    def test_provision_finds_what_is_on_record(self, backend):
        lease, orphan = begin(backend), uuid4()
        assert backend.orphan_work.find(orphan) is None
        record(backend, lease, orphan)
        assert backend.orphan_work.find(orphan).quarantined_at is None
        backend.orphan_work.mark_quarantined(orphan)
        first = backend.orphan_work.find(orphan).quarantined_at
        assert first
        backend.orphan_work.mark_quarantined(orphan)
        assert backend.orphan_work.find(orphan).quarantined_at == first

    @pytest.mark.parametrize("state", StoreState)
    def test_a_row_that_is_not_deleted_makes_it_nobodys_orphan(self, backend, state):
        store_id, lease = a_store(backend, StoreState.DELETED), begin(backend)
        backend.later(DELETED_FOR + 5)
        record(backend, lease, store_id)
        backend.put(store_id, state=state, reason="because")
        found = backend.orphan_work.find(store_id)
        assert (found.state if found else None) == (state if state is StoreState.DELETED else None)


class TestRemoval:
    def test_it_is_announced_and_on_record_as_an_operation(self, backend):
        lease, orphan = begin(backend), uuid4()
        record(backend, lease, orphan)
        tick_off(backend)
        backend.orphan_desk.ask_removal(orphan, OPERATOR)
        assert backend.orphan_work.find(orphan).removal_at
        assert backend.said(orphan)[-1] == (OF_AN_ORPHAN, False)
        told = ("ops@desk", "orphan removed", f"store-{orphan}", "left over from a drill")
        assert backend.operations() == [told]

    def test_asking_again_changes_nothing(self, backend):
        lease, orphan = begin(backend), uuid4()
        record(backend, lease, orphan)
        backend.orphan_desk.ask_removal(orphan, OPERATOR)
        before = backend.orphan_work.find(orphan)
        backend.orphan_desk.ask_removal(orphan, Operator("another"))
        assert backend.orphan_work.find(orphan) == before
        assert len(backend.operations()) == 1

    def test_it_is_announced_again_until_the_namespace_is_gone(self, backend):
        lease, orphan = begin(backend), uuid4()
        record(backend, lease, orphan)
        backend.orphan_work.mark_quarantined(orphan)
        backend.orphan_desk.ask_removal(orphan, OPERATOR)
        tick_off(backend)
        record(backend, lease, orphan)
        assert backend.said(orphan)[-1] == (OF_AN_ORPHAN, False)

    @pytest.mark.parametrize("state", [each for each in StoreState if each is not StoreState.DELETED])
    def test_a_store_is_never_removed_like_this(self, backend, state):
        store_id, lease = a_store(backend, StoreState.DELETED), begin(backend)
        backend.later(DELETED_FOR + 5)
        record(backend, lease, store_id)
        backend.put(store_id, state=state, reason="because")
        with pytest.raises(NoOrphanError, match="store's"):
            backend.orphan_desk.ask_removal(store_id, OPERATOR)
        backend.put(store_id, state=StoreState.DELETED)
        assert backend.orphan_work.find(store_id).removal_at is None
        assert backend.operations() == []

    def test_what_is_not_on_record_is_refused(self, backend):
        with pytest.raises(NoOrphanError, match="no orphan"):
            backend.orphan_desk.ask_removal(uuid4(), OPERATOR)
        assert backend.operations() == []

    def test_a_deleted_stores_leftovers_can_be_removed(self, backend):
        store_id, lease = a_store(backend, StoreState.DELETED), begin(backend)
        backend.later(DELETED_FOR + 5)
        record(backend, lease, store_id)
        backend.orphan_desk.ask_removal(store_id, OPERATOR)
        assert backend.orphan_work.find(store_id).removal_at
        assert backend.stores.get(CUSTOMER, store_id).state is StoreState.DELETED


def tick_off(backend: Any) -> None:
    """Publish whatever waits."""
    backend.later(1)
    waiting = backend.outbox.unpublished(pass_over(backend), older_than=0.0, limit=100)
    backend.outbox.mark_published([each.id for each in waiting])


class Cell(Protocol):
    """One cell with namespaces in it."""

    namespaces: OrphanNamespaces

    def make(self, store_id: UUID) -> None:
        """A namespace as provision makes them."""

    def quarantined(self, store_id: UUID) -> bool:
        """Whether it is labelled."""

    def there(self, store_id: UUID) -> bool:
        """Whether it is there and not on its way out."""


class Fake:
    """The fake."""

    def __init__(self) -> None:
        self.cell = FakeCell(FakeClock())
        self.namespaces: OrphanNamespaces = FakeOrphanNamespaces(self.cell)

    def make(self, store_id: UUID) -> None:
        """See the protocol."""
        self.cell.namespaces[f"store-{store_id}"] = Namespace(store_id)

    def quarantined(self, store_id: UUID) -> bool:
        """See the protocol."""
        found = self.cell.of(store_id)
        return found is not None and found.quarantined

    def there(self, store_id: UUID) -> bool:
        """See the protocol."""
        return self.cell.seen(store_id).namespace is NamespaceState.ACTIVE


class Real:
    """A real API server."""

    def __init__(self, kubeconfig: str) -> None:
        self.api = KubernetesApi(kubeconfig)
        self.namespaces: OrphanNamespaces = KubernetesOrphans(self.api)

    def make(self, store_id: UUID, label: str = "") -> None:
        """See the protocol."""
        labels = {"urumi.dev/store": label or str(store_id), "urumi.dev/customer": str(CUSTOMER)}
        body = {"metadata": {"name": f"store-{store_id}", "labels": labels}}
        self.api.create("/api/v1/namespaces", body)

    def quarantined(self, store_id: UUID) -> bool:
        """See the protocol."""
        found = self.api.get(f"/api/v1/namespaces/store-{store_id}")
        return found is not None and found["metadata"]["labels"].get("urumi.dev/quarantined") == "true"

    def there(self, store_id: UUID) -> bool:
        """See the protocol."""
        found = self.api.get(f"/api/v1/namespaces/store-{store_id}")
        return found is not None and "deletionTimestamp" not in found["metadata"]


@pytest.fixture
def real_cell(cluster: LocalCluster) -> Real:
    return Real(str(cluster.kubeconfig))


@pytest.fixture(params=["fake", "real"])
def cell(request: pytest.FixtureRequest) -> Cell:
    return Fake() if request.param == "fake" else request.getfixturevalue("real_cell")


def test_a_namespace_is_labelled_and_may_be_labelled_again(cell: Cell) -> None:
    orphan = uuid4()
    cell.make(orphan)
    assert not cell.quarantined(orphan)
    for _ in range(2):
        cell.namespaces.quarantine(orphan)
        assert cell.quarantined(orphan)
        assert cell.there(orphan)


def test_a_namespace_is_removed_and_may_be_removed_again(cell: Cell) -> None:
    orphan, neighbour = uuid4(), uuid4()
    cell.make(orphan)
    cell.make(neighbour)
    for _ in range(2):
        cell.namespaces.remove(orphan)
        assert not cell.there(orphan)
    assert cell.there(neighbour)


def test_what_is_not_there_is_no_error(cell: Cell) -> None:
    cell.namespaces.quarantine(uuid4())
    cell.namespaces.remove(uuid4())


def test_a_namespace_that_says_it_is_another_stores_is_left_alone(real_cell: Real) -> None:
    orphan = uuid4()
    real_cell.make(orphan, label=str(uuid4()))
    real_cell.namespaces.quarantine(orphan)
    real_cell.namespaces.remove(orphan)
    assert real_cell.there(orphan)
    assert not real_cell.quarantined(orphan)
