"""The command lines of the simulated cluster's parts. Everything listens on 127.0.0.1 only, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dev.cluster.build import Tools

ETCD = "etcd"
API_SERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
KWOK = "kwok"
ALL = (ETCD, API_SERVER, CONTROLLER_MANAGER, SCHEDULER, KWOK)
"""In the order of their start."""


@dataclass(frozen=True)
class ApiServerFiles:
    """Files that the API server reads and writes."""

    certificates: Path  # folder: it makes its own certificate there
    signing_key: Path
    tokens: Path
    audit_policy: Path
    audit_log: Path


def etcd(tools: Tools, data: Path, port: int) -> list[str]:
    # Peers are never asked, there being one member; that address only has to stay the same.
    peer = "http://127.0.0.1:2380"
    return [
        str(tools.etcd),
        "--name=urumi",
        f"--data-dir={data}",
        f"--listen-client-urls=http://127.0.0.1:{port}",
        f"--advertise-client-urls=http://127.0.0.1:{port}",
        "--listen-peer-urls=http://127.0.0.1:0",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=urumi={peer}",
        # What was written survives the death of the process, the kernel has it; only a power
        # cut could lose it, and a cluster for trying things out is quickly made anew.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def api_server(tools: Tools, files: ApiServerFiles, port: int, etcd_port: int) -> list[str]:
    return [
        str(tools.kube_apiserver),
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        # A loopback address is refused here. Nothing in this cluster ever connects to it, so an
        # address for documentation does, and a machine without a network can run it.
        "--advertise-address=192.0.2.1",
        f"--cert-dir={files.certificates}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--api-audiences=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={files.signing_key}",
        f"--service-account-signing-key-file={files.signing_key}",
        f"--token-auth-file={files.tokens}",
        "--authorization-mode=Node,RBAC",
        "--service-cluster-ip-range=10.96.0.0/12",
        "--allow-privileged=true",
        f"--audit-policy-file={files.audit_policy}",
        f"--audit-log-path={files.audit_log}",
        "--audit-log-maxsize=100",
        "--audit-log-maxbackup=3",
    ]


def controller_manager(tools: Tools, files: ApiServerFiles, kubeconfig: Path, plugins: Path) -> list[str]:
    return [
        str(tools.kube_controller_manager),
        f"--kubeconfig={kubeconfig}",
        # Claims have no volumes here; see settings/claim-stages.yaml.
        "--controllers=*,-persistentvolume-binder-controller",
        f"--service-account-private-key-file={files.signing_key}",
        f"--root-ca-file={files.certificates / 'apiserver.crt'}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--secure-port=0",
        # Else it makes a folder under /usr/libexec.
        f"--flex-volume-plugin-dir={plugins}",
        # The node is not real: kwok dead for a minute must not make its pods unready, for no
        # kubelet would ever make them ready again.
        "--node-monitor-grace-period=24h",
        # The ordinary 20 requests a second are for clusters that others share.
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--concurrent-namespace-syncs=50",
    ]


def scheduler(tools: Tools, configuration: Path) -> list[str]:
    return [str(tools.kube_scheduler), f"--config={configuration}", "--secure-port=0"]


def kwok(tools: Tools, kubeconfig: Path, configuration: Path, node: str) -> list[str]:
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
