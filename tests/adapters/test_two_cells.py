"""Two cells on one database: workers and passes of both side by side, each for its own stores alone.

The database is in turn the fake and Postgres; the cells are fakes, which say what was done in each.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest

from control_plane.adapters.postgres_billing import PostgresBilling
from control_plane.domain.dead_letters import Message
from control_plane.domain.events import StoreIntent
from control_plane.domain.rollout import Verdict
from control_plane.domain.store import Store, StoreState
from control_plane.plan_file import plans
from control_plane.use_cases.bill_store import BillStore
from control_plane.use_cases.clean_up import CleanUp
from control_plane.use_cases.drain_dead_letters import DrainDeadLetters
from control_plane.use_cases.end_terms import AT_ONCE, EndTerms
from control_plane.use_cases.hostnames import Hostnames
from control_plane.use_cases.install import Install
from control_plane.use_cases.judge_rollouts import JudgeRollouts
from control_plane.use_cases.provision import Provision
from control_plane.use_cases.quarantine import Quarantine
from control_plane.use_cases.receive_message import ReceiveMessage
from control_plane.use_cases.reconcile import Reconcile
from control_plane.use_cases.relay_outbox import RelayOutbox
from control_plane.use_cases.settle_subscriptions import SettleSubscriptions
from control_plane.use_cases.tell_events import TellEvents
from tests.adapters.backends import Backend, FakeBackend, PostgresBackend
from tests.builders import ACTOR, BASE_DOMAIN, CELL, CUSTOMER, PLANS, a_new_store
from tests.fakes.cell import FakeCell, FakeCluster, FakeReleases, FakeWorkloads
from tests.fakes.clock import FakeClock
from tests.fakes.dead_letters import FakeDeadTopic
from tests.fakes.events import FakeCredentials, FakeEvents
from tests.fakes.orphans import FakeOrphanNamespaces

CELLS = (CELL, "other")
_S = StoreState


class RealClock(FakeClock):
    """Time that passes by itself, as the real database's does."""

    def later(self, seconds: float) -> None:
        """A little of it."""
        time.sleep(min(seconds, 0.01))

    def monotonic(self) -> float:
        """See the port."""
        return time.monotonic()


class Side:
    """One cell and the two functions that look after it."""

    def __init__(self, backend: Backend, name: str, dead: FakeDeadTopic) -> None:
        self.name, self.backend = name, backend
        self.clock = backend.tables.clock if isinstance(backend, FakeBackend) else RealClock()
        self.cell, self.events = FakeCell(self.clock), FakeEvents(self.clock)
        self.cell.ready_at_once = True
        self.dead = dead
        self.values: Mapping[str, Any] = {"storageClass": f"of {name}"}
        self.settle: Callable[[], int] = lambda: 0

    def receive(self, intent: StoreIntent) -> None:
        """A message reaches this cell's provision."""
        work, cluster = self.backend.work_of(self.name), FakeCluster(self.cell)
        install = Install(
            work,
            cluster,
            FakeReleases(self.cell),
            FakeCredentials(),
            self.backend.vault,
            PLANS,
            cell_values=self.values,
        )
        provision = Provision(work, cluster, self.events, install, self.name)
        quarantine = Quarantine(self.backend.orphan_work, FakeOrphanNamespaces(self.cell))
        receive = ReceiveMessage(provision, quarantine, self.backend.parking)
        receive(Message(str(uuid4()), intent.encode()))

    def run_pass(self) -> None:
        """A tick of this cell's scheduler."""
        backend, workloads = self.backend, FakeWorkloads(self.cell)
        reconcile = Reconcile(
            backend.fleet,
            RelayOutbox(backend.fleet, backend.outbox, self.events),
            TellEvents(backend.store_events, self.events),
            EndTerms(backend.terms, PLANS, self.values),
            self.settle,
            JudgeRollouts(backend.fleet, workloads),
            workloads,
            DrainDeadLetters([self.dead], backend.parking),
            CleanUp(backend.cleaning),
            backend.orphan_records,
            self.clock,
            self.name,
            50.0,
        )
        assert reconcile(cause="request 1").ran


class Platform:
    """Both cells."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.dead = FakeDeadTopic(FakeClock())
        self.sides = [Side(backend, name, self.dead) for name in CELLS]
        self.stores: dict[str, list[Store]] = defaultdict(list)

    def create(self, cell: str) -> Store:
        """One more store, which nobody has announced yet."""
        store = self.backend.stores.add(a_new_store(cell=cell), None, ACTOR).store
        self.stores[cell].append(store)
        return store

    def tick(self) -> None:
        """A pass of each cell, at one moment."""
        start = Barrier(len(self.sides))

        def one(side: Side) -> None:
            start.wait()
            side.run_pass()

        with ThreadPoolExecutor(len(self.sides)) as threads:
            list(threads.map(one, self.sides))

    def deliver(self) -> None:
        """All that was published since the last time reaches the workers of both cells, at one moment."""
        said = [intent for side in self.sides for intent in side.events.published]
        for side in self.sides:
            side.events.published.clear()
        with ThreadPoolExecutor(8) as threads:
            jobs = [threads.submit(side.receive, intent) for intent in said for side in self.sides]
        for job in jobs:
            job.result()

    def states(self, cell: str) -> set[str]:
        """Of all stores of a cell."""
        return {self.backend.value(store.id, "state") for store in self.stores[cell]}

    def all_ready(self, each: int) -> None:
        """So many stores in each cell, which came to READY."""
        for _ in range(each):
            for cell in CELLS:
                self.create(cell)
        self.backend.later(5)
        self.tick()
        self.deliver()
        self.tick()
        assert [self.states(cell) for cell in CELLS] == [{"READY"}] * len(CELLS)


@pytest.fixture
def platform(backend: Backend) -> Platform:
    return Platform(backend)


def test_stores_of_both_become_ready_each_in_its_own_cell(platform: Platform) -> None:
    platform.all_ready(4)
    for side in platform.sides:
        own = {store.id for store in platform.stores[side.name]}
        assert {each.store_id for each in side.cell.namespaces.values()} == own
        for namespace in side.cell.namespaces.values():
            assert (namespace.revision, namespace.values["storageClass"]) == (1, f"of {side.name}")
        assert set(side.events.rollouts) == {side.name}


def test_each_intent_is_said_once_and_for_its_own_cell(platform: Platform) -> None:
    for cell in CELLS * 4:
        platform.create(cell)
    platform.backend.later(5)
    platform.tick()
    for side in platform.sides:
        own = Counter(store.id for store in platform.stores[side.name])
        assert Counter(each.store_id for each in side.events.published) == own
        assert set(side.events.announced_for) == {side.name}


def test_what_happened_is_told_once_each_stores_in_its_order(platform: Platform) -> None:
    platform.all_ready(4)
    for side in platform.sides:
        told: defaultdict[UUID, list[str]] = defaultdict(list)
        for each in side.events.told:
            told[each.subject].append(each.type)
        expected = ["store.created", "store.ready"]
        assert told == {store.id: expected for store in platform.stores[side.name]}


def test_a_message_that_reaches_the_wrong_cell_is_lost_on_nobody(platform: Platform) -> None:
    """It has no attribute, or its subscription no filter: the store's own pass says it again."""
    ours, theirs = platform.sides
    store = platform.create(theirs.name)
    ours.receive(StoreIntent(store.id, 1))
    assert ours.cell.namespaces == {}
    assert platform.backend.value(store.id, "lease_token") == 0
    assert platform.backend.letters.letters(answered=True, limit=9) == []
    platform.backend.later(5)
    ours.run_pass()
    assert ours.events.published == []
    theirs.run_pass()
    assert theirs.events.published == [StoreIntent(store.id, 1)]
    platform.deliver()
    theirs.run_pass()
    assert platform.states(theirs.name) == {"READY"}


def test_what_a_cell_shares_reaches_its_own_stores_alone_and_five_at_a_time(platform: Platform) -> None:
    platform.all_ready(AT_ONCE + 2)
    changed, unchanged = platform.sides
    changed.values = {"storageClass": "another"}
    for _ in range(2):
        platform.tick()
    generations = [
        Counter(platform.backend.value(store.id, "generation") for store in platform.stores[side.name])
        for side in platform.sides
    ]
    assert generations == [{1: 2, 2: AT_ONCE}, {1: AT_ONCE + 2}]
    assert {intent.store_id for intent in changed.events.published} <= {
        store.id for store in platform.stores[changed.name]
    }
    assert unchanged.events.published == []


def test_a_verdict_on_another_cells_store_is_not_written(platform: Platform) -> None:
    platform.all_ready(1)
    (store,) = platform.stores["other"]
    wrong = Verdict(store.id, 1, _S.READY, _S.DEGRADED, "seen in the wrong cell")
    fleet = platform.backend.fleet
    for cell, written in ((CELL, 0), ("other", 1)):
        lease = fleet.begin_pass(cell, seconds=30.0, full_every=600.0)
        assert lease
        assert fleet.record(lease, [wrong], ACTOR) == written


def test_a_cell_that_is_away_holds_up_its_own_stores_alone(platform: Platform) -> None:
    away, there = platform.sides
    away.cell.reachable = False
    for cell in CELLS:
        platform.create(cell)
    platform.backend.later(5)
    platform.tick()
    platform.deliver()
    platform.tick()
    assert platform.states(there.name) == {"READY"}
    assert platform.states(away.name) == {"PROVISIONING"}


def test_what_is_no_cells_own_is_done_once(platform: Platform) -> None:
    for number in range(20):
        platform.dead.arrive(f"undeliverable {number}".encode(), deliveries=10)
    for _ in range(2):
        platform.tick()
    letters = platform.backend.letters.letters(answered=True, limit=99)
    assert len({each.body for each in letters}) == len(letters) == 20


def test_a_deadline_of_billings_is_kept_once_and_its_new_store_goes_where_new_ones_go(
    real: PostgresBackend,
) -> None:
    """Whichever cell's pass keeps it: the setting that says where is the same for both."""
    platform = Platform(real)
    bill = BillStore(plans().stores, Hostnames(BASE_DOMAIN), CELL)
    for side in platform.sides:
        side.settle = SettleSubscriptions(PostgresBilling(real.functions["reconcile"]), bill)
    real.let_in(CUSTOMER, "00" * 32)
    for number in range(12):
        real.back_door.run(
            "INSERT INTO subscriptions (id, source, customer, account_id, status, since, plan, due_at)"
            " VALUES (:id, 'b', 'c', :account, 'active', now(), 'standard', now())",
            id=f"sub_{number}",
            account=CUSTOMER,
        )
        real.back_door.run(
            "INSERT INTO billing_facts (source, event_id, kind, subscription_id, occurred_at, fingerprint,"
            " plan, store_name, store_title, admin_email)"
            " VALUES ('b', :event, 'activated', :id, now(), 'f', 'standard', :name, 'Shop', 'a@example.com')",
            event=f"evt_{number}",
            id=f"sub_{number}",
            name=f"shop-{number}",
        )
    for _ in range(2):
        platform.tick()
    made = real.back_door.run("SELECT name, cell FROM stores")
    assert Counter(name for name, _ in made) == Counter(f"shop-{number}" for number in range(12))
    assert {UUID(str(cell)) for _, cell in made} == {real.cell(CELL)}
