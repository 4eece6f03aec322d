"""The command lines of a node's parts, as they are run inside its namespaces."""

from __future__ import annotations

from dev.cluster.node.network import Block
from dev.cluster.node.settings import HOME, NODE

CONTAINERD = "containerd"
KUBELET = "kubelet"
PROXY = "kube-proxy"
NAMES = "coredns"
VOLUMES = "volumes"
ALL = (CONTAINERD, PROXY, NAMES, VOLUMES, KUBELET)
"""In the order of their start."""


def containerd() -> list[str]:
    return ["/run/tools/containerd", f"--config={HOME}/containerd.toml", "--log-level=warn"]


def kubelet(block: Block, kubeconfig: str) -> list[str]:
    return [
        "/run/tools/kubelet",
        f"--config={HOME}/kubelet.yaml",
        f"--kubeconfig={kubeconfig}",
        f"--root-dir={HOME}/kubelet",
        f"--cert-dir={HOME}/kubelet-certificates",
        f"--hostname-override={NODE}",
        f"--node-ip={block.node}",
    ]


def proxy() -> list[str]:
    return ["/run/tools/kube-proxy", f"--config={HOME}/kube-proxy.yaml"]


def names() -> list[str]:
    return ["/run/tools/coredns", f"-conf={HOME}/Corefile"]


def volumes(kubeconfig: str) -> list[str]:
    return [
        "/run/tools/volumes",
        f"-kubeconfig={kubeconfig}",
        f"-folder={HOME}/volumes",
        f"-node={NODE}",
    ]
