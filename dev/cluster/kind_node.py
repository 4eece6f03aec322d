"""What is done in the one node of a kind cluster, which is a container."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dev.cluster.cluster import ClusterError, Say
from dev.cluster.command import run
from dev.front_door import part as front_door
from dev.machine.ports import free_port

_SETTINGS = Path(__file__).parent / "settings"
_CTR = ("ctr", "--namespace=k8s.io", "images")
_ADMIN = "/etc/kubernetes/admin.conf"
_KUBECTL = ("kubectl", f"--kubeconfig={_ADMIN}")
_CLASS = "standard"  # of kind's own volumes
_PORT = 8088  # in the node
_SECONDS = 120


def configuration() -> str:
    """kind's configuration of a new cluster, with a port of this machine for the front door.

    `URUMI_KIND_IMAGE` names the node's image where it is not to be the one that kind itself would pull.
    """
    content: dict[str, Any] = yaml.safe_load((_SETTINGS / "kind-cluster.yaml").read_text())
    (node,) = content["nodes"]
    node["extraPortMappings"][0]["hostPort"] = free_port(front_door.PORT)
    if image := os.environ.get("URUMI_KIND_IMAGE"):
        node["image"] = image
    return yaml.safe_dump(content)


@dataclass(frozen=True)
class Node:
    """The only node of the kind cluster with that name."""

    cluster: str

    @property
    def name(self) -> str:
        """The name of the container."""
        return f"{self.cluster}-control-plane"

    def port(self) -> int:
        """The port of 127.0.0.1 that leads to the front door; it is the cluster's as long as there is one.

        Raises ClusterError.
        """
        try:
            found = run("docker", "port", self.name, f"{_PORT}/tcp").splitlines()[0]
        except (ClusterError, IndexError) as error:
            raise ClusterError(
                f"the kind cluster {self.cluster} was made without a port for its front door: have it made "
                f"anew after `kind delete cluster --name {self.cluster}` (loses its stores)"
            ) from error
        return int(found.rpartition(":")[2])

    def is_begun(self) -> bool:
        """Whether there is a Kubernetes in the node, or at least the beginning of one."""
        return bool(self._inside("sh", "-c", f"ls {_ADMIN} 2>/dev/null || true"))

    def is_whole(self) -> bool:
        """Whether kind made the cluster to its end: the class of volumes is what it adds last.

        The API server must answer. No store was ever in a cluster without that class. Raises ClusterError.
        """
        return bool(
            self._inside(*_KUBECTL, "get", "storageclass", _CLASS, "--ignore-not-found", "--output=name")
        )

    def bring(self, archives: Mapping[str, Path], say: Say) -> dict[str, str]:
        """Load those images that the node has not; the references under which it has them.

        A reference gets the archive's digests in its tag, so that another image is another reference.
        Raises ClusterError.
        """
        there = set(self._inside(*_CTR, "ls", "--quiet").split())
        brought = {}
        for reference, archive in archives.items():
            packages, ours = archive.name.removesuffix(".oci.tar").split("-")[-2:]
            brought[reference] = f"{reference}-{packages}-{ours}"
            if f"docker.io/{brought[reference]}" not in there:
                say(f"kind: loading the image {reference}")
                run("kind", "load", "image-archive", str(archive), "--name", self.cluster)
                self._inside(
                    *_CTR, "tag", "--force", f"docker.io/{reference}", f"docker.io/{brought[reference]}"
                )
        return brought

    def let_claims_grow(self) -> None:
        """Have the cluster take a larger size of a claim. Raises ClusterError.

        kind's own volumes are folders of the node, which no size bounds and nobody makes larger: the claim
        keeps saying what it had.
        """
        growing = '{"allowVolumeExpansion": true}'
        self._inside(*_KUBECTL, "patch", "storageclass", _CLASS, f"--patch={growing}")

    def open_front_door(self, image: str) -> None:
        """Have the front door in the cluster with that image; returns when it is ready.

        Raises ClusterError.
        """
        objects = list(yaml.safe_load_all((_SETTINGS / "kind-front-door.yaml").read_text()))
        objects[-1]["spec"]["template"]["spec"]["containers"][0]["image"] = image
        self._inside(
            *_KUBECTL, "apply", "--server-side", "--force-conflicts", "--filename=-",
            given=yaml.safe_dump_all(objects),
        )  # fmt: skip
        self._inside(
            *_KUBECTL, "--namespace=urumi-front-door", "rollout", "status", "deployment/front-door",
            f"--timeout={_SECONDS}s",
        )  # fmt: skip

    def _inside(self, *argv: str, given: str = "") -> str:
        return run("docker", "exec", "--interactive", self.name, *argv, given=given)
