"""The doctor on the whole chain: silent where nothing is wrong, and right about what is."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from control_plane.adapters.helm_records import HelmRecords
from control_plane.domain.invariants import catalogue
from control_plane.domain.invariants.catalogue import INVARIANTS
from dev.machine import database
from dev.machine.place import CHECKOUT
from tests.cluster.conftest import a_world
from tests.cluster.world import World
from tests.faults.hands import rest


@dataclass
class Clinic:
    """A platform of this file's own, because the doctor looks at all of one, and hands to break it."""

    world: World

    def urumi(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command, as an operator gives it."""
        return subprocess.run(
            [CHECKOUT / ".venv" / "bin" / "urumi", *words],
            env={**os.environ, "URUMI_HOME": str(self.world.place.root), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )

    def doctor(self, patience: int = 30, **environment: str) -> tuple[int, dict[str, Any]]:
        """Exit code and report."""
        done = self.urumi("doctor", "--json", "--patience", str(patience), **environment)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def named(self, store_id: str) -> set[str]:
        """What does not hold of this store."""
        return set(self.world.examine([store_id]).by_store.get(UUID(store_id), ()))

    def sql(self, statement: str, **parameters: Any) -> None:
        """One statement that no trigger sees."""
        with closing(database.connect(self.world.values["DATABASE_URL"])) as connection:
            connection.run("SET session_replication_role = replica")
            connection.run(statement, **parameters)

    def api(self, store_id: str, kind: str) -> str:
        """The path of a kind of objects in the store's namespace."""
        group, _, plural = kind.rpartition("/")
        return f"/{group or 'api/v1'}/namespaces/store-{store_id}/{plural}"

    def change(self, path: str, edit: Callable[[dict[str, Any]], object]) -> None:
        """Change an object as the cluster's admin."""
        found = self.world.cluster.get(path)
        assert found, path
        edit(found)
        del found["metadata"]["resourceVersion"]  # a controller may write its status meanwhile
        self.world.cluster.replace(path, found)

    def delete(self, path: str) -> None:
        """Delete an object as the cluster's admin, and wait until it is gone."""
        self.world.cluster.delete(path)
        wait_until(lambda: self.world.cluster.get(path) is None)


def wait_until(happens: Callable[[], bool], seconds: float = 60) -> None:
    give_up = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < give_up, "it never happens"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def clinic() -> Iterator[Clinic]:
    with a_world() as world:
        yield Clinic(world)


@pytest.fixture(scope="module")
def failed(clinic: Clinic) -> str:
    """A store that provision has given up."""
    rest(clinic.world)
    store_id = clinic.world.create()
    clinic.sql("UPDATE stores SET hostname = 'NO HOST NAME' WHERE id = :id", id=store_id)
    clinic.world.up()
    assert clinic.world.settle([store_id]) == {"FAILED": 1}
    return store_id


@pytest.fixture(scope="module")
def deleted(clinic: Clinic) -> str:
    """A store that was READY, and is gone."""
    store_id = clinic.world.create()
    clinic.world.settle([store_id])
    clinic.world.purge(store_id)
    wait_until(lambda: clinic.world.states([store_id]) == {"DELETED": 1})
    return store_id


def verdicts(report: Mapping[str, Any]) -> dict[str, str]:
    return {each["name"]: each["verdict"] for each in report["invariants"]}


def test_all_invariants_hold_of_stores_in_every_state(clinic: Clinic, failed: str, deleted: str) -> None:
    ready = clinic.world.create_many(3)
    clinic.world.settle(ready)
    on_its_way = clinic.world.create()
    code, report = clinic.doctor()
    assert verdicts(report) == dict.fromkeys(INVARIANTS, "holds"), report
    assert code == 0
    assert report["holds"]
    assert report["stores"] >= 6
    assert report["not_looked_at"] == []
    assert report["attention"] == [
        "1 dead letters of the kind refused wait for an answer: `urumi queue list`"
    ]
    assert clinic.world.examine(accepted=[*ready, on_its_way, failed, deleted]).violated == set()


def test_nothing_is_named_while_stores_come_and_go(clinic: Clinic) -> None:
    stop = threading.Event()
    gone: list[str] = []

    def traffic() -> None:
        live: list[str] = []
        while not stop.wait(1.0):
            live.append(clinic.world.create())
            if len(live) > 2:
                gone.append(live.pop(0))
                clinic.world.purge(gone[-1])

    customers = [threading.Thread(target=traffic) for _ in range(2)]
    for each in customers:
        each.start()
    try:
        reports = [clinic.doctor()[1] for _ in range(5)]
    finally:
        stop.set()
        for each in customers:
            each.join()
    assert len(gone) >= 3
    for report in reports:
        violated = [each for each in report["invariants"] if each["verdict"] == "violated"]
        assert not violated
    wait_until(lambda: set(clinic.world.states(gone)) == {"DELETED"}, seconds=120)


class TestOrphans:
    @pytest.fixture
    def orphan(self, clinic: Clinic) -> str:
        """A namespace whose store the database never knew, found by a pass and labelled by provision."""
        store_id = str(uuid4())
        labels = {"urumi.dev/store": store_id, "urumi.dev/customer": str(uuid4())}
        namespace = {"metadata": {"name": f"store-{store_id}", "labels": labels}}
        clinic.world.cluster.create("/api/v1/namespaces", namespace)
        a_full_pass(clinic)
        wait_until(lambda: self.known(clinic).get(store_id, {}).get("quarantined_at") is not None)
        return store_id

    def known(self, clinic: Clinic) -> dict[str, dict[str, Any]]:
        """What is on record, by id."""
        rows = clinic.world.sql("SELECT * FROM orphans")
        return {str(row["store_id"]): dict(row) for row in rows}

    def test_one_is_labelled_told_and_removed_when_asked(self, clinic: Clinic, orphan: str) -> None:
        path = f"/api/v1/namespaces/store-{orphan}"
        labelled = clinic.world.cluster.get(path)
        assert labelled
        assert labelled["metadata"]["labels"]["urumi.dev/quarantined"] == "true"
        assert clinic.named(orphan) == {catalogue.NO_ORPHANS}
        listed = json.loads(clinic.urumi("orphans", "list", "--json").stdout)
        assert orphan in {each["store_id"] for each in listed["orphans"]}

        asked = clinic.urumi("orphans", "remove", f"store-{orphan}", "--reason", "a drill", "--as", "me")
        assert asked.returncode == 0, asked.stderr
        wait_until(lambda: clinic.world.cluster.get(path) is None)
        told = clinic.world.sql(
            "SELECT operator, action, reason FROM operations WHERE subject = :s", s=f"store-{orphan}"
        )
        assert [tuple(each.values()) for each in told] == [("me", "orphan removed", "a drill")]
        a_full_pass(clinic)
        wait_until(lambda: orphan not in self.known(clinic))
        letters = clinic.world.sql("SELECT * FROM dead_letters WHERE store_id = :id", id=orphan)
        assert not letters

    def test_a_store_is_not_removed(self, clinic: Clinic) -> None:
        store_id = clinic.world.create()
        clinic.world.settle([store_id])
        refused = clinic.urumi("orphans", "remove", store_id)
        assert refused.returncode == 1
        assert "is a store's, which is READY" in refused.stderr
        nobody = clinic.urumi("orphans", "remove", str(uuid4()))
        assert nobody.returncode == 1
        assert "no orphan" in nobody.stderr
        assert clinic.urumi("orphans", "remove", "kube-system").returncode == 2
        assert clinic.world.states([store_id]) == {"READY": 1}


def a_full_pass(clinic: Clinic) -> None:
    """Have the next pass look at everything."""
    clinic.world.sql("UPDATE cells SET full_pass_at = NULL")
    wait_until(
        lambda: (
            clinic.world.sql("SELECT full_pass_at FROM cells WHERE name = 'local'")[0]["full_pass_at"]
            is not None
        )
    )


@pytest.fixture(scope="module")
def patients(clinic: Clinic) -> Iterator[Iterator[str]]:
    """READY stores to be broken, one after the other, while nobody heals them."""
    ids = clinic.world.create_many(len(BREAKINGS) + 1)
    clinic.world.settle(ids)
    rest(clinic.world)
    yield iter(ids)
    clinic.world.up()


def lose_quota(it: Clinic, store_id: str) -> None:
    it.delete(it.api(store_id, "resourcequotas") + "/plan")


def widen_quota(it: Clinic, store_id: str) -> None:
    it.change(
        it.api(store_id, "resourcequotas") + "/plan", lambda quota: quota["spec"]["hard"].update(pods="99")
    )


def open_namespace(it: Clinic, store_id: str) -> None:
    it.delete(it.api(store_id, "apis/networking.k8s.io/v1/networkpolicies") + "/default-deny")


def loosen_pod_security(it: Clinic, store_id: str) -> None:
    loose = {"pod-security.kubernetes.io/enforce": "privileged"}
    it.change(f"/api/v1/namespaces/store-{store_id}", lambda each: each["metadata"]["labels"].update(loose))


def give_rights(it: Clinic, store_id: str) -> None:
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    friend = {"kind": "User", "name": "friend", "apiGroup": "rbac.authorization.k8s.io"}
    binding = {"metadata": {"name": "friend"}, "roleRef": role, "subjects": [friend]}
    it.world.cluster.create(it.api(store_id, "apis/rbac.authorization.k8s.io/v1/rolebindings"), binding)


def lose_record(it: Clinic, store_id: str) -> None:
    it.delete(it.api(store_id, "secrets") + f"/sh.helm.release.v1.store-{store_id}.v1")


def second_release(it: Clinic, store_id: str) -> None:
    labels = {"owner": "helm", "name": "another", "version": "1", "status": "deployed"}
    secret = {"metadata": {"name": "sh.helm.release.v1.another.v1", "labels": labels}}
    it.world.cluster.create(it.api(store_id, "secrets"), secret)


def release_elsewhere(it: Clinic, store_id: str) -> None:
    labels = {"owner": "helm", "name": f"store-{store_id}", "version": "1", "status": "deployed"}
    secret = {"metadata": {"name": f"sh.helm.release.v1.store-{store_id}.v1", "labels": labels}}
    it.world.cluster.create("/api/v1/namespaces/default/secrets", secret)


def relabel(it: Clinic, store_id: str) -> None:
    it.change(
        f"/api/v1/namespaces/store-{store_id}",
        lambda each: each["metadata"]["labels"].update({"urumi.dev/store": str(uuid4())}),
    )


def another_claim(it: Clinic, store_id: str) -> None:
    path = it.api(store_id, "persistentvolumeclaims")
    lose_quota(it, store_id)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    it.world.cluster.create(path, {"metadata": {"name": "a-second-database"}, "spec": spec})


def change_digest(it: Clinic, store_id: str) -> None:
    record = it.api(store_id, "secrets") + f"/sh.helm.release.v1.store-{store_id}.v1"
    it.change(record, lambda each: each["metadata"]["labels"].update({"urumi.dev/digest": "0" * 32}))


def another_generation(it: Clinic, store_id: str) -> None:
    it.change(
        it.api(store_id, "apis/apps/v1/deployments") + "/storefront",
        lambda each: each["metadata"]["annotations"].update({"urumi.dev/generation": "7"}),
    )


def lose_workload(it: Clinic, store_id: str) -> None:
    it.delete(it.api(store_id, "apis/apps/v1/statefulsets") + "/database")


def other_passwords(it: Clinic, store_id: str) -> None:
    path = it.api(store_id, "secrets")
    found = it.world.cluster.get(f"{path}/store-credentials-1")
    assert found
    it.delete(f"{path}/store-credentials-1")
    labels = found["metadata"]["labels"]
    copy = {"name": "store-credentials-1", "labels": labels}
    it.world.cluster.create(path, {"metadata": copy, "data": found["data"], "immutable": True})


def lose_namespace(it: Clinic, store_id: str) -> None:
    it.delete(f"/api/v1/namespaces/store-{store_id}")


def free_by_hand(it: Clinic, store_id: str) -> None:
    HelmRecords(it.world.cluster).mark_failed(f"store-{store_id}", not_after=float("inf"))


def change_row(it: Clinic, store_id: str) -> None:
    it.sql("UPDATE stores SET state = 'SUSPENDED' WHERE id = :id", id=store_id)


def older_observation(it: Clinic, store_id: str) -> None:
    it.sql("UPDATE stores SET observed_generation = 0 WHERE id = :id", id=store_id)


def out_of_order(it: Clinic, store_id: str) -> None:
    it.sql(
        "INSERT INTO audit (store_id, actor, cause, action, from_state, to_state, generation)"
        " VALUES (:id, 'somebody', 'hand', 'observed', 'DEGRADED', 'READY', 1)",
        id=store_id,
    )


def fenced_off(it: Clinic, store_id: str) -> None:
    it.sql(
        "INSERT INTO audit (store_id, actor, cause, action, from_state, to_state, generation, lease_token)"
        " VALUES (:id, 'provision', 'hand', 'postponed', 'READY', 'READY', 1, 0)",
        id=store_id,
    )


def forget_announcement(it: Clinic, store_id: str) -> None:
    it.sql("DELETE FROM outbox WHERE store_id = :id", id=store_id)


def announce_late(it: Clinic, store_id: str) -> None:
    it.sql(
        "UPDATE outbox SET published_at = NULL, created_at = created_at - interval '1 hour'"
        " WHERE store_id = :id",
        id=store_id,
    )


def degrade_without_reason(it: Clinic, store_id: str) -> None:
    it.sql(
        "WITH told AS (UPDATE stores SET state = 'DEGRADED', reason = '' WHERE id = :id)"
        " INSERT INTO audit (store_id, actor, cause, action, from_state, to_state, generation)"
        " VALUES (:id, 'reconcile', 'hand', 'observed', 'READY', 'DEGRADED', 1)",
        id=store_id,
    )


BREAKINGS: list[tuple[Callable[[Clinic, str], None], set[str]]] = [
    (lose_quota, {catalogue.ISOLATION_STANDS}),
    (widen_quota, {catalogue.ISOLATION_STANDS}),
    (open_namespace, {catalogue.ISOLATION_STANDS}),
    (loosen_pod_security, {catalogue.ISOLATION_STANDS}),
    (give_rights, {catalogue.ISOLATION_STANDS}),
    (lose_record, {catalogue.ONE_RELEASE_PER_STORE}),
    (second_release, {catalogue.ONE_RELEASE_PER_STORE}),
    (release_elsewhere, {catalogue.ONE_RELEASE_PER_STORE}),
    (relabel, {catalogue.ONE_RELEASE_PER_STORE}),
    (another_claim, {catalogue.ONE_RELEASE_PER_STORE, catalogue.ISOLATION_STANDS}),
    (change_digest, {catalogue.READY_IS_TRUE}),
    (another_generation, {catalogue.READY_IS_TRUE}),
    (lose_workload, {catalogue.READY_IS_TRUE}),
    (older_observation, {catalogue.READY_IS_TRUE}),
    (other_passwords, {catalogue.CREDENTIALS_KEPT}),
    (lose_namespace, {catalogue.NO_ORPHANS, catalogue.READY_IS_TRUE}),
    (
        free_by_hand,
        {catalogue.RELEASES_FREED_UNDER_LEASE, catalogue.ONE_RELEASE_PER_STORE, catalogue.READY_IS_TRUE},
    ),
    (change_row, {catalogue.ROW_MATCHES_AUDIT, catalogue.SUSPENDED_IS_TRUE}),
    (out_of_order, {catalogue.ONLY_ALLOWED_MOVES}),
    (fenced_off, {catalogue.ONE_WORKER_AT_A_TIME}),
    (forget_announcement, {catalogue.ANNOUNCED_WITH_ITS_INTENT}),
    (announce_late, {catalogue.NOTHING_WAITS_FOR_EVER}),
    (degrade_without_reason, {catalogue.FAILED_SAYS_WHY}),
]


@pytest.mark.parametrize(("break_it", "invariants"), BREAKINGS, ids=[each.__name__ for each, _ in BREAKINGS])
def test_what_is_broken_by_hand_is_named(
    clinic: Clinic, patients: Iterator[str], break_it: Callable[[Clinic, str], None], invariants: set[str]
) -> None:
    store_id = next(patients)
    assert clinic.named(store_id) == set()
    break_it(clinic, store_id)
    assert clinic.named(store_id) == invariants


def test_a_whole_look_names_the_same_and_the_command_says_so(clinic: Clinic, patients: Iterator[str]) -> None:
    sound = next(patients)
    code, report = clinic.doctor(patience=3)
    assert code == 1
    broken = {name for name, verdict in verdicts(report).items() if verdict == "violated"}
    by_pass = {catalogue.READY_IS_TRUE, catalogue.SUSPENDED_IS_TRUE}
    certain = set().union(*(names for _, names in BREAKINGS)) - by_pass
    assert certain <= broken
    about = {fact["store_id"] for each in report["invariants"] for fact in each["evidence"]}
    assert sound not in about
    assert len(about) >= len(BREAKINGS) - 1  # of two breakings only reconcile's pass could tell, which rests
    for each in report["invariants"]:
        assert each["advice"]
        assert all(fact["seen"] and fact["expected"] for fact in each["evidence"])
    shown = clinic.urumi("doctor", "--patience", "3")
    assert shown.returncode == 1
    assert "what to do: " in shown.stdout


def test_what_is_left_of_a_deleted_store_is_named(clinic: Clinic, deleted: str) -> None:
    assert clinic.named(deleted) == set()
    labels = {"urumi.dev/store": deleted, "urumi.dev/customer": str(uuid4())}
    clinic.world.cluster.create(
        "/api/v1/namespaces", {"metadata": {"name": f"store-{deleted}", "labels": labels}}
    )
    assert clinic.named(deleted) == {catalogue.DELETED_IS_GONE}
    clinic.delete(f"/api/v1/namespaces/store-{deleted}")


def test_a_failure_whose_letter_is_gone_is_named(clinic: Clinic, failed: str) -> None:
    assert clinic.named(failed) == set()
    clinic.sql("UPDATE dead_letters SET deliveries = 99 WHERE store_id = :id", id=failed)
    assert clinic.named(failed) == {catalogue.POISON_IS_PARKED}
    clinic.sql("DELETE FROM dead_letters WHERE store_id = :id", id=failed)
    assert clinic.named(failed) == {catalogue.EVERY_FAILURE_IS_VISIBLE}


def test_an_accepted_store_that_is_not_recorded_is_named(clinic: Clinic) -> None:
    lost = str(uuid4())
    report = clinic.world.examine([lost], accepted=[lost])
    assert report.by_store == {UUID(lost): {catalogue.ACCEPTED_IS_RECORDED}}


def test_a_policy_that_is_not_in_force_is_named(clinic: Clinic) -> None:
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
    found = clinic.world.cluster.get(f"{path}/urumi-claims")
    assert found
    clinic.delete(f"{path}/urumi-claims")
    try:
        assert clinic.world.examine([]).violated == {catalogue.RIGHTS_STAND}
    finally:
        clinic.world.cluster.create(path, {"metadata": {"name": "urumi-claims"}, "spec": found["spec"]})
    assert clinic.world.examine([]).violated == set()


def test_what_cannot_be_looked_at_is_unknown_and_never_holds(clinic: Clinic) -> None:
    known = {name: clinic.world.values[name] for name in ("URUMI_OPERATOR_DATABASE_URL",
                                                          "URUMI_OPERATOR_KUBECONFIG")}  # fmt: skip
    nowhere = {**known, "URUMI_OPERATOR_DATABASE_URL": "postgresql+pg8000://nobody@127.0.0.1:1/nothing"}
    code, report = clinic.doctor(**nowhere)
    assert code == 3
    unknown = {name for name, verdict in verdicts(report).items() if verdict == "unknown"}
    assert unknown == set(INVARIANTS) - {catalogue.RIGHTS_STAND}
    assert [each["part"] for each in report["not_looked_at"]] == ["database"]

    missing = {**known, "URUMI_OPERATOR_KUBECONFIG": "/nowhere"}
    _, report = clinic.doctor(**missing)
    assert verdicts(report)[catalogue.ISOLATION_STANDS] == "unknown"
    assert verdicts(report)[catalogue.RIGHTS_STAND] == "unknown"
    assert all(each["advice"] for each in report["not_looked_at"])
