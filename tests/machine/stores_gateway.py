"""The stores' gateway as a cell in the cloud runs it: what its chart renders, as a process here."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dev.machine.place import CHECKOUT
from dev.machine.ports import free_port
from tests.certificates import Certificate

CHART = CHECKOUT / "infra/terraform/platform/gateway"
NAMESPACE = "front-door"
HEALTH = "/healthz"

Object = dict[str, Any]


def rendered(helm: Path) -> list[Object]:
    """All that the chart makes."""
    done = subprocess.run(
        [
            helm,
            "template",
            "front-door",
            CHART,
            "--namespace",
            NAMESPACE,
            "--values",
            CHART / "ci/example.yaml",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def pod_of(objects: list[Object]) -> Object:
    """The template of the gateway's pods."""
    (deployment,) = (each for each in objects if each["kind"] == "Deployment")
    template: Object = deployment["spec"]["template"]
    return template


class Mounted:
    """A folder with a Secret's files, written as the kubelet does: all of them change at one moment."""

    def __init__(self, folder: Path, shown: Certificate) -> None:
        self.folder = folder
        self._times = 0
        folder.mkdir()
        for name in ("tls.crt", "tls.key"):
            (folder / name).symlink_to(f"..data/{name}")
        self.write(shown)

    def write(self, certificate: Certificate) -> None:
        """Another certificate."""
        self._times += 1
        data = self.folder / f"..{self._times}"
        data.mkdir()
        (data / "tls.crt").write_text(certificate.pem)
        (data / "tls.key").write_text(certificate.key)
        beside = self.folder / "..data_tmp"
        beside.symlink_to(data.name)
        beside.rename(self.folder / "..data")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Gateway:
    """One that runs."""

    process: subprocess.Popen[bytes]
    http: int
    https: int
    trust: ssl.SSLContext

    def connect(self, host: str, *, secure: bool = True) -> socket.socket:
        """A connection to it, as of a browser that asks for `host`."""
        plain = socket.create_connection(("127.0.0.1", self.https if secure else self.http), timeout=20)
        return self.trust.wrap_socket(plain, server_hostname=host) if secure else plain

    def ask(
        self,
        host: str,
        path: str = "/",
        *,
        secure: bool = True,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """One request."""
        connection = http.client.HTTPConnection(host)
        connection.sock = self.connect(host, secure=secure)
        try:
            connection.request("POST" if body else "GET", path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read())
        finally:
            connection.close()

    def becomes(self, status: int, host: str, seconds: float = 15) -> Answer:
        """The first answer of that status."""
        give_up = time.monotonic() + seconds
        while (answer := self.ask(host)).status != status:
            assert time.monotonic() < give_up, answer
            time.sleep(0.1)
        return answer

    def healthy(self) -> bool:
        """What the kubelet's readiness probe finds."""
        try:
            return self.ask("127.0.0.1", HEALTH, secure=False).status == 200
        except OSError:
            return False


@contextmanager
def running(
    program: Path, objects: list[Object], *, kubeconfig: Path, mounted: Path, trust: str, log: Path
) -> Iterator[Gateway]:
    """The program with the chart's arguments, but for addresses and paths: ready, and ended afterwards."""
    http_port, https_port = free_port(), free_port()
    (container,) = pod_of(objects)["spec"]["containers"]
    instead = {
        "-http=:8080": f"-http=127.0.0.1:{http_port}",
        "-https=:8443": f"-https=127.0.0.1:{https_port}",
        "-certificate=/certificate": f"-certificate={mounted}",
        "-drain=30s": "-drain=1s",
    }
    assert instead.keys() <= {*container["args"]}
    arguments = [instead.get(each, each) for each in container["args"]]
    with log.open("ab") as out:
        process = subprocess.Popen(
            # Of a pod it knows by itself where the API server is, and who it is there.
            [program, *arguments, f"-kubeconfig={kubeconfig}"],
            stdout=out,
            stderr=out,
            env={"PATH": os.defpath},
        )
    gateway = Gateway(process, http_port, https_port, ssl.create_default_context(cadata=trust))
    try:
        give_up = time.monotonic() + 20
        while not gateway.healthy():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < give_up, log.read_text()
            time.sleep(0.1)
        yield gateway
    finally:
        process.kill()
        process.wait()
