"""The stores' gateway of the cloud at a real API server, with the arguments and rights of its chart."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from control_plane.adapters.kubernetes_api import KubernetesApi
from dev import gateway as built
from dev.cluster import kubeconfig
from dev.cluster.cluster import Cluster
from tests.certificates import Authority, Certificate
from tests.chart.rendering import Object
from tests.cluster.callers import Caller
from tests.machine.one_store import Shop, Store, open_shop
from tests.machine.stores_gateway import NAMESPACE, Gateway, Mounted, pod_of, rendered, running

CORE, RBAC = "/api/v1", "/apis/rbac.authorization.k8s.io/v1"
MINE = f"{CORE}/namespaces/{NAMESPACE}"
COLLECTIONS = {
    "ServiceAccount": f"{MINE}/serviceaccounts",
    "ClusterRole": f"{RBAC}/clusterroles",
    "ClusterRoleBinding": f"{RBAC}/clusterrolebindings",
    "IngressClass": "/apis/networking.k8s.io/v1/ingressclasses",
    "Deployment": f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments",
    "Service": f"{MINE}/services",
    "PodDisruptionBudget": f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets",
    "NetworkPolicy": f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies",
}
HOST, MOVED, UNKNOWN = "teapots.shops.example", "kettles.shops.example", "nobody.shops.example"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "*")


@pytest.fixture(scope="module")
def objects(cluster: Cluster) -> list[Object]:
    return rendered(cluster.helm)


@pytest.fixture(scope="module")
def admin(cluster: Cluster, objects: list[Object]) -> KubernetesApi:
    """Whoever applies Terraform. The gateway's chart is installed, where only restricted pods may be."""
    made = KubernetesApi(str(cluster.kubeconfig))
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    made.create(f"{CORE}/namespaces", {"metadata": {"name": NAMESPACE, "labels": labels}})
    for one in objects:
        # Strictly: a field that the server does not know is a mistake here.
        made.create(f"{COLLECTIONS[one['kind']]}?fieldValidation=Strict", one)
    made.create(f"{MINE}/secrets", {"metadata": {"name": "stores-certificate"}, "type": "Opaque"})
    return made


@pytest.fixture(scope="module")
def account(admin: KubernetesApi, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubeconfig of the gateway's service account."""
    path = f"{COLLECTIONS['ServiceAccount']}/gateway/token"
    token = admin.create(path, {"spec": {"expirationSeconds": 3600}})["status"]["token"]
    file = tmp_path_factory.mktemp("account") / "kubeconfig"
    file.write_text(kubeconfig.with_token("gateway", kubeconfig.cluster_of(cluster.kubeconfig), token))
    return file


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    return authority.server("stores", "*.shops.example")


@pytest.fixture(scope="module")
def mounted(certificate: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Mounted:
    return Mounted(tmp_path_factory.mktemp("mounts") / "certificate", certificate)


@pytest.fixture
def start(
    account: Path, objects: list[Object], authority: Authority, mounted: Mounted, tmp_path: Path
) -> Callable[[], Any]:
    """Begins a gateway: a context."""
    return lambda: running(
        built.program(print), objects,
        kubeconfig=account, mounted=mounted.folder, trust=authority.pem, log=tmp_path / "log",
    )  # fmt: skip


@pytest.fixture
def gateway(start: Callable[[], Any]) -> Iterator[Gateway]:
    with start() as made:
        yield made


@pytest.fixture(scope="module")
def shop() -> Iterator[int]:
    """The port of something that answers as a store's web container would."""
    with open_shop() as port:
        yield port


@pytest.fixture
def store(admin: KubernetesApi, cluster: Cluster, shop: int) -> Iterator[Store]:
    """A store that is ready."""
    made = Store(admin, cluster.helm, HOST, shop)
    if admin.get(f"{CORE}/namespaces/{made.namespace}") is None:
        admin.create(f"{CORE}/namespaces", {"metadata": {"name": made.namespace}})
        admin.create(
            f"{CORE}/namespaces/{made.namespace}/secrets",
            {"metadata": {"name": "store-credentials-1"}, "stringData": {"password": "sesame"}},
        )
    made.create()
    made.ready(True)
    yield made
    made.delete()


def test_its_pods_are_as_restricted_as_a_stores(admin: KubernetesApi, objects: list[Object]) -> None:
    pod = {"metadata": {"name": "gateway"}, "spec": pod_of(objects)["spec"]}
    made = admin.create(f"{MINE}/pods?dryRun=All&fieldValidation=Strict", pod)
    (container,) = made["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}


def test_it_may_see_two_kinds_and_read_no_secret(admin: KubernetesApi, account: Path, store: Store) -> None:
    caller = Caller(account)
    with closing(caller):
        everybody = ("selfsubject", "/")
        assert [one for one in caller.rights(store.namespace) if not one.startswith(everybody)] == [
            "endpointslices.discovery.k8s.io: list watch",
            "ingresses.networking.k8s.io: list watch",
        ]
        for path in (
            f"{CORE}/secrets",
            f"{CORE}/namespaces/{store.namespace}/secrets",
            f"{CORE}/namespaces/{store.namespace}/secrets/store-credentials-1",
            f"{MINE}/secrets/stores-certificate",
            f"{CORE}/pods",
        ):
            assert caller.ask("GET", path).status_code == 403, path
    pages = admin.pages(f"{CORE}/namespaces")
    everywhere = ["", *(each["metadata"]["name"] for page in pages for each in page["items"])]
    assert {NAMESPACE, store.namespace, "kube-system"} < {*everywhere}
    for namespace in everywhere:
        for verb in VERBS:
            assert not _allowed(admin, verb, namespace), (verb, namespace)


def _allowed(admin: KubernetesApi, verb: str, namespace: str) -> bool:
    accounts = "system:serviceaccounts"
    review = {
        "spec": {
            "user": f"system:serviceaccount:{NAMESPACE}:gateway",
            "groups": [accounts, f"{accounts}:{NAMESPACE}", "system:authenticated"],
            "resourceAttributes": {"verb": verb, "resource": "secrets", "namespace": namespace},
        }
    }
    answer = admin.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    allowed: bool = answer["status"]["allowed"]
    return allowed


def test_it_brings_a_host_name_to_its_store_over_tls(store: Store, gateway: Gateway) -> None:
    answer = gateway.becomes(200, HOST)
    asked = json.loads(answer.body)["headers"]
    assert asked["Host"] == HOST
    assert (asked["X-Forwarded-Proto"], asked["X-Forwarded-For"]) == ("https", "127.0.0.1")
    for secure in (True, False):
        assert gateway.ask(UNKNOWN, secure=secure).status == 404
    plain = gateway.ask(HOST, "/shop?page=2", secure=False)
    assert (plain.status, plain.headers["Location"]) == (308, f"https://{HOST}/shop?page=2")
    with gateway.connect(HOST) as connection:
        assert connection.version() in ("TLSv1.2", "TLSv1.3")  # type: ignore[attr-defined]


def test_a_store_believes_nothing_that_a_shopper_says_of_the_way(store: Store, gateway: Gateway) -> None:
    gateway.becomes(200, HOST)
    said = {
        "X-Forwarded-For": "10.9.8.7",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "X-Real-IP": "10.9.8.7",
        "Forwarded": "for=10.9.8.7",
        "X-Urumi-Probe": "liveness",
    }
    answer = gateway.ask(HOST, headers=said)
    assert answer.status == 200  # and not sent to https once more
    asked = {name.lower(): text for name, text in json.loads(answer.body)["headers"].items()}
    assert (asked["x-forwarded-for"], asked["x-forwarded-proto"]) == ("127.0.0.1", "https")
    assert not {"x-forwarded-host", "x-real-ip", "forwarded", "x-urumi-probe"} & asked.keys()


def test_it_follows_a_store_that_comes_sleeps_moves_and_goes(store: Store, gateway: Gateway) -> None:
    gateway.becomes(200, HOST)
    store.ready(False)
    closed = gateway.becomes(503, HOST)
    assert b"This shop is not open right now" in closed.body
    store.ready(True)
    gateway.becomes(200, HOST)
    store.move(MOVED, former=HOST)
    gateway.becomes(200, MOVED)
    assert gateway.ask(HOST).status == 200  # the store itself sends on who comes by its former name
    store.move(MOVED, former="")
    gateway.becomes(404, HOST)
    store.delete()
    gateway.becomes(404, MOVED)
    store.create()
    gateway.becomes(503, HOST)


def test_a_renewed_certificate_is_shown_without_a_restart(
    gateway: Gateway, authority: Authority, mounted: Mounted, certificate: Certificate
) -> None:
    first = _shown(gateway)
    # Of another key: half of a pair is no certificate, and changes nothing.
    renewed = authority.server("stores", "*.shops.example")
    mounted.write(Certificate(renewed.pem, certificate.key))
    time.sleep(12)
    assert _shown(gateway) == first
    mounted.write(renewed)
    give_up = time.monotonic() + 12
    while _shown(gateway) == first:
        assert time.monotonic() < give_up
        time.sleep(0.2)
    assert gateway.process.poll() is None


def _shown(gateway: Gateway) -> bytes:
    with gateway.connect(HOST) as connection:
        shown: bytes = connection.getpeercert(binary_form=True)  # type: ignore[attr-defined]
        return shown


def test_what_is_on_its_way_when_it_ends_arrives(store: Store, gateway: Gateway) -> None:
    gateway.becomes(200, HOST)
    statuses: list[int] = []
    asking = threading.Thread(target=lambda: statuses.append(gateway.ask(HOST, "/slow").status))
    Shop.slow.clear()
    asking.start()
    assert Shop.slow.wait(5)
    gateway.process.send_signal(signal.SIGTERM)
    give_up = time.monotonic() + 1
    while gateway.healthy():
        assert time.monotonic() < give_up
    assert gateway.ask(HOST).status == 200  # not ready any more, and still there for who does not know yet
    asking.join(10)
    assert statuses == [200]
    assert gateway.process.wait(10) == 0


def test_an_upload_passes_through_and_is_kept_nowhere(store: Store, gateway: Gateway) -> None:
    gateway.becomes(200, HOST)
    size = 64 << 20
    answer = gateway.ask(HOST, "/wp-admin/async-upload.php", body=bytes(size))
    assert json.loads(answer.body)["got"] == size
    # Of the 512 MiB that the chart gives it.
    assert psutil.Process(gateway.process.pid).memory_info().rss < 160 << 20


def test_a_websocket_passes_through(store: Store, gateway: Gateway) -> None:
    gateway.becomes(200, HOST)
    with gateway.connect(HOST) as connection:
        connection.sendall(
            f"GET /live HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        got = _until(connection, b"\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 101 ")
        connection.sendall(b"hello")
        assert _until(connection, b"olleh").endswith(b"olleh")


def _until(connection: socket.socket, end: bytes) -> bytes:
    got = b""
    while end not in got:
        chunk = connection.recv(4096)
        assert chunk, got
        got += chunk
    return got
