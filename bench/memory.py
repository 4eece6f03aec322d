"""What a store's pods take of the machine's memory, in MiB.

Two sources that do not agree, and need not: PSS (pages that processes share are divided among them; no page
cache that nobody maps) from /proc/*/smaps_rollup, and the control groups' usage without cache (with the
kernel's own structures).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

_GROUPS = Path("/sys/fs/cgroup")
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
_MIB = 1024**2
SANDBOXES = "sandboxes (pause)"


def of_pods(pods: Sequence[dict[str, Any]]) -> dict[str, float]:
    """PSS by container."""
    names = {
        status["containerID"].rpartition("/")[2]: status["name"]
        for pod in pods
        for status in pod["status"]["containerStatuses"]
    }
    uids = [pod["metadata"]["uid"] for pod in pods]
    found: Counter[str] = Counter()
    for process in _processes():
        with suppress(OSError):
            group = (process / "cgroup").read_text()
            if any(uid in group for uid in uids):
                name = next((name for container, name in names.items() if container in group), SANDBOXES)
                found[name] += _pss(process)
    return {name: kib / 1024 for name, kib in sorted(found.items())}


def of_shims(sandboxes: Sequence[str]) -> float:
    """PSS of containerd's shims for those sandboxes."""
    kib = 0
    for process in _processes():
        with suppress(OSError):
            line = (process / "cmdline").read_bytes().split(b"\0")
            if b"containerd-shim" in line[0] and any(one.encode() in line for one in sandboxes):
                kib += _pss(process)
    return kib / 1024


def of_groups(pods: Sequence[dict[str, Any]]) -> float:
    """Usage of the pods' control groups without cache."""
    total = 0.0
    for pod in pods:
        for top in (_GROUPS / "memory", _GROUPS):
            for folder in top.glob(f"urumi-*/kubepods/*/pod{pod['metadata']['uid']}"):
                counted = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
                old = folder / "memory.usage_in_bytes"
                usage = (old if old.exists() else folder / "memory.current").read_text()
                cache = counted.get("total_cache") or counted["file"]
                total += (int(usage) - int(cache)) / _MIB
    return total


def _processes() -> list[Path]:
    return [folder for folder in Path("/proc").iterdir() if folder.name.isdigit()]


def _pss(process: Path) -> int:
    found = _PSS.search((process / "smaps_rollup").read_text())
    return int(found[1]) if found else 0
