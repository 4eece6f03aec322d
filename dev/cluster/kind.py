"""Provider `kind`: a Kubernetes in a Docker container, with real pods.

One cluster named `urumi` per machine, shared by all places on it. The tests run this module against
stand-ins for `kind` and `docker`; no machine with the real ones has run it yet.
"""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor

from dev.cluster import build, kind_images, kind_node
from dev.cluster.cluster import Cluster, ClusterError, Say
from dev.cluster.command import run
from dev.cluster.kind_node import CLUSTER, NODE
from dev.cluster.reach import answers
from dev.front_door import part as front_door
from dev.machine.place import Place
from dev.machine.private_files import write_private
from images.definitions import DEFINITIONS

_PATIENCE = 120.0  # seconds until the API server must answer
_AT_THE_DOOR = 30.0  # seconds until a front door that is ready must answer on this machine's port


class Kind:
    """A cluster that kind makes."""

    name = "kind"

    def unfit(self) -> str | None:
        if shutil.which("docker") is None:
            return "there is no `docker`: install a Docker engine"
        if shutil.which("kind") is None:
            return "there is no `kind`: get it from https://kind.sigs.k8s.io"
        try:
            run("docker", "info", seconds=10)
        except ClusterError:
            return "the Docker engine does not answer `docker info`: start it, or allow this user to use it"
        return None

    def up(self, place: Place, say: Say) -> Cluster:
        if reason := self.unfit():
            raise ClusterError(reason)
        with ThreadPoolExecutor() as threads:
            built = threads.submit(kind_images.images, say)
            helm = build.helm(say)
            _cluster(place, say)
            stores, archives = built.result()
        brought = kind_node.bring(archives, say)
        kind_node.let_claims_grow()
        kind_node.open_front_door(brought[DEFINITIONS[kind_images.FRONT_DOOR].reference])
        port = _front_door()
        say(f"kind cluster {CLUSTER} answers; stores answer at *.localhost:{port}")
        return Cluster(
            self.name,
            place.kubeconfig,
            helm,
            "real",
            (),
            front_door=port,
            values=stores.values(brought),
        )

    def down(self, place: Place) -> None:  # noqa: ARG002 - one cluster for all places
        if shutil.which("docker") and shutil.which("kind") and _exists():
            run("docker", "stop", NODE)


def _cluster(place: Place, say: Say) -> None:
    """Have the cluster answer, and its kubeconfig in the place."""
    if _exists():
        # Stopped by `down`, or by a restart of the machine; no matter if it runs.
        run("docker", "start", NODE)
        if _answers(place):
            return
        say(f"the kind cluster {CLUSTER} was never made to its end: making it anew")
        run("kind", "delete", "cluster", "--name", CLUSTER)
    say(f"making the kind cluster {CLUSTER}: a few minutes the first time, for its image")
    kubeconfig = str(place.kubeconfig)
    run(
        "kind", "create", "cluster", "--name", CLUSTER, "--config", "-", "--kubeconfig", kubeconfig,
        "--wait", "120s",
        given=kind_node.configuration(),
    )  # fmt: skip
    _answers(place)


def _answers(place: Place) -> bool:
    """Wait for the cluster, with its kubeconfig in the place; False if kind was killed while it made it.

    Raises ClusterError.
    """
    if not kind_node.is_begun():
        return False
    write_private(place.kubeconfig, run("kind", "get", "kubeconfig", "--name", CLUSTER))
    if not answers(place.kubeconfig, patience=_PATIENCE):
        raise ClusterError(
            f"the kind cluster {CLUSTER} does not answer after {_PATIENCE:g} s: see `docker logs "
            f"{NODE}`, or make it anew after `kind delete cluster --name {CLUSTER}` (loses its stores)"
        )
    return kind_node.is_whole()


def _front_door() -> int:
    """The port of 127.0.0.1 at which the front door answers. Raises ClusterError."""
    port = kind_node.port()
    give_up = time.monotonic() + _AT_THE_DOOR
    while not front_door.answers(port):
        if time.monotonic() > give_up:
            raise ClusterError(
                f"the front door is ready in the cluster, but 127.0.0.1:{port} does not answer after "
                f"{_AT_THE_DOOR:g} s: see `docker port {NODE}`"
            )
        time.sleep(0.2)
    return port


def _exists() -> bool:
    return CLUSTER in run("kind", "get", "clusters").split()
