"""An API server that only lists and watches, with what a test puts into it."""

from __future__ import annotations

import base64
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

INGRESSES = "/apis/networking.k8s.io/v1/ingresses"
SERVICES = "/api/v1/services"
ENDPOINTS = "/apis/discovery.k8s.io/v1/endpointslices"
TOKEN = "the token"

Object = dict[str, Any]


def ingress(
    name: str,
    host: str,
    *,
    namespace: str = "shops",
    kind: str | None = "urumi",
    created: str = "2026-01-01T00:00:00Z",
    service: str | None = None,
    port: Object | None = None,
    path: str = "/",
) -> Object:
    """An Ingress as the chart has it, for one host name."""
    backend = {"service": {"name": service or name, "port": port or {"name": "http"}}}
    return {
        "metadata": {"namespace": namespace, "name": name, "creationTimestamp": created},
        "spec": {
            "ingressClassName": kind,
            "rules": [{"host": host, "http": {"paths": [{"path": path, "backend": backend}]}}],
        },
    }


def service(name: str, address: str, port: int = 80, *, namespace: str = "shops") -> Object:
    """A Service with one port, called http."""
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"clusterIP": address, "ports": [{"name": "http", "port": port, "protocol": "TCP"}]},
    }


def endpoints(name: str, *ready: bool, namespace: str = "shops") -> Object:
    """The EndpointSlice of the Service of that name, with those in it."""
    return {
        "metadata": {
            "namespace": namespace,
            "name": f"{name}-x1y2z",
            "labels": {"kubernetes.io/service-name": name},
        },
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": each}} for each in ready] or None,
    }


class ApiServer:
    """Serves on one port of 127.0.0.1, also after it was stopped and started again."""

    def __init__(self, folder: Path, *, tls: bool = False) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []  # path and query of each request
        self.token = TOKEN
        self.folder = folder
        self._tls = tls
        self._version = 100
        self._oldest = 0  # watches from before are told that it is gone
        self._happened = threading.Condition()
        self._objects: dict[str, dict[tuple[str, str], Object]] = {
            INGRESSES: {},
            SERVICES: {},
            ENDPOINTS: {},
        }
        self._events: list[tuple[int, str, str, Object]] = []
        self._server: ThreadingHTTPServer | None = None
        self._cuts = 0
        self.port = 0
        self.ca = _certificate(folder) if tls else ""

    def start(self) -> None:
        handler = type("Handler", (_Handler,), {"api": self})
        server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        server.daemon_threads = True
        if self._tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.folder / "server.pem")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        self.port = server.server_address[1]
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Away: no new connection, and the watches break."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            self.cut()

    def cut(self) -> None:
        """Break all watches."""
        with self._happened:
            self._cuts += 1
            self._happened.notify_all()

    def kubeconfig(self) -> Path:
        """A kubeconfig for it."""
        cluster = {"server": f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"}
        if self._tls:
            cluster["certificate-authority-data"] = base64.b64encode(self.ca.encode()).decode()
        file = self.folder / "kubeconfig"
        content = {
            "clusters": [{"name": "one", "cluster": cluster}],
            "users": [{"name": "one", "user": {"token": TOKEN}}],
            "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
            "current-context": "one",
        }
        file.write_text(json.dumps(content))
        return file

    def put(self, *objects: Object) -> None:
        """Create or replace."""
        with self._happened:
            for one in objects:
                path = ENDPOINTS if "endpoints" in one else SERVICES
                path = INGRESSES if "ingressClassName" in one.get("spec", {}) else path
                self._version += 1
                one["metadata"]["resourceVersion"] = str(self._version)
                key = (one["metadata"]["namespace"], one["metadata"]["name"])
                kind = "MODIFIED" if key in self._objects[path] else "ADDED"
                self._objects[path][key] = one
                self._events.append((self._version, path, kind, one))
            self._happened.notify_all()

    def delete(self, path: str, name: str, *, namespace: str = "shops") -> None:
        with self._happened:
            self._version += 1
            found = self._objects[path].pop((namespace, name))
            gone = {**found, "metadata": {**found["metadata"], "resourceVersion": str(self._version)}}
            self._events.append((self._version, path, "DELETED", gone))
            self._happened.notify_all()

    def forget(self) -> None:
        """Compact: no watch can go on from before this moment."""
        with self._happened:
            self._version += 1
            self._oldest = self._version
            self._events.clear()

    def page(self, path: str, query: dict[str, str]) -> Object:
        with self._happened:
            first = int(query.get("continue", 0))
            limit = int(query.get("limit", 10**6))
            found = list(self._objects[path].values())
            more = str(first + limit) if first + limit < len(found) else ""
            return {
                "metadata": {"resourceVersion": str(self._version), "continue": more},
                "items": found[first : first + limit],
            }

    def events(self, path: str, version: int, server: ThreadingHTTPServer) -> Iterator[tuple[str, Object]]:
        """For a watch that came to `server`: one that comes as it is stopped breaks, too."""
        cuts = self._cuts
        while True:
            with self._happened:
                if version < self._oldest:
                    yield "ERROR", {"kind": "Status", "code": 410, "message": "too old resource version"}
                    return
                some = [each for each in self._events if each[0] > version and each[1] == path]
                if not some and self._server is server:
                    self._happened.wait()
                if self._cuts != cuts or self._server is not server:
                    return
            for number, _, kind, one in some:
                version = number
                yield kind, one


class _Handler(BaseHTTPRequestHandler):
    api: ApiServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        at = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(at.query).items()}
        self.api.asked.append((at.path, query))
        self.close_connection = True
        if self.headers["Authorization"] != f"Bearer {self.api.token}":
            self._send(401, {"message": "Unauthorized"})
        elif query.get("watch") == "true":
            self._watch(at.path, int(query["resourceVersion"]))
        else:
            self._send(200, self.api.page(at.path, query))

    def _send(self, status: int, content: Object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _watch(self, path: str, version: int) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with suppress(OSError):
            self.wfile.flush()
            for kind, one in self.api.events(path, version, self.server):
                line = json.dumps({"type": kind, "object": one}).encode() + b"\n"
                self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
                self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(folder: Path, *, tls: bool = False) -> Iterator[ApiServer]:
    """A server for the block."""
    api = ApiServer(folder, tls=tls)
    api.start()
    try:
        yield api
    finally:
        api.stop()


def _certificate(folder: Path) -> str:
    """Write a certificate for 127.0.0.1 and its key; returns the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.pem").write_bytes(made + secret)
    return made.decode()
