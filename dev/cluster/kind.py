"""Provider `kind`: a Kubernetes in a Docker container, with real pods.

One cluster named `urumi` per machine, shared by all places on it. The tests run this module against
a stand-in for `kind` and `docker`; against the real ones only the continuous integration runs it.
"""

from __future__ import annotations

import shutil
import subprocess

from dev.cluster import build
from dev.cluster.cluster import Cluster, ClusterError, Say
from dev.cluster.reach import answers
from dev.machine.place import Place
from dev.machine.private_files import write_private

CLUSTER = "urumi"
_NODE = f"{CLUSTER}-control-plane"
_PATIENCE = 120.0  # seconds until the API server must answer


class Kind:
    """A cluster that kind makes."""

    name = "kind"

    def unfit(self) -> str | None:
        if shutil.which("docker") is None:
            return "there is no `docker`: install a Docker engine"
        if shutil.which("kind") is None:
            return "there is no `kind`: get it from https://kind.sigs.k8s.io"
        try:
            _run("docker", "info", seconds=10)
        except ClusterError:
            return "the Docker engine does not answer `docker info`: start it, or allow this user to use it"
        return None

    def up(self, place: Place, say: Say) -> Cluster:
        if reason := self.unfit():
            raise ClusterError(reason)
        helm = build.helm(say)
        if _exists():
            # Stopped by `down`, or by a restart of the machine; no matter if it runs.
            _run("docker", "start", _NODE)
        else:
            say(f"making the kind cluster {CLUSTER}: a few minutes the first time, for its image")
            kubeconfig = str(place.kubeconfig)
            _run("kind", "create", "cluster", "--name", CLUSTER, "--kubeconfig", kubeconfig, "--wait", "120s")
        write_private(place.kubeconfig, _run("kind", "get", "kubeconfig", "--name", CLUSTER))
        if not answers(place.kubeconfig, patience=_PATIENCE):
            raise ClusterError(
                f"the kind cluster {CLUSTER} does not answer after {_PATIENCE:g} s: see `docker logs "
                f"{_NODE}`, or make it anew after `kind delete cluster --name {CLUSTER}` (loses its stores)"
            )
        say(f"kind cluster {CLUSTER} answers")
        return Cluster(self.name, place.kubeconfig, helm, "real", ())

    def down(self, place: Place) -> None:  # noqa: ARG002 - one cluster for all places
        if shutil.which("docker") and shutil.which("kind") and _exists():
            _run("docker", "stop", _NODE)


def _exists() -> bool:
    return CLUSTER in _run("kind", "get", "clusters").split()


def _run(*argv: str, seconds: float = 900) -> str:
    """What the command prints. Raises ClusterError with its last complaint."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"`{' '.join(argv)}` did not end within {seconds:g} s") from error
    if done.returncode != 0:
        complaint = "\n".join(done.stderr.strip().splitlines()[-10:])
        raise ClusterError(f"`{' '.join(argv)}` failed:\n{complaint}")
    return done.stdout
