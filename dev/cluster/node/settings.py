"""The settings of a node's parts, as the files that they read.

Paths are those inside the node's namespaces (`inside.py`): /run/place is the place's own folder, /run/tools
the built tools; both are short, wherever the checkout is.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import yaml

from dev.cluster.node.network import Block

HOME = "/run/place/data/node"
NODE = "urumi-node"


class Ready(NamedTuple):
    """Where a part tells that it does its work, at the node's address."""

    port: int
    path: str


READY = {
    "kubelet": Ready(10248, "/healthz"),
    "kube-proxy": Ready(10256, "/healthz"),
    "coredns": Ready(8181, "/ready"),
}
SANDBOX = "docker.io/urumi/pause:1"
_SOCKET = "/run/containerd/containerd.sock"


def containerd(runc: str) -> str:
    """containerd's TOML, version 4 of its format."""
    return f"""\
version = 4
root = '{HOME}/containerd'
state = '/run/containerd'
# Each of these would make folders in /opt, or take what this machine has set for another containerd.
disabled_plugins = ['io.containerd.internal.v1.opt', 'io.containerd.nri.v1.nri',
  'io.containerd.image-verifier.v1.bindir', 'io.containerd.snapshotter.v1.blockfile',
  'io.containerd.snapshotter.v1.erofs', 'io.containerd.differ.v1.erofs',
  'io.containerd.mount-handler.v1.erofs']

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '{SANDBOX}'

[plugins.'io.containerd.cri.v1.runtime']
# Not every root may make a process likelier to be spared than itself.
restrict_oom_score_adj = true
cdi_spec_dirs = []

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = '{runc}'

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['/run/tools']
conf_dir = '{HOME}/cni'
use_internal_loopback = true
"""


def cni(block: Block) -> str:
    """The network of pods: one bridge, an address from the block each."""
    return json.dumps(
        {
            "cniVersion": "1.0.0",
            "name": "urumi",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": "pods",
                    "isGateway": True,
                    "hairpinMode": True,
                    "ipam": {
                        "type": "host-local",
                        # Forgotten with the pods.
                        "dataDir": "/run/addresses",
                        "ranges": [[{"subnet": str(block.pods)}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                }
            ],
        }
    )


def kubelet(block: Block, group: str) -> str:
    """KubeletConfiguration."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": str(block.node),
            "healthzBindAddress": str(block.node),
            "healthzPort": READY["kubelet"].port,
            "readOnlyPort": 0,
            # The API server alone has a certificate: pods reach this address, too.
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": False},
                "x509": {"clientCAFile": f"{HOME}/kubelet-client.crt"},
            },
            "authorization": {"mode": "AlwaysAllow"},
            "clusterDNS": [str(block.node)],
            "clusterDomain": "cluster.local",
            "resolvConf": "",
            "containerRuntimeEndpoint": f"unix://{_SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{group}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "maxPods": 200,
            # What else is on this machine's disk is not the node's to judge, and images come by hand.
            "evictionHard": {"memory.available": "100Mi"},
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "podLogsDir": f"{HOME}/pod-logs",
            "volumePluginDir": f"{HOME}/volume-plugins",
        }
    )


def proxy(block: Block, kubeconfig: str) -> str:
    """KubeProxyConfiguration."""
    settings: dict[str, Any] = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": kubeconfig},
        "mode": "iptables",
        "clusterCIDR": str(block.pods),
        "hostnameOverride": NODE,
        "bindAddress": str(block.node),
        "healthzBindAddress": f"{block.node}:{READY['kube-proxy'].port}",
        "metricsBindAddress": "127.0.0.1:10249",
        "oomScoreAdj": 0,
        # Connection tracking is the whole machine's.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "iptables": {"minSyncPeriod": "100ms"},
    }
    return yaml.safe_dump(settings)


def names(kubeconfig: str) -> str:
    """CoreDNS's Corefile: the cluster's own names, and nothing of the world."""
    return f"""\
.:53 {{
    errors
    ready :{READY["coredns"].port}
    kubernetes cluster.local {{
        kubeconfig {kubeconfig}
        ttl 5
    }}
}}
"""
