"""The kubeconfig for a cell on Google Cloud: what the Python client and the real Helm send because of it."""

from __future__ import annotations

import base64
import json
import logging
import ssl
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest

from control_plane.adapters import google_cell
from control_plane.adapters.helm_records import HelmRecords
from control_plane.adapters.helm_releases import HelmReleases
from control_plane.adapters.kubernetes_api import KubernetesApi
from control_plane.domain.errors import CellUnreachableError
from control_plane.domain.store import Lease
from dev.cluster import build, kubeconfig
from dev.cluster.cluster import Cluster
from dev.machine.place import CHECKOUT
from tests import metadata_server
from tests.certificates import Authority
from tests.metadata_server import MetadataServer

SECRETS = "/api/v1/namespaces/shops/secrets"


class ApiServer:
    """A stand-in that has nothing, and notes who asked for it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.asked: list[tuple[str, str | None]] = []  # path, Authorization

    def shown(self, path: str) -> list[str | None]:
        """What was shown with the requests for `path`."""
        return [shown for asked, shown in self.asked if asked == path]


@contextmanager
def serving(context: ssl.SSLContext) -> Iterator[ApiServer]:
    """One at a free port, over TLS."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            server.asked.append((path, self.headers["Authorization"]))
            kind = "SecretList" if path == SECRETS else "APIVersions"
            body = json.dumps({"kind": kind, "apiVersion": "v1", "metadata": {}, "items": []}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Listener(ThreadingHTTPServer):
        def get_request(self):
            client, address = super().get_request()
            # The handshake is made by the thread that answers: whoever does not trust us stops nobody.
            return context.wrap_socket(client, server_side=True, do_handshake_on_connect=False), address

        def handle_error(self, *_: object) -> None:
            pass

    listener = Listener(("127.0.0.1", 0), Handler)
    server = ApiServer(f"https://127.0.0.1:{listener.server_port}")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


AUTHORITY = Authority()


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    file = tmp_path / "ca.pem"
    file.write_text(AUTHORITY.pem)
    return str(file)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    made = AUTHORITY.server("cell", "127.0.0.1")
    file = tmp_path / "server.pem"
    file.write_text(made.pem + made.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with serving(context) as server:
        yield server


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[MetadataServer]:
    with metadata_server.running() as metadata:
        monkeypatch.setenv("GCE_METADATA_HOST", metadata.address)
        yield metadata


def helm(path: str, api: KubernetesApi) -> bytes:
    """What the real Helm says of the releases in a namespace, run as provision runs it."""
    releases = HelmReleases(str(build.helm(print)), str(CHECKOUT / "chart"), path, HelmRecords(api))
    lease = Lease(uuid4(), 1, time.monotonic() + 60)
    return releases._run(["list", "--namespace", "shops", "--output", "json"], lease)


def test_both_clients_show_the_accounts_token(
    server: ApiServer, metadata: MetadataServer, ca_file: str
) -> None:
    path = google_cell.kubeconfig(server.endpoint, ca_file)
    api = KubernetesApi(path)
    assert api.get(SECRETS)
    assert server.shown(SECRETS) == ["Bearer token-1"]
    metadata.token = "token-2"
    assert json.loads(helm(path, api)) == []
    assert server.shown(SECRETS) == ["Bearer token-1", "Bearer token-2"]
    assert {shown for path, shown in server.asked} == {"Bearer token-1", "Bearer token-2"}


def test_a_token_is_kept_while_it_lasts_and_replaced_before_it_ends(
    server: ApiServer, metadata: MetadataServer, ca_file: str
) -> None:
    api = KubernetesApi(google_cell.kubeconfig(server.endpoint, ca_file))
    api.get(SECRETS)
    metadata.token = "token-2"
    api.get(SECRETS)
    assert server.shown(SECRETS) == ["Bearer token-1"] * 2

    short = KubernetesApi(google_cell.kubeconfig(server.endpoint, ca_file))
    metadata.seconds = 240
    short.get(SECRETS)
    metadata.token = "token-3"
    short.get(SECRETS)
    assert server.shown(SECRETS)[2:] == ["Bearer token-2", "Bearer token-3"]


def test_nothing_is_sent_without_a_token_and_the_next_request_asks_anew(
    server: ApiServer, metadata: MetadataServer, ca_file: str, caplog: pytest.LogCaptureFixture
) -> None:
    api = KubernetesApi(google_cell.kubeconfig(server.endpoint, ca_file))
    metadata.statuses = [404]
    with caplog.at_level(logging.ERROR), pytest.raises(CellUnreachableError, match="no credentials"):
        api.get(SECRETS)
    assert server.asked == []
    assert "answers 404" in caplog.text
    assert api.get(SECRETS)
    assert server.shown(SECRETS) == ["Bearer token-1"]


def test_helm_without_a_token_is_not_the_stores_fault(
    server: ApiServer, metadata: MetadataServer, ca_file: str
) -> None:
    path = google_cell.kubeconfig(server.endpoint, ca_file)
    api = KubernetesApi(path)
    api.get(SECRETS)
    metadata.statuses = [404] * 10
    with pytest.raises(CellUnreachableError):
        helm(path, api)
    assert server.shown(SECRETS) == ["Bearer token-1"]


def test_a_server_that_no_public_ca_vouches_for_gets_no_token(
    server: ApiServer, metadata: MetadataServer
) -> None:
    path = google_cell.kubeconfig(server.endpoint)
    api = KubernetesApi(path)
    with pytest.raises(CellUnreachableError):
        api.get(SECRETS)
    with pytest.raises(CellUnreachableError):
        helm(path, api)
    assert server.asked == []


def test_the_file_is_private_made_once_and_holds_no_token(
    server: ApiServer, metadata: MetadataServer, ca_file: str
) -> None:
    path = Path(google_cell.kubeconfig(server.endpoint, ca_file))
    KubernetesApi(str(path)).get(SECRETS)
    assert google_cell.kubeconfig(server.endpoint, ca_file) == str(path)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert "token-1" not in path.read_text()


def test_a_real_api_server_takes_both_as_the_tokens_account(
    cluster: Cluster, metadata: MetadataServer, tmp_path: Path
) -> None:
    """The metadata server hands out a token that this API server knows, as GKE knows those of Google."""
    admin = KubernetesApi(str(cluster.kubeconfig))
    namespace = f"account-{uuid4()}"
    admin.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    admin.create(accounts, {"metadata": {"name": "provision"}})
    name = f"system:serviceaccount:{namespace}:provision"
    rights = "/apis/rbac.authorization.k8s.io/v1"
    reader = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}
    admin.create(
        f"{rights}/namespaces/{namespace}/roles", {"metadata": {"name": "reader"}, "rules": [reader]}
    )
    admin.create(
        f"{rights}/namespaces/{namespace}/rolebindings",
        {
            "metadata": {"name": "reader"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}],
        },
    )
    token = admin.create(f"{accounts}/provision/token", {"spec": {"expirationSeconds": 3600}})
    metadata.token = token["status"]["token"]

    entry = kubeconfig.cluster_of(cluster.kubeconfig)
    ca = tmp_path / "cell.pem"
    ca.write_bytes(base64.b64decode(str(entry["certificate-authority-data"])))
    path = google_cell.kubeconfig(str(entry["server"]), str(ca))
    api = KubernetesApi(path)
    review = api.create(
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
    )
    assert review["status"]["userInfo"]["username"] == name
    releases = HelmReleases(str(cluster.helm), str(CHECKOUT / "chart"), path, HelmRecords(api))
    lease = Lease(uuid4(), 1, time.monotonic() + 60)
    assert json.loads(releases._run(["list", "--namespace", namespace, "--output", "json"], lease)) == []
    admin.delete(f"/api/v1/namespaces/{namespace}")
