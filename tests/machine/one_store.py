"""A store as its gateway sees it: a Service, an Ingress, who is behind them, and what answers there."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from control_plane.adapters.kubernetes_api import KubernetesApi
from tests.chart.rendering import Object, Renderer, changed, ci_values, named, release_name


class Shop(BaseHTTPRequestHandler):
    """Says what it was asked, and how much came with it."""

    protocol_version = "HTTP/1.1"
    slow = threading.Event()

    def do_GET(self) -> None:
        if self.headers.get("Upgrade") == "websocket":
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.wfile.write(self.rfile.read(5)[::-1])
            self.close_connection = True
            return
        if self.path == "/slow":
            self.slow.set()
            time.sleep(2)
        self._answer(0)

    def do_POST(self) -> None:
        left = length = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(1 << 20, left)))
        self._answer(length)

    def _answer(self, got: int) -> None:
        body = json.dumps({"got": got, "path": self.path, "headers": dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the library has it
        pass


@contextmanager
def open_shop() -> Iterator[int]:
    """The port of a Shop."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


class Store:
    """A store's Service and Ingress as its chart has them, and who is behind it."""

    def __init__(self, admin: KubernetesApi, helm: Path, host: str, port: int) -> None:
        self._admin = admin
        self._helm = helm
        self._host = host
        self._port = port
        self.namespace = release_name(ci_values("minimal"))
        self._core = f"/api/v1/namespaces/{self.namespace}"
        self._ingresses = f"/apis/networking.k8s.io/v1/namespaces/{self.namespace}/ingresses"
        self._slices = f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices"

    def create(self) -> None:
        """All of it, with nobody ready."""
        self._admin.create(
            f"{self._core}/services", named(self._objects(self._host), "Service", "storefront")
        )
        self._admin.create(self._ingresses, named(self._objects(self._host), "Ingress", "storefront"))
        self._admin.create(self._slices, self._slice(ready=False))

    def ready(self, ready: bool) -> None:
        """Whether its pod is."""
        self._admin.replace(f"{self._slices}/storefront-test", self._slice(ready=ready))

    def move(self, host: str, former: str) -> None:
        """To another host name, with the former one kept."""
        ingress = named(self._objects(host, former), "Ingress", "storefront")
        self._admin.replace(f"{self._ingresses}/storefront", ingress)

    def delete(self) -> None:
        """Its Ingress, as a purged store's."""
        for path in (f"{self._ingresses}/storefront", f"{self._core}/services/storefront"):
            self._admin.delete(path)
        self._admin.delete(f"{self._slices}/storefront-test")

    def _objects(self, host: str, former: str = "") -> list[Object]:
        values = changed(ci_values("minimal"), "store.hostname", host)
        values = changed(values, "store.address", f"https://{host}")
        values = changed(values, "store.formerHostname", former)
        return Renderer(self._helm).objects(changed(values, "ingress.className", "stores"))

    def _slice(self, *, ready: bool) -> Object:
        labels = {
            "kubernetes.io/service-name": "storefront",
            "endpointslice.kubernetes.io/managed-by": "test",
        }
        return {
            "metadata": {"name": "storefront-test", "labels": labels},
            # As a name, because the API server takes no address of the loopback for a pod's.
            "addressType": "FQDN",
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": ready}}],
            "ports": [{"name": "http", "port": self._port, "protocol": "TCP"}],
        }
