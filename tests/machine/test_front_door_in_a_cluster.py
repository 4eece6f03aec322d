"""The front door at a real API server, with the objects and the rights that a kind cluster gives it."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from control_plane.adapters.kubernetes_api import KubernetesApi
from dev.cluster import kubeconfig
from dev.cluster.api import Api, RefusedError
from dev.cluster.cluster import Cluster
from dev.front_door import part
from dev.front_door.server import of_kubeconfig
from dev.machine.place import CHECKOUT
from dev.machine.ports import free_port
from tests.fakes.api_server import ingress, service

_COLLECTIONS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/urumi-front-door/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Deployment": "/apis/apps/v1/namespaces/urumi-front-door/deployments",
}
_SHOPS = "/api/v1/namespaces/shops/services"
_INGRESSES = "/apis/networking.k8s.io/v1/namespaces/shops/ingresses"


@pytest.fixture(scope="module")
def admin(cluster: Cluster) -> KubernetesApi:
    """Whoever installs the front door; it is installed."""
    made = KubernetesApi(str(cluster.kubeconfig))
    text = (CHECKOUT / "dev/cluster/settings/kind-front-door.yaml").read_text()
    for one in yaml.safe_load_all(text):
        # Strictly: a field that the server does not know is a mistake here.
        made.create(f"{_COLLECTIONS[one['kind']]}?fieldValidation=Strict", one)
    made.create("/api/v1/namespaces", {"metadata": {"name": "shops"}})
    return made


@pytest.fixture(scope="module")
def account(admin: KubernetesApi, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubeconfig of the front door's service account."""
    path = f"{_COLLECTIONS['ServiceAccount']}/front-door/token"
    token = admin.create(path, {"spec": {"expirationSeconds": 3600}})["status"]["token"]
    file = tmp_path_factory.mktemp("account") / "kubeconfig"
    file.write_text(kubeconfig.with_token("front-door", kubeconfig.cluster_of(cluster.kubeconfig), token))
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the front door keeps its files."""
    return tmp_path / "door"


@pytest.fixture
def status(account: Path, folder: Path, tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """What a running front door answers for that host name."""
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            part.command(sys.executable, account, folder, port),
            cwd=CHECKOUT,
            stdout=log,
            stderr=log,
        )

    def ask(host: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/", headers={"Host": host})
            return connection.getresponse().status
        finally:
            connection.close()

    try:
        _becomes(lambda: part.answers(port), 10)
        yield ask
    finally:
        process.terminate()
        process.wait(10)
    assert "ERROR" not in (tmp_path / "log").read_text()


def _becomes(seen: Callable[[], bool], seconds: float) -> None:
    give_up = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_a_stores_ingress_opens_and_closes_its_host_name(admin: KubernetesApi, folder: Path, status) -> None:
    assert status("teapots.localhost") == 404
    shop: dict[str, Any] = ingress("teapots", "teapots.localhost")
    shop["spec"]["rules"][0]["http"]["paths"][0]["pathType"] = "Prefix"
    admin.create(_INGRESSES, {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", **shop})
    _becomes(lambda: status("teapots.localhost") == 503, 2)
    behind: dict[str, Any] = service("teapots", "", 80)
    del behind["spec"]["clusterIP"]
    made = admin.create(_SHOPS, {"apiVersion": "v1", "kind": "Service", **behind})
    # Not asked for: nothing on this machine leads to the address of a Service.
    entry = f"teapots.localhost {made['spec']['clusterIP']}/80\n"
    _becomes(lambda: (folder / "stores.map").read_text() == entry, 2)
    admin.delete(f"{_INGRESSES}/teapots")
    _becomes(lambda: status("teapots.localhost") == 404, 2)


@pytest.mark.parametrize("path", ["/api/v1/secrets", "/api/v1/pods", "/api/v1/namespaces/shops/configmaps"])
def test_its_service_account_reads_nothing_else(account: Path, path: str) -> None:
    server = of_kubeconfig(account)
    api = Api(server.url, server.ca or "", server.token)
    assert api.get("/api/v1/services")
    with pytest.raises(RefusedError, match="403"):
        api.get(path)
