"""Provider `simulated`: a real control plane on a machine that runs no containers; pods only pretend.

etcd, API server, controller manager and scheduler are the real ones, as processes of the place.
RBAC, Pod Security, quotas, limits and the other admission plugins judge as in any cluster. kwok plays
the node: it reports pods ready after a delay, and claims bound. Nothing runs in the pods: no logs, no
network, no storage.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager

from dev.cluster import build, go, parts, stages
from dev.cluster.cluster import Cluster, ClusterError, Say
from dev.cluster.control_plane import ControlPlane
from dev.cluster.lock import locked
from dev.cluster.part import halt
from dev.machine.place import Place


class Simulated:
    """A real Kubernetes API server with pretended pods."""

    name = "simulated"

    def unfit(self) -> str | None:
        if sys.platform not in {"linux", "darwin"}:
            return f"it runs on Linux and macOS, not on {sys.platform}"
        try:
            go.find()
        except ClusterError as error:
            return str(error)
        return None

    def up(self, place: Place, say: Say) -> Cluster:
        delay = stages.pod_delay()
        tools = build.tools(say)
        with _alone(place, say):
            ControlPlane(place, tools).up(delay, say)
        return Cluster(self.name, place.kubeconfig, tools.helm, "simulated", parts.ALL)

    def down(self, place: Place) -> None:
        with _alone(place, lambda _: None):
            # Clients before servers: what still watches would keep the server from ending.
            for name in reversed(parts.ALL):
                halt(place, name)


def _alone(place: Place, say: Say) -> AbstractContextManager[None]:
    return locked(place.run / "cluster.lock", waiting=lambda: say("another run is at the cluster; waiting"))
