"""The whole platform over fakes: what the tests of use cases and functions work with."""

from __future__ import annotations

from uuid import UUID, uuid4

from control_plane.domain.life import Verb
from control_plane.domain.store import NewStore, Store, StoreState
from control_plane.plan_file import plans
from control_plane.ports.fleet import PassLease
from control_plane.use_cases.announce import Announce
from control_plane.use_cases.change_store import ChangeStore
from control_plane.use_cases.claim_credentials import ClaimCredentials
from control_plane.use_cases.clean_up import CleanUp
from control_plane.use_cases.create_store import CreateStore
from control_plane.use_cases.create_token import CreateToken, digest_of
from control_plane.use_cases.drain_dead_letters import DrainDeadLetters
from control_plane.use_cases.end_terms import EndTerms
from control_plane.use_cases.hostnames import Hostnames
from control_plane.use_cases.install import Install
from control_plane.use_cases.judge_rollouts import JudgeRollouts
from control_plane.use_cases.make_login_link import MakeLoginLink
from control_plane.use_cases.provision import Provision
from control_plane.use_cases.quarantine import Quarantine
from control_plane.use_cases.receive_message import ReceiveMessage
from control_plane.use_cases.reconcile import Reconcile, Summary
from control_plane.use_cases.relay_outbox import RelayOutbox
from control_plane.use_cases.requeue_dead_letter import RequeueDeadLetter
from control_plane.use_cases.tell_events import TellEvents
from tests.builders import ACTOR, BASE_DOMAIN, CELL, CUSTOMER, PLANS, TOKENS, an_order, shown_by
from tests.fakes.accounts import FakeAccounts, a_fake_token
from tests.fakes.cell import FakeCell, FakeCluster, FakeReleases, FakeWorkloads
from tests.fakes.clock import FakeClock
from tests.fakes.dead_letters import FakeCleaning, FakeDeadLetters, FakeDeadTopic, FakeParking
from tests.fakes.events import FakeCredentials, FakeEvents, FakeLoginLinks
from tests.fakes.fleet import FakeFleet
from tests.fakes.orphans import FakeOrphanNamespaces, FakeOrphans
from tests.fakes.stores import FakeOutbox, FakeStores
from tests.fakes.tables import Tables
from tests.fakes.terms import FakeStoreEvents, FakeTerms
from tests.fakes.work import FakeVault, FakeWork


class Platform:
    """All use cases, wired to fakes that share one clock, one database and one cell."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.tables = Tables(self.clock, CELL)
        self.cell = FakeCell(self.clock)
        self.events = FakeEvents(self.clock)
        self.accounts, self.outbox = FakeAccounts(self.tables), FakeOutbox(self.tables)
        for customer, token in TOKENS.items():
            a_fake_token(self.tables, customer, digest_of(token))
        self.work, self.fleet = FakeWork(self.tables), FakeFleet(self.tables)
        self.cluster, self.releases = FakeCluster(self.cell), FakeReleases(self.cell)
        self.workloads, self.credentials = FakeWorkloads(self.cell), FakeCredentials()
        announce = Announce(self.events)
        self.create_store = CreateStore(self.accounts, announce, Hostnames(BASE_DOMAIN), plans(), CELL)
        self.change_store = ChangeStore(self.accounts, announce, plans())
        self.create_token = CreateToken(self.accounts)
        self.vault = FakeVault(self.tables)
        install = Install(self.work, self.cluster, self.releases, self.credentials, self.vault, PLANS)
        self.claim = ClaimCredentials(self.accounts)
        self.login = MakeLoginLink(self.accounts, FakeLoginLinks())
        self.provision = Provision(self.work, self.cluster, self.events, install, CELL)
        self.parking, self.dead_topic = FakeParking(self.tables), FakeDeadTopic(self.clock)
        self.letters = FakeDeadLetters(self.tables)
        self.requeue = RequeueDeadLetter(self.letters, self.events)
        self.orphans = FakeOrphans(self.tables)
        self.quarantine = Quarantine(self.orphans, FakeOrphanNamespaces(self.cell))
        self.receive = ReceiveMessage(self.provision, self.quarantine, self.parking)
        self.reconcile = Reconcile(
            self.fleet,
            RelayOutbox(self.fleet, self.outbox, self.events),
            TellEvents(FakeStoreEvents(self.tables), self.events),
            EndTerms(FakeTerms(self.tables), PLANS),
            lambda: 0,
            JudgeRollouts(self.fleet, self.workloads),
            self.workloads,
            DrainDeadLetters([self.dead_topic], self.parking),
            CleanUp(FakeCleaning(self.tables)),
            self.orphans,
            self.clock,
            CELL,
            50.0,
        )

    @property
    def lease(self) -> PassLease:
        """A pass that was not begun, for what asks only which cell it is of."""
        return PassLease(self.tables.cells[CELL].id, 0, None)

    def add(self, order: NewStore) -> None:
        """Record a store with an identity of the test's choice."""
        FakeStores(self.tables, order.customer_id).add(order, None, ACTOR, most=1)

    def create(self, name: str = "pottery") -> Store:
        """One more store of the customer."""
        order = an_order(name=name)
        return self.create_store(shown_by(CUSTOMER), order, key=None, body=b"{}", cause="request 1").store

    def ask(self, store_id: UUID, verb: Verb, given: str = "") -> Store:
        """The customer asks for something."""
        shown = shown_by(CUSTOMER)
        return self.change_store(shown, store_id, {verb: given}, generation=None, cause="request 1").store

    def purge(self, store_id: UUID) -> Store:
        """The customer wants it gone at once."""
        return self.ask(store_id, Verb.PURGE, self.tables.rows[store_id].name)

    def deliver(self, store_id: UUID) -> None:
        """A message reaches provision."""
        self.provision(store_id, cause=f"message {uuid4()}")

    def give_up(self, store_id: UUID) -> None:
        """Messages until a refusal is believed."""
        self.deliver(store_id)
        self.clock.later(10)
        self.deliver(store_id)

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
