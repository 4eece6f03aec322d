"""The whole platform over fakes: what the tests of use cases and functions work with."""

from __future__ import annotations

from uuid import UUID, uuid4

from control_plane.domain.store import Store, StoreState
from control_plane.use_cases.clean_up import CleanUp
from control_plane.use_cases.create_store import CreateStore
from control_plane.use_cases.delete_store import DeleteStore
from control_plane.use_cases.drain_dead_letters import DrainDeadLetters
from control_plane.use_cases.install import Install
from control_plane.use_cases.judge_rollouts import JudgeRollouts
from control_plane.use_cases.provision import Provision
from control_plane.use_cases.quarantine import Quarantine
from control_plane.use_cases.receive_message import ReceiveMessage
from control_plane.use_cases.reconcile import Reconcile, Summary
from control_plane.use_cases.relay_outbox import RelayOutbox
from control_plane.use_cases.requeue_dead_letter import RequeueDeadLetter
from tests.builders import ACTOR, BASE_DOMAIN, CELL, CUSTOMER, an_order
from tests.fakes.cell import FakeCell, FakeCluster, FakeReleases, FakeWorkloads
from tests.fakes.clock import FakeClock
from tests.fakes.dead_letters import FakeCleaning, FakeDeadLetters, FakeDeadTopic, FakeParking
from tests.fakes.events import FakeCredentials, FakeEvents
from tests.fakes.fleet import FakeFleet
from tests.fakes.orphans import FakeOrphanNamespaces, FakeOrphans
from tests.fakes.stores import FakeOutbox, FakeStores
from tests.fakes.tables import Tables
from tests.fakes.work import FakeWork


class Platform:
    """All use cases, wired to fakes that share one clock, one database and one cell."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.tables = Tables(self.clock, CELL)
        self.cell = FakeCell(self.clock)
        self.events = FakeEvents(self.clock)
        self.stores, self.outbox = FakeStores(self.tables), FakeOutbox(self.tables)
        self.work, self.fleet = FakeWork(self.tables), FakeFleet(self.tables)
        self.cluster, self.releases = FakeCluster(self.cell), FakeReleases(self.cell)
        self.workloads, self.credentials = FakeWorkloads(self.cell), FakeCredentials()
        self.create_store = CreateStore(self.stores, self.outbox, self.events, CELL, BASE_DOMAIN)
        self.delete_store = DeleteStore(self.stores, self.outbox, self.events)
        install = Install(self.work, self.cluster, self.releases, self.credentials, self.events)
        self.provision = Provision(self.work, self.cluster, self.events, install)
        self.parking, self.dead_topic = FakeParking(self.tables), FakeDeadTopic(self.clock)
        self.letters = FakeDeadLetters(self.tables)
        self.requeue = RequeueDeadLetter(self.letters, self.events)
        self.orphans = FakeOrphans(self.tables)
        self.quarantine = Quarantine(self.orphans, FakeOrphanNamespaces(self.cell))
        self.receive = ReceiveMessage(self.provision, self.quarantine, self.parking)
        self.reconcile = Reconcile(
            self.fleet,
            RelayOutbox(self.fleet, self.outbox, self.events),
            JudgeRollouts(self.fleet, self.workloads),
            self.workloads,
            DrainDeadLetters(self.dead_topic, self.parking),
            CleanUp(FakeCleaning(self.tables)),
            self.orphans,
            self.clock,
            CELL,
            50.0,
        )

    def create(self, name: str = "pottery") -> Store:
        """One more store of the customer."""
        return self.create_store(an_order(name=name), key=None, body=b"{}", actor=ACTOR)

    def delete(self, store_id: UUID) -> Store:
        """The customer wants it gone."""
        return self.delete_store(CUSTOMER, store_id, ACTOR)

    def deliver(self, store_id: UUID) -> None:
        """A message reaches provision."""
        self.provision(store_id, cause=f"message {uuid4()}")

    def run_pass(self) -> Summary:
        """A tick."""
        return self.reconcile(cause="request 2")

    def state(self, store_id: UUID) -> StoreState:
        """What the row says."""
        return self.tables.rows[store_id].state

    def reason(self, store_id: UUID) -> str | None:
        """What the row gives as its reason."""
        return self.tables.rows[store_id].reason

    def ready(self, name: str = "pottery") -> Store:
        """A store that is READY."""
        store = self.create(name)
        self.deliver(store.id)
        self.cell.pods(store.id, ready=True)
        self.run_pass()
        assert self.state(store.id) is StoreState.READY
        return store
