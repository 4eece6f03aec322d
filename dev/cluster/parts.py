"""The command lines of a control plane's parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dev.cluster.build import Tools

ETCD = "etcd"
API_SERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
ALL = (ETCD, API_SERVER, CONTROLLER_MANAGER, SCHEDULER)
"""In the order of their start."""


@dataclass(frozen=True)
class Network:
    """Where a control plane is to be reached."""

    address: str = "127.0.0.1"  # the API server listens there and nowhere else
    # What the cluster itself is told. A loopback address is refused; where nothing ever connects to it, an
    # address for documentation does, and a machine without a network can run it.
    advertised: str = "192.0.2.1"
    services: str = "10.96.0.0/12"


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, as files in PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class ApiServerFiles:
    """Files that the API server reads and writes."""

    certificates: Path  # folder: it makes its own certificate there
    signing_key: Path
    tokens: Path
    audit_policy: Path
    audit_log: Path
    kubelet_client: Certificate | None  # by which kubelets know it; None where there is no kubelet


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


def api_server(tools: Tools, files: ApiServerFiles, network: Network, port: int, etcd_port: int) -> list[str]:
    kubelet = [
        f"--kubelet-client-certificate={files.kubelet_client.certificate}",
        f"--kubelet-client-key={files.kubelet_client.key}",
        "--kubelet-preferred-address-types=InternalIP",
    ] if files.kubelet_client else []  # fmt: skip
    return [
        str(tools.kube_apiserver),
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        f"--bind-address={network.address}",
        f"--secure-port={port}",
        f"--advertise-address={network.advertised}",
        f"--cert-dir={files.certificates}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--api-audiences=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={files.signing_key}",
        f"--service-account-signing-key-file={files.signing_key}",
        f"--token-auth-file={files.tokens}",
        "--authorization-mode=Node,RBAC",
        f"--service-cluster-ip-range={network.services}",
        "--allow-privileged=true",
        f"--audit-policy-file={files.audit_policy}",
        f"--audit-log-path={files.audit_log}",
        "--audit-log-maxsize=100",
        "--audit-log-maxbackup=3",
        *kubelet,
    ]


def controller_manager(tools: Tools, files: ApiServerFiles, kubeconfig: Path, plugins: Path) -> list[str]:
    return [
        str(tools.kube_controller_manager),
        f"--kubeconfig={kubeconfig}",
        f"--service-account-private-key-file={files.signing_key}",
        f"--root-ca-file={files.certificates / 'apiserver.crt'}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--secure-port=0",
        # Else it makes a folder under /usr/libexec.
        f"--flex-volume-plugin-dir={plugins}",
        # The ordinary 20 requests a second are for clusters that others share.
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--concurrent-namespace-syncs=50",
    ]


def scheduler(tools: Tools, configuration: Path) -> list[str]:
    return [str(tools.kube_scheduler), f"--config={configuration}", "--secure-port=0"]
