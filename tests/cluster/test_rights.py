"""Each identity can do its work and nothing else, on the real API server with its own credentials."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from control_plane.adapters.helm_records import HelmRecords
from control_plane.adapters.helm_releases import HelmReleases
from control_plane.adapters.kubernetes_api import KubernetesApi
from control_plane.adapters.kubernetes_cluster import KubernetesCluster
from control_plane.domain.chart_values import chart_values
from control_plane.domain.errors import CellUnreachableError
from control_plane.domain.store import Lease, Store
from dev.cluster import credentials
from dev.machine import processes
from dev.machine.functions import FUNCTIONS, PROVISION
from dev.machine.place import CHECKOUT
from tests.builders import STANDARD, a_store
from tests.cluster.attacks import ADMISSION, ATTACKS, GOOD, NAMESPACES, RBAC, STORE, Attack, binding, labels
from tests.cluster.callers import Body, Caller
from tests.cluster.world import World
from tests.fakes.events import FakeCredentials

GOLDEN = Path(__file__).parent / "rights"
FEW = 30.0  # seconds


@pytest.fixture(scope="module")
def rights(whole: World) -> World:
    """The world, with all its parts running."""
    whole.up()
    return whole


@pytest.fixture(scope="module")
def callers(rights: World) -> Iterator[dict[str, Caller]]:
    """Each identity, and the admin."""
    files = {name: credentials.file(rights.place, name) for name in credentials.IDENTITIES}
    made = {name: Caller(file) for name, file in {**files, "admin": rights.place.kubeconfig}.items()}
    yield made
    for each in made.values():
        each.close()


@pytest.fixture(scope="module")
def names(rights: World, callers: dict[str, Caller]) -> Iterator[dict[str, str]]:
    """The namespaces that the attacks name."""
    store_id = rights.create()
    rights.assert_whole([store_id])
    fresh, bare, mislabelled = (str(uuid4()) for _ in range(3))
    odd = uuid4().hex[:8]
    made = {
        "{fresh}": (f"store-{fresh}", _placed(labels(), {"{id}": fresh})),
        "{bare}": (f"store-{bare}", {}),
        "{mislabelled}": (f"store-{mislabelled}", {"urumi.dev/store": fresh}),
        "{odd}": (f"store-{odd}", {"urumi.dev/store": odd}),
        "{other}": (f"platform-{odd}", {}),
    }
    admin = callers["admin"]
    for name, said in made.values():
        answer = admin.ask("POST", NAMESPACES, {"metadata": {"name": name, "labels": said}})
        assert answer.status_code == 201, answer.text
    role = {"metadata": {"name": "urumi-store"}, "rules": []}
    admin.ask("POST", f"{RBAC}/namespaces/store-{fresh}/roles", role).raise_for_status()
    yield {"{store}": f"store-{store_id}", **{key: name for key, (name, _) in made.items()}}
    for name, _ in made.values():
        admin.ask("DELETE", f"{NAMESPACES}/{name}")


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda each: f"{each.who}: {each.what}")
def test_an_attack_is_refused(callers: dict[str, Caller], names: dict[str, str], attack: Attack) -> None:
    said = {**names, "{id}": str(uuid4()), "{other_id}": str(uuid4())}
    path, touched, body = (_placed(each, said) for each in (attack.path, attack.touched, attack.body))
    admin = callers["admin"]
    before = admin.get(touched)
    assert attack.method == "POST" or before is not None, f"{touched} is not there to be attacked"
    if attack.method == "PUT":
        body = _changed(admin, touched, body)

    answer = callers[attack.who].ask(attack.method, path, body, **attack.headers)

    assert answer.status_code in (403, 422), answer.text
    assert attack.by in answer.json()["message"]
    assert admin.get(touched) == before


def test_the_attacks_on_objects_are_good_objects_but_for_one_thing(
    callers: dict[str, Caller], names: dict[str, str]
) -> None:
    # No store has room for one more of each, and {fresh} has no quota yet.
    said = {**names, "{id}": str(uuid4()), "{store}": names["{fresh}"]}
    namespace = {"metadata": {"name": "store-{id}", "labels": labels()}}
    provision, admin = callers["provision"], callers["admin"]
    bindings = _placed(f"{RBAC}/namespaces/{{store}}/rolebindings", said)
    made = provision.ask("POST", bindings, binding("provision"))
    assert made.status_code == 201, made.text
    try:
        secrets = f"{_placed(STORE, said)}/secrets"
        _await(lambda: provision.ask("GET", secrets).status_code == 200)
        for path, body in [*GOOD.values(), (NAMESPACES, namespace)]:
            answer = provision.ask("POST", f"{_placed(path, said)}?dryRun=All", _placed(body, said))
            assert answer.status_code == 201, answer.text
    finally:
        admin.ask("DELETE", f"{bindings}/provision")


@pytest.mark.parametrize("who", credentials.IDENTITIES)
def test_the_rights_are_these(
    callers: dict[str, Caller], names: dict[str, str], who: str, tmp_path: Path
) -> None:
    places = {"a store's namespace": names["{store}"], "kube-system": "kube-system", "default": "default"}
    found = "\n".join(
        f"== in {what}\n" + "".join(f"{line}\n" for line in callers[who].rights(namespace))
        for what, namespace in places.items()
    )
    actual, golden = tmp_path / f"{who}.txt", GOLDEN / f"{who}.txt"
    actual.write_text(found)
    assert golden.exists(), f"cp {actual} {golden}"
    assert found == golden.read_text(), f"if that is meant: cp {actual} {golden}"


def test_no_function_runs_with_credentials_of_another(rights: World) -> None:
    for function in FUNCTIONS:
        record = processes.running(rights.place, function.name)
        assert record
        process = record.process()
        assert process
        for each in (process, *process.children(recursive=True)):
            found = each.environ().get("KUBECONFIG")
            wanted = credentials.file(rights.place, function.name)
            without = function.name not in credentials.IDENTITIES
            assert found == (None if without else str(wanted))
            if function.name == "provision":
                assert json.loads(each.environ()["URUMI_CELL_IDENTITY"]) == PROVISION


def test_credentials_are_for_their_owner_only(rights: World) -> None:
    files = [credentials.file(rights.place, name) for name in credentials.IDENTITIES]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert files[0].parent.stat().st_mode & 0o777 == 0o700


def test_the_functions_work_under_their_own_names(rights: World) -> None:
    store_id = rights.create()
    rights.assert_whole([store_id])

    users: set[tuple[str, str]] = set()
    for line in rights.place.log("audit").read_text().splitlines():
        entry = json.loads(line)
        if entry.get("userAgent", "").startswith(("Helm", "urumi")) and store_id in line:
            users.add((entry["user"]["username"].rpartition(":")[2], entry["verb"]))
            assert entry.get("responseStatus", {}).get("code") != 403, line
    assert ("provision", "patch") in users
    assert {verb for who, verb in users if who == "reconcile"} <= {"get", "list", "watch"}


class Worker:
    """Provision's adapters with provision's own credentials."""

    def __init__(self, rights: World) -> None:
        kubeconfig = str(credentials.file(rights.place, "provision"))
        self.api = KubernetesApi(kubeconfig)
        self.cluster = KubernetesCluster(self.api, PROVISION)
        chart = str(CHECKOUT / "chart")
        helm = rights.values["URUMI_HELM"]
        self.releases = HelmReleases(helm, chart, kubeconfig, HelmRecords(self.api), seconds=30)

    def install(self, store: Store) -> int:
        """All that provision does for a store; returns the release's revision."""
        lease = Lease(store.id, 1, time.monotonic() + 60)
        self.cluster.ensure_namespace(store, lease)
        self.cluster.ensure_access(store, lease)
        self.cluster.ensure_quota(store, STANDARD, lease)
        secret = self.cluster.ensure_credentials(store, FakeCredentials(), lease)
        if self.releases.locked(store):
            self.releases.free(store, lease)
        return self.releases.apply(store, chart_values(store, STANDARD, secret.name), "d1", lease)


@pytest.fixture
def worker(rights: World) -> Worker:
    return Worker(rights)


@pytest.fixture
def store(rights: World) -> Iterator[Store]:
    store_id = uuid4()
    made = a_store(id=store_id, hostname=f"rights-{store_id.hex[:4]}.localhost:8088")
    yield made
    rights.cluster.delete(f"{NAMESPACES}/{made.namespace}")


def test_provision_can_do_all_its_work(rights: World, worker: Worker, store: Store) -> None:
    assert worker.install(store) == 1
    assert worker.install(replace(store, generation=2)) == 2
    records = f"{NAMESPACES}/{store.namespace}/secrets/sh.helm.release.v1.{store.namespace}"
    # What a killed Helm leaves behind: the revision that it leaves so, and the one that comes of it.
    for status, left, revision in (("pending-upgrade", 2, 3), ("failed", 3, 4), ("uninstalling", 4, 1)):
        record = rights.cluster.get(f"{records}.v{left}")
        assert record
        record["metadata"]["labels"]["status"] = status
        rights.cluster.replace(f"{records}.v{left}", record)
        assert worker.install(replace(store, generation=left + 1)) == revision
    lease = Lease(store.id, 1, time.monotonic() + 60)
    worker.cluster.remove_namespace(store, lease)
    namespace = rights.cluster.get(f"{NAMESPACES}/{store.namespace}")
    assert namespace is None or namespace["metadata"]["deletionTimestamp"]


def test_provision_can_repair_a_namespace_and_go_on_at_once(
    rights: World, worker: Worker, store: Store
) -> None:
    for _ in range(20):  # the policies may judge by labels of a moment ago
        made = replace(store, id=uuid4())
        lease = Lease(made.id, 1, time.monotonic() + 60)
        rights.cluster.create(NAMESPACES, {"metadata": {"name": made.namespace}})
        worker.cluster.ensure_namespace(made, lease)
        worker.cluster.ensure_access(made, lease)
        worker.cluster.remove_namespace(made, lease)


@pytest.mark.parametrize(
    "changes",
    [
        {"pod-security.kubernetes.io/enforce": "privileged"},
        {"pod-security.kubernetes.io/audit": None},
        {"pod-security.kubernetes.io/enforce-version": "v1.24"},
        {"urumi.dev/store": None},
        {"urumi.dev/store": str(uuid4())},
        {"urumi.dev/customer": None},
    ],
    ids=str,
)
def test_provision_can_bring_back_labels_that_others_changed(
    rights: World, worker: Worker, store: Store, changes: dict[str, str | None]
) -> None:
    lease = Lease(store.id, 1, time.monotonic() + 60)
    worker.cluster.ensure_namespace(store, lease)
    path = f"{NAMESPACES}/{store.namespace}"
    made = rights.cluster.get(path)
    assert made
    good = dict(made["metadata"]["labels"])
    made["metadata"]["labels"] = {k: v for k, v in {**good, **changes}.items() if v is not None}
    rights.cluster.replace(path, made)

    worker.cluster.ensure_namespace(store, lease)

    found = rights.cluster.get(path)
    assert found
    assert found["metadata"]["labels"] == good


def test_provision_can_add_labels_of_other_kinds(worker: Worker, store: Store) -> None:
    lease = Lease(store.id, 1, time.monotonic() + 60)
    worker.cluster.ensure_namespace(store, lease)
    path = f"{NAMESPACES}/{store.namespace}"
    found = worker.api.get(path)
    assert found
    found["metadata"]["labels"]["urumi.dev/quarantined"] = "true"
    worker.api.replace(path, found)


def test_reconcile_and_the_operator_can_read_what_they_have_to(
    callers: dict[str, Caller], names: dict[str, str]
) -> None:
    both = ["/api/v1/namespaces", "/apis/apps/v1/deployments", "/apis/apps/v1/statefulsets", "/api/v1/pods"]
    more = [
        *(f"/api/v1/{kind}" for kind in ("services", "persistentvolumeclaims", "resourcequotas", "secrets")),
        "/api/v1/limitranges",
        *(f"/apis/networking.k8s.io/v1/{kind}" for kind in ("networkpolicies", "ingresses")),
        f"{RBAC}/rolebindings",
        *(f"{RBAC}/clusterroles/urumi-{name}" for name in ("store", "provision", "reconcile", "operator")),
        *(f"{RBAC}/clusterrolebindings/urumi-{name}" for name in ("provision", "reconcile", "operator")),
        f"{ADMISSION}/validatingadmissionpolicies",
        f"{ADMISSION}/validatingadmissionpolicybindings",
    ]
    for who, paths in (("reconcile", both), ("operator", [*both, *more])):
        for path in paths:
            assert callers[who].ask("GET", path).status_code == 200, (who, path)
    for path in both[:3]:
        watched = callers["reconcile"].ask("GET", f"{path}?watch=1&timeoutSeconds=1")
        assert watched.status_code == 200, path


def test_a_lack_of_rights_is_the_cells_fault_and_never_the_stores(rights: World) -> None:
    reader = KubernetesApi(str(credentials.file(rights.place, "reconcile")))
    with pytest.raises(CellUnreachableError, match="install the platform chart"):
        reader.create(NAMESPACES, {"metadata": {"name": f"store-{uuid4()}"}})


def test_the_policies_are_well_typed_and_all_in_force(callers: dict[str, Caller]) -> None:
    policies = callers["admin"].ask("GET", f"{ADMISSION}/validatingadmissionpolicies").json()["items"]
    bindings = callers["admin"].ask("GET", f"{ADMISSION}/validatingadmissionpolicybindings").json()["items"]
    ours = [each for each in policies if each["metadata"]["name"].startswith("urumi-")]
    assert len(ours) == 8
    for policy in ours:
        assert policy["spec"]["failurePolicy"] == "Fail"
        assert not policy["status"]["typeChecking"], policy["metadata"]["name"]
    bound = {each["spec"]["policyName"]: each["spec"] for each in bindings}
    assert bound.keys() >= {policy["metadata"]["name"] for policy in ours}
    assert all(spec["validationActions"] == ["Deny"] for spec in bound.values())


def _placed(value: Any, said: dict[str, str]) -> Any:
    """`value` with all its placeholders filled in."""
    if isinstance(value, dict):
        return {_placed(key, said): _placed(each, said) for key, each in value.items()}
    if isinstance(value, list):
        return [_placed(each, said) for each in value]
    if isinstance(value, str):
        for key, name in said.items():
            value = value.replace(key, name)
    return value


def _changed(admin: Caller, path: str, changes: Body) -> Body:
    """The object as it is now, with other metadata; a label set to None is removed."""
    found: Body = admin.ask("GET", path).json()
    merged = {**found["metadata"].get("labels", {}), **changes.get("labels", {})}
    kept = {key: value for key, value in merged.items() if value is not None}
    found["metadata"] |= {**changes, "labels": kept}
    return found


def _await(happens: Callable[[], bool]) -> None:
    give_up = time.monotonic() + FEW
    while not happens():
        assert time.monotonic() < give_up
        time.sleep(0.1)
