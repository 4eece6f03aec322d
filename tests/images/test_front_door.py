"""The front door's image as a pod has it: its own user, a root that cannot be written, a service account."""

from __future__ import annotations

import ctypes
import http.client
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import pytest

from dev.cluster.kind_images import FRONT_DOOR
from images import oci
from images.build import archive
from images.definitions import DEFINITIONS
from tests.fakes.api_server import TOKEN, ApiServer, ingress, service
from tests.images.containers import Container, Network, until
from tests.images.shop import unpack

T = TypeVar("T")

DEFINITION = DEFINITIONS[FRONT_DOOR]
ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
SECONDS = 20


class Pod:
    """A front door in a network of its own, with an API server in it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        packed = archive(DEFINITION, print)
        root = folder / "root"
        unpack(packed, oci.layers_of(packed), root)
        # As the container's runtime makes what is mounted.
        (root / ACCOUNT.strip("/")).mkdir(parents=True)
        self.network = Network()
        stack.callback(self.network.close)
        account, scratch, certificates = folder / "account", folder / "scratch", folder / "certificates"
        for one in (account, scratch, certificates):
            one.mkdir()
        scratch.chmod(0o777)
        self.api = ApiServer(certificates, tls=True)
        self.inside(self.api.start)
        stack.callback(self.api.stop)
        (account / "token").write_text(TOKEN)
        (account / "ca.crt").write_text(self.api.ca)
        self.container = Container(
            "front-door", root, DEFINITION.user, self.network, folder / "log",
            [
                "/usr/bin/env", "KUBERNETES_SERVICE_HOST=127.0.0.1",
                f"KUBERNETES_SERVICE_PORT={self.api.port}", DEFINITION.command,
            ],
            {ACCOUNT: account, "/run/front-door": scratch},
        )  # fmt: skip
        self.container.start()
        stack.callback(self.container.kill)

    def inside(self, work: Callable[[], T]) -> T:
        """The result of `work` in a thread whose sockets are in the pod's network."""
        results: list[T] = []

        def run() -> None:
            with open(self.network.entering[1].removeprefix("--net=")) as space:
                assert ctypes.CDLL(None, use_errno=True).setns(space.fileno(), 0) == 0
            results.append(work())

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return results[0]

    def status(self, host: str, path: str = "/") -> int | None:
        """What it answers; None if it does not."""

        def ask() -> int | None:
            connection = http.client.HTTPConnection("127.0.0.1", DEFINITION.port, timeout=5)
            try:
                connection.request("GET", path, headers={"Host": host})
                return connection.getresponse().status
            except OSError:
                return None
            finally:
                connection.close()

        return self.inside(ask)


@pytest.fixture(scope="module")
def pod() -> Iterator[Pod]:
    folder = Path(tempfile.mkdtemp(prefix="urumi-front-door-"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        yield Pod(folder, stack)


def test_it_answers_and_follows_the_cluster_with_its_service_account(pod: Pod) -> None:
    until("it answers", lambda: pod.status("10.0.0.1", "/healthz") == 200, SECONDS)
    assert pod.status("teapots.localhost") == 404
    # Nobody listens there: the store is known, and closed.
    pod.api.put(service("teapots", "127.0.0.9"), ingress("teapots", "teapots.localhost"))
    until("the store is known", lambda: pod.status("teapots.localhost") == 503, SECONDS)
    assert "ERROR" not in pod.container.output()


def test_haproxy_that_dies_is_started_again_in_the_pod(pod: Pod) -> None:
    until("it answers", lambda: pod.status("10.0.0.1", "/healthz") == 200, SECONDS)
    script = "import os, pathlib; [os.kill(int(p.name), 9) for p in pathlib.Path('/proc').glob('[0-9]*') "
    script += "if (p / 'comm').read_text() == 'haproxy\\n']"
    assert pod.container.execute("python3", "-c", script).returncode == 0
    until("it was seen", lambda: "HAProxy ended with -9" in pod.container.output(), SECONDS)
    until("it answers again", lambda: pod.status("10.0.0.1", "/healthz") == 200, SECONDS)


def test_it_ends_at_once_when_the_pod_is_deleted(pod: Pod) -> None:
    until("it answers", lambda: pod.status("10.0.0.1", "/healthz") == 200, SECONDS)
    assert pod.container.kill(signal.Signals[DEFINITION.stop_signal], seconds=5) == 0
