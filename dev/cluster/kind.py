"""Provider `kind`: a Kubernetes in a Docker container, with real pods.

Each place has a cluster of its own: what a cluster holds is what one place's database knows. The tests run
this module against stand-ins for `kind` and `docker`; README.md says what was run with the real ones.
"""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor

from dev.cluster import build, kind_images
from dev.cluster.cluster import Cluster, ClusterError, Say
from dev.cluster.command import run
from dev.cluster.kind_node import Node, configuration
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
        node = Node(place.name)
        with ThreadPoolExecutor() as threads:
            built = threads.submit(kind_images.images, say)
            helm = build.helm(say)
            _cluster(place, node, say)
            stores, archives = built.result()
        brought = node.bring(archives, say)
        node.let_claims_grow()
        node.open_front_door(brought[DEFINITIONS[kind_images.FRONT_DOOR].reference])
        port = _front_door(node)
        say(f"kind cluster {node.cluster} answers; stores answer at *.localhost:{port}")
        return Cluster(
            self.name,
            place.kubeconfig,
            helm,
            "real",
            (),
            front_door=port,
            values=stores.values(brought),
        )

    def down(self, place: Place) -> None:
        node = Node(place.name)
        if _installed() and _exists(node):
            run("docker", "stop", node.name)

    def forget(self, place: Place) -> None:
        node = Node(place.name)
        if _installed() and _exists(node):
            # Without a kubeconfig it would look into the person's own.
            run("kind", "delete", "cluster", "--name", node.cluster, "--kubeconfig", str(place.kubeconfig))


def _cluster(place: Place, node: Node, say: Say) -> None:
    """Have the cluster answer, and its kubeconfig in the place."""
    cluster = ("--name", node.cluster, "--kubeconfig", str(place.kubeconfig))
    if _exists(node):
        # Stopped by `down`, or by a restart of the machine; no matter if it runs.
        run("docker", "start", node.name)
        if _answers(place, node):
            return
        say(f"the kind cluster {node.cluster} was never made to its end: making it anew")
        run("kind", "delete", "cluster", *cluster)
    say(f"making the kind cluster {node.cluster}: a few minutes the first time, for its image")
    run("kind", "create", "cluster", *cluster, "--config", "-", "--wait", "120s", given=configuration())
    _answers(place, node)


def _answers(place: Place, node: Node) -> bool:
    """Wait for the cluster, with its kubeconfig in the place; False if kind was killed while it made it.

    Raises ClusterError.
    """
    if not node.is_begun():
        return False
    write_private(place.kubeconfig, run("kind", "get", "kubeconfig", "--name", node.cluster))
    if not answers(place.kubeconfig, patience=_PATIENCE):
        raise ClusterError(
            f"the kind cluster {node.cluster} does not answer after {_PATIENCE:g} s: see "
            f"`docker logs {node.name}`, or make it anew after `kind delete cluster --name {node.cluster}` "
            "(loses its stores)"
        )
    return node.is_whole()


def _front_door(node: Node) -> int:
    """The port of 127.0.0.1 at which the front door answers. Raises ClusterError."""
    port = node.port()
    give_up = time.monotonic() + _AT_THE_DOOR
    while not front_door.answers(port):
        if time.monotonic() > give_up:
            raise ClusterError(
                f"the front door is ready in the cluster, but 127.0.0.1:{port} does not answer after "
                f"{_AT_THE_DOOR:g} s: see `docker port {node.name}`"
            )
        time.sleep(0.2)
    return port


def _installed() -> bool:
    return bool(shutil.which("docker") and shutil.which("kind"))


def _exists(node: Node) -> bool:
    return node.cluster in run("kind", "get", "clusters").split()
