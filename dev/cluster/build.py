"""Builds the pinned cluster tools once and keeps them in the user's cache folder.

`python -m dev.cluster.build` builds all of them and prints where they are.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from dev.cluster import go
from dev.cluster.cluster import ClusterError, Say
from dev.cluster.lock import locked

_PACKAGES = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "helm": "helm.sh/helm/v4/cmd/helm",
    "etcd": "go.etcd.io/etcd/server/v3",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
    "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
    "containerd": "github.com/containerd/containerd/v2/cmd/containerd",
    "containerd-shim-runc-v2": "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
    "ctr": "github.com/containerd/containerd/v2/cmd/ctr",
    # Found by their names in the network's configuration.
    "bridge": "github.com/containernetworking/plugins/plugins/main/bridge",
    "host-local": "github.com/containernetworking/plugins/plugins/ipam/host-local",
    # Ours, of a page each.
    "coredns": "urumi.local/cluster/coredns",
    "volumes": "urumi.local/cluster/volumes",
    "pause": "urumi.local/cluster/pause",
}
_FLAGS = Path(__file__).with_name("flags")
_STAGES = "kwok-stages"
_STAGE_SETS = ("node/fast", "node/heartbeat", "pod/fast")
_SHARED = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "helm", "etcd")
SIMULATED = (*_SHARED, "kwok", _STAGES)
"""What provider `simulated` runs."""
NODE = (
    *_SHARED, "kubelet", "kube-proxy", "containerd", "containerd-shim-runc-v2", "ctr", "bridge", "host-local",
    "coredns", "volumes", "pause",
)  # fmt: skip
"""What provider `node` runs."""


@dataclass(frozen=True)
class Tools:
    """Where the built tools are."""

    folder: Path

    @property
    def kube_apiserver(self) -> Path:
        return self.folder / "kube-apiserver"

    @property
    def kube_controller_manager(self) -> Path:
        return self.folder / "kube-controller-manager"

    @property
    def kube_scheduler(self) -> Path:
        return self.folder / "kube-scheduler"

    @property
    def helm(self) -> Path:
        return self.folder / "helm"

    @property
    def etcd(self) -> Path:
        return self.folder / "etcd"

    @property
    def kwok(self) -> Path:
        return self.folder / "kwok"

    @property
    def kwok_stages(self) -> Path:
        """Folder of the Stage files that kwok's own module ships."""
        return self.folder / _STAGES

    @property
    def pause(self) -> Path:
        return self.folder / "pause"


def tools(wanted: Sequence[str], say: Say) -> Tools:
    """Those tools, built if they are not there yet. Raises ClusterError."""
    return _built(wanted, say)


def helm(say: Say) -> Path:
    """The pinned Helm alone, for clusters that we do not run ourselves. Raises ClusterError."""
    return _built(["helm"], say).helm


def _built(wanted: Iterable[str], say: Say) -> Tools:
    found = go.find()
    flags = _flags()
    folder = cache("cluster") / digest(found, flags, go.MODULE)

    def missing() -> list[str]:
        return [name for name in wanted if not (folder / name).exists()]

    if missing():
        with locked(
            folder.with_suffix(".lock"), waiting=lambda: say("another run is building the tools; waiting")
        ):
            # Somebody else may have built them while we waited for the lock.
            if names := missing():
                _build(names, folder, flags, say)
    return Tools(folder)


def _build(names: list[str], folder: Path, flags: list[str], say: Say) -> None:
    say(
        f"building {', '.join(names)} once into {folder}: all tools take 6 to 10 minutes on 2 cores "
        "the first time, Helm alone about 2"
    )
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        for number, name in enumerate(names, start=1):
            task = progress.add_task(f"building {name} ({number} of {len(names)})")
            started = time.monotonic()
            _build_one(name, folder, flags)
            progress.remove_task(task)
            say(f"{name} built in {time.monotonic() - started:.0f} s ({number} of {len(names)})")
    say(f"cluster tools built in {time.monotonic() - began:.0f} s")


def _build_one(name: str, folder: Path, flags: list[str]) -> None:
    """Make one tool beside its place and rename it, so that a tool which exists is whole."""
    beside = folder / f".{name}.new"
    if name == _STAGES:
        shutil.rmtree(beside, ignore_errors=True)
        _copy_stages(beside)
    else:
        go.run(["build", *flags, "-o", str(beside), _PACKAGES[name]])
    beside.rename(folder / name)


def _copy_stages(target: Path) -> None:
    module = Path(go.run(["list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"]).strip())
    target.mkdir()
    for stages in _STAGE_SETS:
        for source in sorted((module / "kustomize/stage" / stages).glob("*.yaml")):
            if source.name != "kustomization.yaml":
                shutil.copyfile(source, target / source.name)
    if not any(target.iterdir()):
        raise ClusterError(f"no Stage files in {module}: has a new version of kwok moved them?")


def _flags() -> list[str]:
    done = subprocess.run([_FLAGS], cwd=go.MODULE, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"{_FLAGS} failed: {done.stderr.strip()}")
    return done.stdout.splitlines()


def digest(found: go.Go, flags: list[str], module: Path) -> str:
    """What decides whether the tools of a module must be built anew."""
    digest = hashlib.sha256()
    sources = sorted(module.rglob("*.go"))
    for part in (
        *(source.read_bytes() for source in sources),
        (module / "go.mod").read_bytes(),
        (module / "go.sum").read_bytes(),
        found.version.encode(),
        found.platform.encode(),
        *(flag.encode() for flag in flags),
    ):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:16]


def cache(kind: str) -> Path:
    """Where this user keeps what was built of a kind."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG rules: a relative path there is invalid and to be ignored.
    return (named if named.is_absolute() else Path.home() / ".cache") / "urumi" / kind


def _main() -> int:
    console = Console(stderr=True)
    try:
        built = _built(
            [*_PACKAGES, _STAGES], lambda line: console.print(line, highlight=False, soft_wrap=True)
        )
    except ClusterError as error:
        console.print(f"error: {error}", style="red", highlight=False, markup=False)
        return 1
    sys.stdout.writelines(f"{name}  {built.folder / name}\n" for name in (*_PACKAGES, _STAGES))
    return 0


if __name__ == "__main__":
    raise SystemExit(_main())
