"""Provider `simulated`: a real control plane on a machine that runs no containers; pods only pretend.

etcd, API server, controller manager and scheduler are the real ones, as processes of the place.
RBAC, Pod Security, quotas, limits and the other admission plugins judge as in any cluster. kwok plays
the node: it reports pods ready after a delay, and claims bound. Nothing runs in the pods: no logs, no
network, no storage.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dev.cluster import build, go, identities, parts, stages
from dev.cluster.build import Tools
from dev.cluster.cluster import Cluster, ClusterError, Say
from dev.cluster.control_plane import ControlPlane, Shape, create_missing, setting, told
from dev.cluster.part import alone, ensure, halt
from dev.machine.place import Place

CONTEXT = "urumi-simulated"
KWOK = "kwok"
ALL = (*parts.ALL, KWOK)
"""In the order of their start."""

_CONTROLLERS = (
    # Claims have no volumes here; see settings/claim-stages.yaml.
    "--controllers=*,-persistentvolume-binder-controller",
    # The node is not real: kwok dead for a minute must not make its pods unready, for no
    # kubelet would ever make them ready again.
    "--node-monitor-grace-period=24h",
)


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
        tools = build.tools(build.SIMULATED, say)
        shape = Shape(CONTEXT, "cluster", parts.Network(), _CONTROLLERS, setting("scheduler-simulated.yaml"))
        with alone(place, say), told(place):
            plane = ControlPlane(place, tools, shape)
            api = plane.servers()
            node = setting("node.yaml")
            create_missing(
                api,
                {
                    "/apis/storage.k8s.io/v1/storageclasses": [setting("storage-class.yaml")],
                    "/api/v1/nodes": [node],
                },
            )
            plane.clients(api)
            config = plane.kubeconfig_file(api, identities.KWOK)
            configuration = plane.written("kwok.yaml", stages.configuration(tools.kwok_stages, delay))
            argv = _kwok(tools, config, configuration, node["metadata"]["name"])
            ensure(place, KWOK, argv, reads=[config, configuration], home=plane.home)
            plane.await_usable(api, node["metadata"]["name"], KWOK)
        say(f"cluster answers at {api.server}; pods are simulated, ready after {delay:g} s")
        return Cluster(self.name, place.kubeconfig, tools.helm, "simulated", ALL)

    def down(self, place: Place) -> None:
        with alone(place, lambda _: None):
            # Clients before servers: what still watches would keep the server from ending.
            for name in reversed(ALL):
                halt(place, name)

    def forget(self, place: Place) -> None:
        """Nothing: all of it is in the place's folder."""


def _kwok(tools: Tools, kubeconfig: Path, configuration: Path, node: str) -> list[str]:
    return [
        str(tools.kwok),
        f"--kubeconfig={kubeconfig}",
        f"--config={configuration}",
        f"--manage-single-node={node}",
        # With a lease, a kwok that is started after a crash waits 40 s for its dead predecessor.
        "--node-lease-duration-seconds=0",
        "--cidr=10.128.0.0/9",
        "--node-ip=192.0.2.2",
    ]
