"""What an examination reads in a real Postgres and a real cell, and how little of it at a time."""

from __future__ import annotations

import re
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, event, text

from control_plane.adapters import kubernetes_api
from control_plane.adapters.helm_records import HelmRecords
from control_plane.adapters.kubernetes_examination import KubernetesExamination
from control_plane.adapters.postgres_database import Database
from control_plane.adapters.postgres_examination import PAGE, READ_ONLY, PostgresExamination
from control_plane.domain.errors import DatabaseUnavailableError, MisconfiguredError
from control_plane.domain.invariants import catalogue
from control_plane.domain.invariants.evidence import InCell, Policy, Stray
from control_plane.domain.invariants.histories import judge_attempts, judge_steps
from control_plane.domain.invariants.isolation import ACCESS, POLICIES
from control_plane.domain.invariants.limits import Limits
from control_plane.domain.invariants.platforms import judge_ledger
from control_plane.domain.invariants.rows import judge_row
from control_plane.domain.invariants.stores import CLAIMS
from control_plane.domain.rollout import COMPONENTS, Verdict
from control_plane.domain.store import Actor, Store, StoreState
from control_plane.ports.examination import Passes
from control_plane.ports.fleet import Watermark
from control_plane.use_cases.look import Look, Seen
from dev.cluster.cluster import Cluster as LocalCluster
from dev.machine.place import CHECKOUT
from tests.adapters.backends import PostgresBackend, judged
from tests.adapters.test_cell import Real, install
from tests.builders import ACTOR, CELL, CUSTOMER, PLANS, STANDARD, a_new_store, a_store
from tests.fakes.examination import FakeCellExamination

LIMITS = Limits()
WORKER = Actor("provision", "message 1")
PASS = Actor("reconcile", "request 1")
_S = StoreState


class Examined:
    """A real database as an operator reads it, and hands to work and to break things."""

    def __init__(self, backend: PostgresBackend) -> None:
        self.backend = backend
        # The operator's own login: a missing right to read is found here.
        backend.functions["reader"] = Database(
            str(backend.functions["operator"]._engine.url.render_as_string(hide_password=False)),
            connections=1,
            parameters=READ_ONLY,
        )
        self.database = self.of_cell(CELL)

    def of_cell(self, name: str) -> PostgresExamination:
        """What the doctor of a cell reads."""
        return PostgresExamination(
            self.backend.functions["reader"],
            name,
            waiting=LIMITS.waiting,
            deliveries=LIMITS.deliveries,
            announcements=LIMITS.announcements,
        )

    def ready(self) -> Store:
        """A store that came to READY through the ports."""
        backend = self.backend
        store = backend.stores.add(a_new_store(), None, ACTOR).store
        leased = backend.work.take(store.id, seconds=30.0)
        assert leased
        backend.work.begin(leased, WORKER)
        backend.work.record_credentials(leased, "u1")
        backend.work.record_release(
            leased, revision=1, digest="d1", chart_version="1", made_with="p1", deadline=900.0, actor=WORKER
        )
        backend.work.finish(leased, seconds=30.0)
        arrived = Verdict(store.id, 1, _S.PROVISIONING, _S.READY, None)
        assert judged(backend, [arrived], PASS) == 1
        return backend.stores.get(CUSTOMER, store.id)

    def failed(self) -> Store:
        """A store that provision gave up."""
        store = self.backend.stores.add(a_new_store(), None, ACTOR).store
        leased = self.backend.work.take(store.id, seconds=30.0)
        assert leased
        self.backend.work.begin(leased, WORKER)
        self.backend.work.fail(leased, "quota exceeded", Actor("provision", f"message {store.id}"))
        self.backend.work.finish(leased, seconds=30.0)
        return store

    def sql(self, statement: str, **parameters: Any) -> None:
        """One statement that no trigger sees."""
        self.backend.back_door.run(statement, **parameters)

    def broken(self, ids: Sequence[UUID] | None = None) -> set[str]:
        """The invariants that do not hold, by the database alone."""
        found = [*judge_ledger(self.database.ledger(ids, []), LIMITS)]
        for page in self.database.rows(ids):
            found += [each for row in page for each in judge_row(row, LIMITS)]
            found += judge_steps(self.database.steps([row.id for row in page]))
            found += judge_attempts(self.database.attempts([row.id for row in page]))
        return {each.invariant for each in found}


@pytest.fixture
def examined(real: PostgresBackend) -> Examined:
    return Examined(real)


def test_what_another_cells_store_waits_for_is_told_by_the_doctor_of_that_one(examined: Examined) -> None:
    store = examined.backend.stores.add(a_new_store(cell="other"), None, ACTOR).store
    examined.sql(
        "INSERT INTO dead_letters (source, message_id, body, store_id, kind, reason, deliveries)"
        " VALUES ('store-intents', '1', '', :s, 'undeliverable', 'r', 1000)",
        s=store.id,
    )
    examined.backend.later(LIMITS.waiting + 60)
    ours, theirs = examined.database, examined.of_cell("other")
    for database, told in ((ours, []), (theirs, [store.id])):
        for ids in (None, [store.id]):
            ledger = database.ledger(ids, [])
            assert [each.store_id for each in ledger.announcements] == told
            assert [each.store_id for each in ledger.letters] == told
        assert [row.id for page in database.rows(None) for row in page] == told
        ((row,),) = database.rows([store.id])
        assert row.here is bool(told)


class TestRows:
    def test_a_row_is_read_with_all_that_other_tables_say_of_it(self, examined: Examined) -> None:
        store = examined.ready()
        ((row,),) = examined.database.rows(None)
        assert (row.id, row.state, row.generation, row.applied_generation, row.observed_generation) == (
            store.id, _S.READY, 1, 1, 1,
        )  # fmt: skip
        assert (row.release_revision, row.release_digest, row.credentials_uid) == (1, "d1", "u1")
        assert (row.lease_token, row.newest_attempt, row.freed, row.letters) == (1, 1, 0, 0)
        assert row.handed_over == 1
        assert row.entry
        assert (row.entry.action, row.entry.to_state, row.entry.generation) == ("observed", _S.READY, 1)
        assert not row.entry.leased

    def test_what_is_held_or_not_due_has_no_idle_time(self, examined: Examined) -> None:
        store = examined.backend.stores.add(a_new_store(), None, ACTOR).store
        ((queued,),) = examined.database.rows([store.id])
        assert queued.idle < 0  # announced a moment ago
        examined.backend.later(100)
        ((due,),) = examined.database.rows([store.id])
        assert 60 < due.idle < 100
        examined.backend.work.take(store.id, seconds=30.0)
        ((held,),) = examined.database.rows([store.id])
        assert held.idle < 0

    def test_pages_come_in_order_of_id_and_each_row_once(self, examined: Examined) -> None:
        fill(examined, PAGE + 20)
        pages = list(examined.database.rows(None))
        ids = [row.id for page in pages for row in page]
        assert [len(page) for page in pages] == [PAGE, 20]
        assert ids == sorted(set(ids))

    def test_of_all_only_this_cells_by_id_any(self, examined: Examined) -> None:
        other = examined.backend.stores.add(a_new_store(cell="other"), None, ACTOR).store
        assert list(examined.database.rows(None)) == []
        ((row,),) = examined.database.rows([other.id, uuid4()])
        assert row.id == other.id


class TestHistories:
    def test_long_ones_are_a_few_kinds_of_steps(self, examined: Examined) -> None:
        stores = [examined.ready() for _ in range(3)]
        for store in stores:
            for _ in range(20):
                judged(examined.backend, [Verdict(store.id, 1, _S.READY, _S.DEGRADED, "bad")], PASS)
                judged(examined.backend, [Verdict(store.id, 1, _S.DEGRADED, _S.READY, None)], PASS)
        steps = examined.database.steps([store.id for store in stores])
        assert len(steps) <= 8
        back_and_forth = [each.count for each in steps if each.from_state is _S.DEGRADED]
        assert back_and_forth == [60]
        assert all(set(each.stores) == {store.id for store in stores} for each in steps)


def test_whatever_came_through_the_ports_holds(examined: Examined) -> None:
    examined.ready()
    examined.failed()
    examined.backend.stores.add(a_new_store(), None, ACTOR)
    gone = examined.ready()
    examined.backend.stores.remove(CUSTOMER, gone.id, ACTOR)
    leased = examined.backend.work.take(gone.id, seconds=30.0)
    assert leased
    examined.backend.work.record_removal(leased, WORKER)
    examined.backend.work.finish(leased, seconds=30.0)
    judged(examined.backend, [Verdict(gone.id, 2, _S.DELETING, _S.DELETED, None)], PASS)
    assert examined.broken() == set()


Breaking = Callable[[Examined, Store], None]


def an_audit_entry(examined: Examined, store: Store, **columns: Any) -> None:
    values = {
        "store_id": store.id, "actor": "somebody", "cause": "hand", "action": "observed",
        "from_state": "READY", "to_state": "READY", "generation": 1, **columns,
    }  # fmt: skip
    names, places = ", ".join(values), ", ".join(f":{each}" for each in values)
    examined.sql(f"INSERT INTO audit ({names}) VALUES ({places})", **values)  # noqa: S608 - constants


BREAKINGS: dict[str, list[Breaking]] = {
    catalogue.ACCEPTED_IS_RECORDED: [
        lambda it, store: it.sql(
            "INSERT INTO idempotency_keys VALUES (:c, 'k', 'd', :s)", c=CUSTOMER, s=uuid4()
        ),
        lambda it, store: it.sql(
            "INSERT INTO outbox (id, store_id, generation) VALUES (gen_random_uuid(), :s, 1)", s=uuid4()
        ),
        lambda it, store: it.sql(
            "INSERT INTO dead_letters (source, message_id, body, store_id, generation, kind, reason)"
            " VALUES ('store-intents', '1', '', :s, 1, 'unknown-store', 'r')", s=uuid4()
        ),
        lambda it, store: an_audit_entry(it, store, store_id=uuid4()),
    ],
    catalogue.ANNOUNCED_WITH_ITS_INTENT: [
        lambda it, store: it.sql("UPDATE outbox SET transaction = '1' WHERE store_id = :s", s=store.id),
        lambda it, store: it.sql("DELETE FROM outbox WHERE store_id = :s", s=store.id),
    ],
    catalogue.NOTHING_WAITS_FOR_EVER: [
        lambda it, store: it.sql(
            "UPDATE outbox SET created_at = created_at - interval '1 hour' WHERE store_id = :s", s=store.id
        ),
        lambda it, store: it.sql("UPDATE cells SET seen_at = clock_timestamp() - interval '1 hour'"),
    ],
    catalogue.ONE_WORKER_AT_A_TIME: [
        lambda it, store: it.sql(
            "UPDATE attempts SET free_since = began_at + interval '1 second' WHERE store_id = :s", s=store.id
        ),
        lambda it, store: it.sql("UPDATE stores SET lease_token = 2 WHERE id = :s", s=store.id),
        lambda it, store: it.sql(
            "UPDATE audit SET lease_token = NULL WHERE store_id = :s AND action = 'begun'", s=store.id
        ),
        lambda it, store: an_audit_entry(it, store, lease_token=0),
        lambda it, store: it.sql(
            "WITH skipped AS (UPDATE stores SET lease_token = 3 WHERE id = :s)"
            "INSERT INTO attempts (store_id, lease_token, holder, generation) VALUES (:s, 3, 'h', 1)",
            s=store.id,
        ),
    ],
    catalogue.ONLY_ALLOWED_MOVES: [
        lambda it, store: an_audit_entry(it, store, from_state="DEGRADED"),
        lambda it, store: it.sql("DELETE FROM audit WHERE store_id = :s AND action = 'begun'", s=store.id),
    ],
    catalogue.ROW_MATCHES_AUDIT: [
        lambda it, store: it.backend.put(store.id, state=_S.SUSPENDED),
        lambda it, store: it.backend.put(store.id, applied_generation=0, observed_generation=0),
    ],
    catalogue.FAILED_SAYS_WHY: [
        lambda it, store: it.sql(
            "WITH told AS (UPDATE stores SET state = 'DEGRADED', reason = '' WHERE id = :s)"
            "INSERT INTO audit (store_id, actor, cause, action, from_state, to_state, generation)"
            " VALUES (:s, 'reconcile', 'c', 'observed', 'READY', 'DEGRADED', 1)", s=store.id
        ),
    ],
    catalogue.EVERY_FAILURE_IS_VISIBLE: [
        lambda it, store: it.sql("DELETE FROM dead_letters WHERE store_id = :s", s=it.failed().id),
    ],
    catalogue.POISON_IS_PARKED: [
        lambda it, store: it.sql(
            "UPDATE dead_letters SET deliveries = 11 WHERE store_id = :s", s=it.failed().id
        ),
        lambda it, store: it.sql(
            "INSERT INTO outbox (id, store_id, generation, published_at)"
            " SELECT gen_random_uuid(), :s, 1, clock_timestamp() FROM generate_series(1, 1001)", s=store.id
        ),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("invariant", "number"), [(name, at) for name, each in BREAKINGS.items() for at in range(len(each))]
)
def test_what_is_broken_by_hand_is_named_and_nothing_else(
    examined: Examined, invariant: str, number: int
) -> None:
    store, neighbour = examined.ready(), examined.ready()
    assert examined.broken() == set()
    BREAKINGS[invariant][number](examined, store)
    assert examined.broken() == {invariant}
    about_the_neighbour = examined.broken([neighbour.id])
    assert about_the_neighbour <= {catalogue.NOTHING_WAITS_FOR_EVER}  # the cell is everybody's


def test_an_orphan_on_record_is_not_lost_and_neither_is_an_announcement_of_one(examined: Examined) -> None:
    lease = examined.backend.fleet.begin_pass(CELL, seconds=30.0, full_every=600.0)
    assert lease
    examined.backend.orphan_records.record(lease, [uuid4()], deleted_for=60.0)
    assert examined.broken() == set()
    examined.backend.orphan_records.record(lease, [], deleted_for=60.0)  # forgotten
    assert examined.broken() == set()


def test_passes_are_told_apart(examined: Examined) -> None:
    backend = examined.backend
    before = examined.database.passes()
    lease = backend.fleet.begin_pass(CELL, seconds=30.0, full_every=600.0)
    assert lease
    during = examined.database.passes()
    assert (during.token, during.running) == (before.token + 1, True)
    assert not during.whole_pass_since(before)
    backend.fleet.end_pass(lease, Watermark({"deployments": "1"}))
    ended = examined.database.passes()
    assert ended.whole_pass_since(before)
    assert not ended.whole_pass_since(during)
    running = Passes(ended.token + 1, True, ended.seen_at)
    assert not running.whole_pass_since(ended)
    assert not running.whole_pass_since(during)  # what has ended since had begun before


def test_it_cannot_write_and_cannot_hold_the_database_up(examined: Examined) -> None:
    reader = examined.backend.functions["reader"]
    settings = {
        name: reader.one(text(f"SHOW {name}"), {})[name]  # type: ignore[index]
        for name in ("default_transaction_read_only", "statement_timeout")
    }
    assert settings == {"default_transaction_read_only": "on", "statement_timeout": "20s"}
    slow = Database(str(reader._engine.url.render_as_string(hide_password=False)), connections=1,
                    parameters={**READ_ONLY, "statement_timeout": "1"})  # fmt: skip
    with pytest.raises(DatabaseUnavailableError):
        slow.rows(text("SELECT pg_sleep(5)"), {})
    slow._engine.dispose()


def test_a_role_that_may_not_read_is_told_so(examined: Examined) -> None:
    stranger = PostgresExamination(
        examined.backend.functions["create_store"], CELL, waiting=1.0, deliveries=1, announcements=1
    )
    with pytest.raises(MisconfiguredError, match="42501"):
        stranger.ledger(None, [])
    with pytest.raises(LookupError):
        PostgresExamination(
            examined.backend.functions["reader"], "no-cell", waiting=1.0, deliveries=1, announcements=1
        ).ledger(None, [])


def test_ten_thousand_stores_are_read_in_pages_and_nothing_is_kept_of_them(examined: Examined) -> None:
    counts: list[int] = []

    def note(_connection: object, cursor: Any, *_: object) -> None:
        counts.append(cursor.rowcount)

    def look() -> Seen:
        return Look(examined.database, FakeCellExamination(), LIMITS, PLANS)(None, [])

    fill(examined, 1_000)
    look()  # once, for what is made once
    few, _ = peak(look)
    fill(examined, 9_000, first=1_001)
    event.listen(Engine, "after_cursor_execute", note)
    try:
        many, seen = peak(look)
    finally:
        event.remove(Engine, "after_cursor_execute", note)
    assert seen.stores == 10_000
    assert {each.invariant for each in seen.found.values()} == set()
    assert len(counts) <= 3 * (10_000 // PAGE) + 10, counts
    assert max(counts) <= PAGE
    assert many < 1.5 * few, (few, many)


def peak(work: Callable[[], Seen]) -> tuple[int, Seen]:
    """The most memory in use at once, in bytes, and what the work came to."""
    tracemalloc.start()
    try:
        result = work()
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


def fill(examined: Examined, count: int, *, first: int = 1) -> None:
    """Stores that failed long ago, with a history each, by SQL alone."""
    numbers = {"first": first, "last": first + count - 1}
    examined.sql(
        "INSERT INTO stores (id, customer_id, name, title, admin_email, plan, cell, hostname, state, reason)"
        " SELECT CAST(lpad(to_hex(n), 32, '0') AS uuid), gen_random_uuid(), 'shop-' || n, 't', 'e',"
        " 'standard', cells.id, 'host-' || n, 'FAILED', 'refused'"
        " FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS s (n), cells"
        " WHERE cells.name = :cell",
        **numbers,
        cell=CELL,
    )
    examined.sql(
        "INSERT INTO audit (store_id, actor, cause, action, from_state, to_state, generation, reason, at)"
        " SELECT CAST(lpad(to_hex(n), 32, '0') AS uuid), 'tester', 'hand', 'observed', from_state,"
        " to_state, 1, 'refused', clock_timestamp() - interval '30 days'"
        " FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS s (n),"
        " (VALUES (1, NULL, 'QUEUED'), (2, 'QUEUED', 'PROVISIONING'), (3, 'PROVISIONING', 'FAILED'))"
        " AS h (step, from_state, to_state) ORDER BY n, step",
        **numbers,
    )
    examined.sql("ANALYZE")


@pytest.fixture
def cell(cluster: LocalCluster) -> Real:
    return Real(str(cluster.kubeconfig), str(cluster.helm))


def a_shop() -> Store:
    store_id = uuid4()
    return a_store(id=store_id, hostname=f"pottery-{store_id.hex[:4]}.localhost:8088")


def rolled_out(examination: KubernetesExamination, store: Store) -> InCell:
    """What is seen of the store once its pods are ready."""
    give_up = time.monotonic() + 60
    while True:
        (seen,) = examination.stores([store.id])
        assert isinstance(seen, InCell)
        if all(each.rolled_out for each in seen.workloads.values()):
            return seen
        assert time.monotonic() < give_up, seen
        time.sleep(0.2)


def test_a_store_in_a_real_cell_is_seen_with_all_it_has(cell: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    store, examination = a_shop(), KubernetesExamination(cell.api)
    install(cell, store)
    seen = rolled_out(examination, store)
    assert seen.namespace
    assert (seen.namespace.store_label, seen.namespace.terminating, seen.namespace.quarantined) == (
        str(store.id), False, False,
    )  # fmt: skip
    assert seen.namespace.pod_security == dict.fromkeys(("enforce", "warn", "audit"), "restricted")
    assert {name: each.generation for name, each in seen.workloads.items()} == dict.fromkeys(COMPONENTS, 1)
    (record,) = seen.records
    assert (record.release, record.revision, record.status, record.digest, record.marked) == (
        store.namespace, 1, "deployed", "d1", False,
    )  # fmt: skip
    assert seen.claims == CLAIMS
    assert seen.quota
    assert (dict(seen.quota.hard), seen.quota.in_force, seen.closed) == (dict(STANDARD.quota), True, True)
    assert list(seen.bindings) == [ACCESS]
    assert seen.credentials
    assert seen.credentials.immutable

    neighbours = [a_shop() for _ in range(3)]
    for each in neighbours:
        cell.cluster.ensure_namespace(each, cell.lease(each))
    monkeypatch.setattr(kubernetes_api, "_PAGE", 2)  # streams of many pages, side by side
    everything = {each.store_id: each for each in examination.stores(None) if isinstance(each, InCell)}
    assert list(everything) == sorted(everything)
    assert everything[store.id] == seen
    assert {each.id for each in neighbours} <= everything.keys()


def test_what_is_gone_is_left_out(cell: Real) -> None:
    assert list(KubernetesExamination(cell.api).stores([uuid4()])) == []


def test_passwords_that_could_be_changed_are_seen_to_be(cell: Real) -> None:
    store = a_shop()
    cell.cluster.ensure_namespace(store, cell.lease(store))
    path = f"/api/v1/namespaces/{store.namespace}/secrets"
    labels = {"urumi.dev/store": str(store.id)}
    cell.api.create(path, {"metadata": {"name": "store-credentials-1", "labels": labels}})
    (seen,) = KubernetesExamination(cell.api).stores([store.id])
    assert isinstance(seen, InCell)
    assert seen.credentials
    assert not seen.credentials.immutable


@pytest.mark.parametrize("by_us", [True, False])
def test_who_marked_a_record_as_failed_is_read_in_it(cell: Real, by_us: bool) -> None:
    store = a_shop()
    install(cell, store)
    path = f"/api/v1/namespaces/{store.namespace}/secrets/sh.helm.release.v1.{store.namespace}.v1"
    record = cell.api.get(path)
    assert record
    if by_us:
        HelmRecords(cell.api).mark_failed(store.namespace, not_after=float("inf"))
    else:
        record["metadata"]["labels"]["status"] = "failed"
        cell.api.replace(path, record)
    (seen,) = KubernetesExamination(cell.api).stores([store.id])
    assert isinstance(seen, InCell)
    assert [(each.status, each.marked) for each in seen.records] == [("failed", by_us)]


@pytest.mark.parametrize("ask_for_all", [True, False])
def test_strays_are_found_wherever_they_are(cell: Real, ask_for_all: bool) -> None:
    store, place = a_shop(), f"elsewhere-{uuid4().hex[:8]}"
    labels = {"urumi.dev/store": str(store.id)}
    cell.api.create("/api/v1/namespaces", {"metadata": {"name": place, "labels": labels}})
    record = {"owner": "helm", "name": store.namespace, "version": "1", "status": "deployed"}
    secret = {"metadata": {"name": f"sh.helm.release.v1.{store.namespace}.v1", "labels": record}}
    cell.api.create(f"/api/v1/namespaces/{place}/secrets", secret)
    found = KubernetesExamination(cell.api).stores(None if ask_for_all else [store.id])
    assert {each for each in found if isinstance(each, Stray) and each.store_id == store.id} == {
        Stray(store.id, f"namespace {place} labelled as store {store.id}", False),
        Stray(store.id, f"release {store.namespace} in namespace {place}", True),
    }


def test_the_policy_that_closes_must_close_all_and_both_ways(cell: Real) -> None:
    store = a_shop()
    cell.cluster.ensure_namespace(store, cell.lease(store))
    path = f"/apis/networking.k8s.io/v1/namespaces/{store.namespace}/networkpolicies"
    labels = {"urumi.dev/store": str(store.id), "app.kubernetes.io/component": "network"}
    sound = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    policy = {"metadata": {"name": "default-deny", "labels": labels}, "spec": sound}

    def closed(spec: Any) -> bool:
        made = cell.api.create(path, {**policy, "spec": spec})
        (seen,) = KubernetesExamination(cell.api).stores([store.id])
        cell.api.delete(f"{path}/{made['metadata']['name']}")
        assert isinstance(seen, InCell)
        return seen.closed

    assert closed(sound)
    assert not closed({**sound, "policyTypes": ["Ingress"]})
    assert not closed({**sound, "podSelector": {"matchLabels": {"a": "b"}}})
    assert not closed({**sound, "egress": [{}]})
    assert not closed({**sound, "ingress": [{}]})


def test_policies_are_seen_as_far_as_they_can_be_enforced(cell: Real) -> None:
    base = "/apis/admissionregistration.k8s.io/v1"
    name = f"urumi-test-{uuid4().hex[:8]}"
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["endpoints"]}]
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": rules},
        "validations": [{"expression": "true"}],
    }
    binding = {
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }

    def seen() -> Policy:
        (found,) = [each for each in KubernetesExamination(cell.api).policies() if each.name == name]
        return found

    policies, bindings = f"{base}/validatingadmissionpolicies", f"{base}/validatingadmissionpolicybindings"
    cell.api.create(policies, {"metadata": {"name": name}, "spec": spec})
    try:
        assert seen() == Policy(name, fails_closed=True, denies=False, validations=1)
        cell.api.create(bindings, binding)
        assert seen() == Policy(name, fails_closed=True, denies=True, validations=1)
        cell.api.delete(f"{bindings}/{name}")
        cell.api.create(bindings, {**binding, "spec": {**binding["spec"], "validationActions": ["Audit"]}})
        assert not seen().denies
        cell.api.delete(f"{bindings}/{name}")
        narrowed = {"namespaceSelector": {"matchLabels": {"a": "b"}}}
        cell.api.create(bindings, {**binding, "spec": {**binding["spec"], "matchResources": narrowed}})
        assert not seen().denies
        found = cell.api.get(f"{policies}/{name}")
        assert found
        found["spec"]["failurePolicy"] = "Ignore"
        cell.api.replace(f"{policies}/{name}", found)
        assert not seen().fails_closed
    finally:
        cell.api.delete(f"{bindings}/{name}")
        cell.api.delete(f"{policies}/{name}")


def test_the_policies_that_are_looked_for_are_those_of_the_platform_chart() -> None:
    folder = CHECKOUT / "platform" / "templates" / "policies"
    named = {
        name
        for file in folder.glob("*.yaml")
        for name in re.findall(r"kind: ValidatingAdmissionPolicy\nmetadata:\n  name: (\S+)", file.read_text())
    }
    assert named == set(POLICIES)
