"""Provider `node`: a real node of a real cluster on this machine, without Docker.

The control plane runs as processes of the place, as with `simulated`. containerd, kubelet, kube-proxy,
CoreDNS and what makes volumes run in namespaces of their own (space.py), so that neither mounts nor rules nor
links of theirs are to be seen outside and one kill ends them all. HAProxy is the front door, on 127.0.0.1.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from dev.cluster import build, command, go, identities, parts
from dev.cluster.api import Api
from dev.cluster.build import Tools
from dev.cluster.cluster import Cluster, ClusterError, Say
from dev.cluster.control_plane import ControlPlane, Shape, create_missing, setting, told
from dev.cluster.node import certificates, commands, network, settings
from dev.cluster.node.groups import Groups
from dev.cluster.node.images import Images
from dev.cluster.node.space import PART as SPACE
from dev.cluster.node.space import Space, entering, load_bridge_rules
from dev.cluster.part import SECONDS, alone, ensure, ensure_listening, halt
from dev.cluster.store_images import StoreImages
from dev.front_door import part as front_door
from dev.machine.place import Place
from dev.machine.waiting import http_status, until

CONTEXT = "urumi-node"
FRONT_DOOR = "front-door"
ALL = (SPACE, commands.CONTAINERD, *parts.ALL, *commands.ALL[1:], FRONT_DOOR)
"""In the order of their start."""

_PROGRAMS = {
    "runc": "runc", "iptables": "iptables", "ip": "iproute2", "nsenter": "util-linux", "haproxy": "haproxy",
    "mmdebstrap": "mmdebstrap",
}  # fmt: skip
"""Programs of this machine that a node needs, and the Debian packages that have them."""

NO_POLICIES = (
    "NetworkPolicies are not enforced here: no policy engine can be had without a container registry. "
    "Stores can reach each other's pods; this machine and the world they cannot reach."
)


class Node:
    """Real pods on a machine without Docker."""

    name = "node"

    def unfit(self) -> str | None:
        if sys.platform != "linux":
            return f"it runs on Linux, not on {sys.platform}"
        if os.geteuid() != 0:
            return "its namespaces and control groups take root: run as root, or install Docker and kind"
        missing = [
            package
            for program, package in _PROGRAMS.items()
            if not shutil.which(program, path=command.path())
        ]
        if missing:
            return f"these programs are missing: 'apt-get install {' '.join(missing)}' on Debian or Ubuntu"
        try:
            go.find()
            command.run("unshare", "--mount", "--net", "--pid", "--fork", "true")
            load_bridge_rules()
            groups = Groups(f"urumi-fits-{os.getpid()}")
            groups.make()
            groups.remove()
        except ClusterError as error:
            return str(error)
        return None

    def up(self, place: Place, say: Say) -> Cluster:
        if reason := self.unfit():
            raise ClusterError(reason)
        with ThreadPoolExecutor() as threads:
            stores = threads.submit(StoreImages.from_environment, say)
            tools = build.tools(build.NODE, say)
            images = stores.result()
        with alone(place, say), told(place):
            machine = _Machine(place, tools, say)
            brought = machine.up(images.archives)
            port = machine.front_door()
        say(f"cluster answers, its pods are real; stores answer at *.localhost:{port}")
        say(NO_POLICIES)
        return Cluster(
            self.name,
            place.kubeconfig,
            tools.helm,
            "real",
            ALL,
            front_door=port,
            values=images.values(brought),
        )

    def down(self, place: Place) -> None:
        with alone(place, lambda _: None):
            for name in (FRONT_DOOR, *reversed(commands.ALL[1:])):
                halt(place, name)
            Space(place, place.name).close()
            network.disconnect(place.name)
            for name in (commands.CONTAINERD, *reversed(parts.ALL)):
                halt(place, name)

    def forget(self, place: Place) -> None:
        """Nothing: `down` removes what is outside of the place's folder."""


class _Machine:
    """One place's node while it is started."""

    def __init__(self, place: Place, tools: Tools, say: Say) -> None:
        self._place = place
        self._tools = tools
        self._say = say
        self._home = place.data / "node"
        self._home.mkdir(exist_ok=True)
        link = place.name
        self._block = network.block(self._home / "addresses", link)
        self._process = Space(place, link).open(tools.folder, self._home)
        network.connect(self._block, link, self._process)
        self._plane = ControlPlane(place, tools, self._shape())

    def up(self, archives: Mapping[str, Path]) -> dict[str, str]:
        """Have everything but the front door; the references of the store's images."""
        self._written(
            "containerd.toml", settings.containerd(shutil.which("runc", path=command.path()) or "runc")
        )
        self._run(commands.CONTAINERD, commands.containerd(), "containerd.toml")
        (self._home / "cni").mkdir(exist_ok=True)
        self._written("cni/urumi.conflist", settings.cni(self._block))
        images = Images(self._entering, self._home)
        until(self._place, commands.CONTAINERD, self._containerd_answers, seconds=SECONDS)
        with ThreadPoolExecutor() as threads:
            images.bring_sandbox(self._tools.pause)
            brought = threads.submit(images.bring, archives, self._say)
            api = self._plane.servers()
            self._api = api
            self._objects(api)
            self._plane.clients(api)
            self._node(api)
            self._plane.await_usable(api, settings.NODE, commands.KUBELET)
            for part, where in settings.READY.items():
                until(self._place, part, partial(self._says_ready, where), seconds=SECONDS)
            return brought.result()

    def front_door(self) -> int:
        """Have the front door; the port on which it answers."""
        config = self._plane.kubeconfig_file(self._api, identities.FRONT_DOOR)
        folder = self._home / "front-door"
        folder.mkdir(exist_ok=True)
        return ensure_listening(
            self._place,
            FRONT_DOOR,
            lambda port: front_door.command(sys.executable, config, folder, port),
            front_door.answers,
            reads=[config, *sorted(Path(front_door.__file__).parent.glob("*.py"))],
            home=self._home,
            preferred=front_door.PORT,
        )

    def _shape(self) -> Shape:
        address = str(self._block.machine)
        return Shape(
            CONTEXT,
            "node",
            parts.Network(address, address, str(self._block.services)),
            (),
            setting("scheduler.yaml"),
            certificates.kubelet_client(self._home),
        )

    def _objects(self, api: Api) -> None:
        classes = {"/apis/storage.k8s.io/v1/storageclasses": [setting("node-storage-class.yaml")]}
        create_missing(api, {**setting("node-rights.yaml"), **classes})

    def _node(self, api: Api) -> None:
        kubeconfigs = {
            identity: f"{settings.HOME}/{self._plane.kubeconfig_file(api, identity).name}"
            for identity in (identities.KUBELET, identities.PROXY, identities.NAMES, identities.VOLUMES)
        }
        self._written("kubelet.yaml", settings.kubelet(self._block, self._place.name))
        self._written("kube-proxy.yaml", settings.proxy(self._block, kubeconfigs[identities.PROXY]))
        self._written("Corefile", settings.names(kubeconfigs[identities.NAMES]))
        (self._home / "volumes").mkdir(mode=0o711, exist_ok=True)
        # Before the kubelet: pods that are started again look for their database at once.
        self._run(commands.PROXY, commands.proxy(), "kube-proxy.yaml", "kube-proxy.kubeconfig")
        self._run(commands.NAMES, commands.names(), "Corefile", "coredns.kubeconfig")
        self._run(commands.VOLUMES, commands.volumes(kubeconfigs[identities.VOLUMES]), "volumes.kubeconfig")
        kubelet = commands.kubelet(self._block, kubeconfigs[identities.KUBELET])
        self._run(commands.KUBELET, kubelet, "kubelet.yaml", "kubelet.kubeconfig")

    def _run(self, part: str, argv: Sequence[str], *reads: str) -> None:
        files = [self._home / name for name in reads]
        ensure(self._place, part, [*self._entering, *argv], reads=files, home=self._home)

    def _written(self, name: str, text: str) -> None:
        self._plane.written(name, text)

    def _containerd_answers(self) -> bool:
        try:
            command.run(*self._entering, "/run/tools/ctr", "version")
        except ClusterError:
            return False
        return True

    def _says_ready(self, where: settings.Ready) -> bool:
        return http_status(where.port, where.path, host=str(self._block.node)) == 200

    @property
    def _entering(self) -> Sequence[str]:
        return entering(self._process)
