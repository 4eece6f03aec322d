"""The contract of the `Cluster`, `Releases` and `Workloads` ports, on fakes and on a real cell."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any, Protocol
from uuid import uuid4

import pytest

from control_plane.adapters.helm_records import HelmRecords
from control_plane.adapters.helm_releases import HelmReleases
from control_plane.adapters.kubernetes_api import ExpiredError, KubernetesApi, Watch
from control_plane.adapters.kubernetes_cluster import KubernetesCluster
from control_plane.adapters.kubernetes_workloads import KubernetesWorkloads
from control_plane.domain.chart_values import chart_values
from control_plane.domain.errors import (
    CellUnreachableError,
    CredentialsLostError,
    LeaseLostError,
    PermanentError,
    TemporaryError,
)
from control_plane.domain.rollout import COMPONENTS, NamespaceState
from control_plane.domain.store import Lease, Store
from control_plane.ports.cell import Cluster, Releases
from control_plane.ports.fleet import Changes, Watermark, Workloads
from dev.cluster.cluster import Cluster as LocalCluster
from dev.machine.place import CHECKOUT
from tests.builders import STANDARD, a_store
from tests.fakes.cell import FakeCell, FakeCluster, FakeReleases, FakeWorkloads
from tests.fakes.clock import FakeClock
from tests.fakes.events import FakeCredentials


class Cell(Protocol):
    """One cell, and what a test sees of it behind the ports' back."""

    cluster: Cluster
    releases: Releases
    workloads: Workloads

    def password(self, store: Store) -> str:
        """The admin's password as the cell holds it."""

    def lease(self, store: Store, seconds: float = 60.0) -> Lease:
        """One that lasts that long, on the clock of this cell's process."""

    def lose_credentials(self, store: Store) -> None:
        """Somebody deletes the Secret."""

    def finish_removals(self) -> None:
        """Have what is being removed be gone, sooner or later."""


class Fake:
    """The fakes."""

    def __init__(self) -> None:
        self.cell = FakeCell(FakeClock())
        self.cell.ready_at_once = True
        self.cluster: Cluster = FakeCluster(self.cell)
        self.releases: Releases = FakeReleases(self.cell)
        self.workloads: Workloads = FakeWorkloads(self.cell)

    def password(self, store: Store) -> str:
        """See the protocol."""
        return (self.cell.namespaces[store.namespace].secret or {})["admin-password"]

    def lease(self, store: Store, seconds: float = 60.0) -> Lease:
        """See the protocol."""
        return Lease(store.id, 1, self.cell.clock.monotonic() + seconds)

    def lose_credentials(self, store: Store) -> None:
        """See the protocol."""
        self.cell.namespaces[store.namespace].secret = None

    def finish_removals(self) -> None:
        """See the protocol."""
        self.cell.finish_removals()


class Real:
    """A real API server, a real Helm; pods that are ready at once."""

    def __init__(self, kubeconfig: str, helm: str) -> None:
        self.api = KubernetesApi(kubeconfig)
        self.cluster: Cluster = KubernetesCluster(self.api, {"kind": "User", "name": "admin"})
        chart = str(CHECKOUT / "chart")
        self.helm = HelmReleases(helm, chart, kubeconfig, HelmRecords(self.api), seconds=30)
        self.releases: Releases = self.helm
        self.workloads: Workloads = KubernetesWorkloads(self.api)

    def password(self, store: Store) -> str:
        """See the protocol."""
        secret = self.api.get(f"/api/v1/namespaces/{store.namespace}/secrets/store-credentials-1")
        assert secret
        assert secret["immutable"]
        return str(secret["data"]["admin-password"])

    def lease(self, store: Store, seconds: float = 60.0) -> Lease:
        """See the protocol."""
        return Lease(store.id, 1, time.monotonic() + seconds)

    def lose_credentials(self, store: Store) -> None:
        """See the protocol."""
        self.api.delete(f"/api/v1/namespaces/{store.namespace}/secrets/store-credentials-1")

    def finish_removals(self) -> None:
        """See the protocol: the namespace controller does it."""


@pytest.fixture
def real(cluster: LocalCluster) -> Real:
    return Real(str(cluster.kubeconfig), str(cluster.helm))


@pytest.fixture(params=["fake", "real"])
def cell(request: pytest.FixtureRequest) -> Cell:
    return Fake() if request.param == "fake" else request.getfixturevalue("real")


@pytest.fixture
def store() -> Store:
    store_id = uuid4()
    return a_store(id=store_id, hostname=f"pottery-{store_id.hex[:4]}.localhost:8088")


def install(cell: Cell, store: Store) -> int:
    lease = cell.lease(store)
    cell.cluster.ensure_namespace(store, lease)
    cell.cluster.ensure_access(store, lease)
    cell.cluster.ensure_quota(store, STANDARD, lease)
    secret = cell.cluster.ensure_credentials(store, FakeCredentials(), lease)
    if cell.releases.locked(store):
        cell.releases.free(store, lease)
    return cell.releases.apply(store, chart_values(store, STANDARD, secret.name), "d1", lease)


def await_seen(changes: Changes, store: Store, wanted: Any) -> None:
    give_up = time.monotonic() + 60
    while not wanted(changes.look([store.id])[store.id]):
        assert time.monotonic() < give_up, changes.look([store.id])[store.id]
        changes.wait(0.2)


def test_every_step_may_be_done_again_and_changes_nothing(cell: Cell, store: Store) -> None:
    assert install(cell, store) == 1
    password = cell.password(store)
    assert install(cell, store) == 2
    assert cell.password(store) == password


def test_a_release_is_seen_at_its_generation_and_rolled_out(cell: Cell, store: Store) -> None:
    install(cell, store)
    with cell.workloads.changes(None) as changes:
        await_seen(changes, store, lambda seen: all(each.rolled_out for each in seen.workloads.values()))
        seen = changes.look([store.id])[store.id]
    assert seen.namespace is NamespaceState.ACTIVE
    assert {name: each.generation for name, each in seen.workloads.items()} == dict.fromkeys(COMPONENTS, 1)


def test_a_watermark_tells_just_what_happened_since(cell: Cell, store: Store) -> None:
    other = a_store(id=uuid4(), hostname=f"other-{uuid4().hex[:4]}.localhost:8088")
    install(cell, other)
    with cell.workloads.changes(None) as changes:
        await_seen(changes, other, lambda seen: all(each.rolled_out for each in seen.workloads.values()))
        while changes.wait(1) != frozenset():
            pass
        watermark = changes.watermark
    install(cell, store)
    told: set[object] = set()
    with cell.workloads.changes(watermark) as changes:
        give_up = time.monotonic() + 30
        while store.id not in told and time.monotonic() < give_up:
            told |= changes.wait(0.2) or set()
    assert told == {store.id}


def test_a_store_that_is_not_there_is_seen_to_be_gone(cell: Cell, store: Store) -> None:
    with cell.workloads.changes(None) as changes:
        seen = changes.look([store.id])[store.id]
    assert (seen.namespace, dict(seen.workloads)) == (NamespaceState.GONE, {})


def test_removal_may_be_asked_twice_and_ends_with_nothing(cell: Cell, store: Store) -> None:
    lease = cell.lease(store)
    cell.cluster.remove_namespace(store, lease)  # there is nothing yet
    cell.cluster.ensure_namespace(store, lease)
    cell.cluster.remove_namespace(store, lease)
    with cell.workloads.changes(None) as changes:
        cell.finish_removals()
        await_seen(changes, store, lambda seen: seen.namespace is NamespaceState.GONE)


def test_a_namespace_on_its_way_out_is_waited_for(cell: Cell, store: Store) -> None:
    install(cell, store)
    cell.cluster.remove_namespace(store, cell.lease(store))
    with pytest.raises(TemporaryError):
        cell.cluster.ensure_namespace(store, cell.lease(store))


def test_a_namespace_that_lost_its_labels_gets_them_back(real: Real, store: Store) -> None:
    real.api.create("/api/v1/namespaces", {"metadata": {"name": store.namespace}})
    real.cluster.ensure_namespace(store, real.lease(store))
    namespace = real.api.get(f"/api/v1/namespaces/{store.namespace}")
    assert namespace
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_a_quota_is_in_force_when_it_is_ensured(real: Real, store: Store) -> None:
    lease = real.lease(store)
    real.cluster.ensure_namespace(store, lease)
    real.cluster.ensure_quota(store, STANDARD.model_copy(update={"quota": {"count/configmaps": "0"}}), lease)
    made = {"metadata": {"name": "one-too-many"}}
    path = f"/api/v1/namespaces/{store.namespace}/configmaps"
    with pytest.raises(PermanentError, match="exceeded quota"):
        real.api.create(path, made)
    real.cluster.ensure_quota(store, STANDARD, lease)  # another plan: it is in force, too
    real.api.create(path, made)


def test_what_a_killed_helm_left_counted_and_not_made_is_counted_anew(real: Real, store: Store) -> None:
    """An API server adds to a quota before it makes an object, and a request may end in between."""
    lease = real.lease(store)
    real.cluster.ensure_namespace(store, lease)
    real.cluster.ensure_quota(store, STANDARD, lease)
    path = f"/api/v1/namespaces/{store.namespace}/resourcequotas/plan"
    quota = real.api.get(path)
    assert quota
    quota["status"]["used"]["services"] = "2"
    real.api.replace(f"{path}/status", quota)
    service = {"metadata": {"name": "mine"}, "spec": {"ports": [{"port": 80}]}}
    services = f"/api/v1/namespaces/{store.namespace}/services"
    with pytest.raises(PermanentError, match="exceeded quota"):
        real.api.create(services, service)

    real.cluster.ensure_quota(replace(store, failures=1), STANDARD, lease)
    real.api.create(services, service)
    quota = real.api.get(path)
    assert quota
    assert quota["spec"]["hard"] == STANDARD.quota == quota["status"]["hard"]


@pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "pending-rollback", "failed"])
def test_a_release_left_in_any_status_is_brought_on_with_its_claims(
    real: Real, store: Store, status: str
) -> None:
    install(real, store)
    claim = f"/api/v1/namespaces/{store.namespace}/persistentvolumeclaims/database-data"
    before = real.api.get(claim)
    assert before
    path = f"/api/v1/namespaces/{store.namespace}/secrets/sh.helm.release.v1.{store.namespace}.v1"
    _restate(real, path, status)

    assert install(real, store) == 2

    after = real.api.get(claim)
    assert after
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


def test_a_release_left_uninstalling_is_uninstalled_and_installed_again(real: Real, store: Store) -> None:
    install(real, store)
    namespace = f"/api/v1/namespaces/{store.namespace}"
    claims = [
        f"{namespace}/persistentvolumeclaims/{each}" for each in ("database-data", "storefront-content")
    ]
    before = [real.api.get(claim) for claim in claims]
    _restate(real, f"{namespace}/secrets/sh.helm.release.v1.{store.namespace}.v1", "uninstalling")

    assert install(real, store) == 1

    after = [real.api.get(claim) for claim in claims]
    assert all(before)
    assert [each and each["metadata"]["uid"] for each in after] == [
        each and each["metadata"]["uid"] for each in before
    ]


def test_values_that_the_chart_refuses_are_a_permanent_error(real: Real, store: Store) -> None:
    lease = real.lease(store)
    real.cluster.ensure_namespace(store, lease)
    values = chart_values(store, STANDARD, "store-credentials-1")
    with pytest.raises(PermanentError, match="the chart was refused"):
        real.releases.apply(store, {**values, "nonsense": 1}, "d1", lease)


def test_what_helm_recorded_can_be_told_by_its_digest(real: Real, store: Store) -> None:
    install(real, store)
    path = f"/api/v1/namespaces/{store.namespace}/secrets/sh.helm.release.v1.{store.namespace}.v1"
    record = real.api.get(path)
    assert record
    assert record["metadata"]["labels"]["urumi.dev/digest"] == "d1"


def test_passwords_that_are_lost_are_not_made_anew(cell: Cell, store: Store) -> None:
    lease = cell.lease(store)
    cell.cluster.ensure_namespace(store, lease)
    cell.cluster.ensure_access(store, lease)
    secret = cell.cluster.ensure_credentials(store, FakeCredentials(), lease)
    cell.lose_credentials(store)
    known = replace(store, credentials_uid=secret.uid)
    with pytest.raises(CredentialsLostError):
        cell.cluster.ensure_credentials(known, FakeCredentials(), lease)
    assert cell.cluster.ensure_credentials(store, FakeCredentials(), lease).uid != secret.uid


def test_nothing_is_changed_once_the_lease_has_ended(cell: Cell, store: Store) -> None:
    over, values = cell.lease(store, -1.0), chart_values(store, STANDARD, "store-credentials-1")
    with pytest.raises(LeaseLostError):
        cell.cluster.ensure_namespace(store, over)
    with cell.workloads.changes(None) as changes:
        assert changes.look([store.id])[store.id].namespace is NamespaceState.GONE
    cell.cluster.ensure_namespace(store, cell.lease(store))
    cell.cluster.ensure_access(store, cell.lease(store))

    with pytest.raises(LeaseLostError):
        cell.cluster.ensure_access(store, over)
    with pytest.raises(LeaseLostError):
        cell.cluster.ensure_quota(store, STANDARD, over)
    with pytest.raises(LeaseLostError):
        cell.cluster.ensure_credentials(store, FakeCredentials(), over)
    with pytest.raises(LeaseLostError):
        cell.releases.apply(store, values, "d1", over)
    with pytest.raises(LeaseLostError):
        cell.cluster.remove_namespace(store, over)

    with cell.workloads.changes(None) as changes:
        seen = changes.look([store.id])[store.id]
    assert (seen.namespace, dict(seen.workloads)) == (NamespaceState.ACTIVE, {})
    assert install(cell, store) == 1


def test_a_locked_release_is_left_alone_once_the_lease_has_ended(real: Real, store: Store) -> None:
    install(real, store)
    path = f"/api/v1/namespaces/{store.namespace}/secrets/sh.helm.release.v1.{store.namespace}.v1"
    for status in ("pending-upgrade", "uninstalling"):
        _restate(real, path, status)
        before = real.api.get(path)
        assert real.releases.locked(store)
        with pytest.raises(LeaseLostError):
            real.releases.free(store, real.lease(store, -1.0))
        assert real.api.get(path) == before


def test_a_cell_that_is_away_is_said_to_be(cluster: LocalCluster, store: Store, tmp_path: Any) -> None:
    away = tmp_path / "kubeconfig"
    text = cluster.kubeconfig.read_text()
    away.write_text(re.sub(r"(https://127\.0\.0\.1:)\d+", r"\g<1>1", text))
    cell = Real(str(away), str(cluster.helm))
    with pytest.raises(CellUnreachableError):
        cell.cluster.ensure_namespace(store, cell.lease(store))
    with pytest.raises(CellUnreachableError):
        cell.releases.apply(store, {}, "d1", cell.lease(store))
    with pytest.raises(CellUnreachableError), cell.workloads.changes(None):
        pass
    since = Watermark({"deployments": "5", "statefulsets": "5", "namespaces": "5"})
    with pytest.raises(CellUnreachableError), cell.workloads.changes(since) as changes:
        changes.wait(10)


class Forgetful(KubernetesApi):
    """An API server that no longer knows the first versions."""

    def watch(self, path: str, *, selector: str, version: str, seconds: int) -> Watch:
        if version == "1":
            raise ExpiredError("too old resource version")
        return super().watch(path, selector=selector, version=version, seconds=seconds)


def test_a_watermark_that_is_too_old_has_everything_looked_at_anew(
    cluster: LocalCluster, real: Real, store: Store
) -> None:
    install(real, store)
    workloads = KubernetesWorkloads(Forgetful(str(cluster.kubeconfig)))
    since = Watermark({"deployments": "1", "statefulsets": "1", "namespaces": "1"})
    with workloads.changes(since) as changes:
        assert None in [changes.wait(2) for _ in range(3)]
        assert set(changes.look([store.id])[store.id].workloads) == set(COMPONENTS)


def test_a_helm_that_hangs_is_dead_by_its_deadline(
    cluster: LocalCluster, store: Store, tmp_path: Any
) -> None:
    hanging = tmp_path / "helm"
    hanging.write_text("#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n")
    hanging.chmod(0o755)
    api = KubernetesApi(str(cluster.kubeconfig))
    chart = str(CHECKOUT / "chart")
    releases = HelmReleases(str(hanging), chart, str(cluster.kubeconfig), HelmRecords(api), seconds=2)
    began = time.monotonic()
    with pytest.raises(TemporaryError, match="did not end"):
        releases.apply(store, {}, "d1", Lease(store.id, 1, began + 60))
    assert time.monotonic() - began < releases.deadline + 2


def test_diagnosis_names_what_is_missing(real: Real, store: Store) -> None:
    real.cluster.ensure_namespace(store, real.lease(store))
    said = real.workloads.diagnose(store.id)
    assert "storefront: missing" in said
    assert "database: missing" in said


def _restate(real: Real, path: str, status: str) -> None:
    record = real.api.get(path)
    assert record
    record["metadata"]["labels"]["status"] = status
    real.api.replace(path, record)
