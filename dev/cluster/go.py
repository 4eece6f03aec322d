"""The Go toolchain of this machine: found, new enough, and asked the same way whatever the user has set."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.cluster import ClusterError

MODULE = Path(__file__).parent
"""The folder of go.mod."""

_ENVIRONMENT = {
    "CGO_ENABLED": "0",
    "GOFLAGS": "-mod=readonly",
    "GOWORK": "off",
    # Never fetch another toolchain in silence: where that is not possible, the failure explains nothing.
    "GOTOOLCHAIN": "local",
}
_HOW = "get it from https://go.dev/dl/ or your package manager, and put its `go` on PATH"


@dataclass(frozen=True)
class Go:
    """A Go toolchain that can build the cluster's tools."""

    version: str  # such as go1.26.8
    platform: str  # such as linux/amd64


def find() -> Go:
    """The `go` on PATH. Raises ClusterError if there is none or it is older than go.mod needs."""
    needed = _needed()
    if shutil.which("go") is None:
        raise ClusterError(
            f"Go {needed} or newer is needed to build the cluster's tools, but there is no `go`: {_HOW}"
        )
    # Asked outside the module: inside it, an older Go refuses to answer at all.
    answer = run(["env", "GOVERSION", "GOOS", "GOARCH"], folder=Path("/"))
    version, system, machine = answer.split()[-3:]
    if _numbers(version) < _numbers(needed):
        raise ClusterError(
            f"Go {needed} or newer is needed to build the cluster's tools, this is {version}: {_HOW}"
        )
    return Go(version, f"{system}/{machine}")


def run(arguments: Sequence[str], *, folder: Path = MODULE) -> str:
    """What `go ARGUMENTS` prints. Raises ClusterError with the end of its complaints if it fails."""
    # GOOS and GOARCH would build for another machine than this one.
    environment = {name: value for name, value in os.environ.items() if name not in {"GOOS", "GOARCH"}}
    done = subprocess.run(
        ["go", *arguments],
        cwd=folder,
        env=environment | _ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        complaint = "\n".join(done.stderr.strip().splitlines()[-15:])
        raise ClusterError(f"`go {' '.join(arguments)}` failed:\n{complaint}")
    return done.stdout


def required(module: str) -> str:
    """The version that go.mod pins for `module`, such as v1.36.3."""
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)", _go_mod(), re.MULTILINE)
    if found is None:
        raise ClusterError(f"{MODULE / 'go.mod'} does not require {module}")
    return found[1]


def _needed() -> str:
    found = re.search(r"^go (\S+)$", _go_mod(), re.MULTILINE)
    if found is None:
        raise ClusterError(f"{MODULE / 'go.mod'} names no Go version")
    return found[1]


def _go_mod() -> str:
    return (MODULE / "go.mod").read_text()


def _numbers(version: str) -> tuple[int, ...]:
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(part or 0) for part in found.groups()) if found else (0,)
