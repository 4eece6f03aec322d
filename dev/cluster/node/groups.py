"""The control groups of a node: a tree in each hierarchy of version 1, or one in that of version 2."""

from __future__ import annotations

import errno
import time
from pathlib import Path

from dev.cluster.cluster import ClusterError

ROOT = Path("/sys/fs/cgroup")
_NEEDED = ("cpu", "cpuset", "memory", "hugetlb", "pids")
"""What the kubelet wants to find in a group of version 2, if the machine has it at all."""

_PAUSE = 0.05  # seconds between two looks at a group that is about to be empty
_PATIENCE = 10.0  # seconds for that


class Groups:
    """The trees of that name."""

    def __init__(self, name: str, root: Path = ROOT) -> None:
        self._name = name
        self._root = root

    def make(self) -> None:
        """Have them. Raises ClusterError."""
        try:
            if self._version_2:
                self._enable()
            for hierarchy in self._hierarchies():
                if hierarchy.name != "unified":  # version 2 beside version 1, which nobody asks for
                    (hierarchy / self._name).mkdir(exist_ok=True)
        except OSError as error:
            raise ClusterError(f"no control groups can be made: {error}") from error

    def remove(self) -> None:
        """Remove them, the lowest first. Who just died is counted a moment longer. Raises ClusterError."""
        deadline = time.monotonic() + _PATIENCE
        for hierarchy in self._hierarchies():
            top = hierarchy / self._name
            below = [one for one in top.rglob("*") if one.is_dir()] if top.exists() else []
            for folder in [*sorted(below, reverse=True), top]:
                while not _removed(folder):
                    if time.monotonic() > deadline:
                        raise ClusterError(f"{folder} still has processes: see its cgroup.procs")
                    time.sleep(_PAUSE)

    @property
    def _version_2(self) -> bool:
        return (self._root / "cgroup.controllers").exists()

    def _enable(self) -> None:
        """Have groups below the root count what the kubelet wants counted."""
        there = (self._root / "cgroup.controllers").read_text().split()
        control = self._root / "cgroup.subtree_control"
        for controller in sorted({*_NEEDED} & {*there} - {*control.read_text().split()}):
            control.write_text(f"+{controller}")

    def _hierarchies(self) -> list[Path]:
        if self._version_2:
            return [self._root]
        return [one for one in self._root.iterdir() if one.is_dir() and not one.is_symlink()]


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno == errno.EBUSY:
            return False
        raise
    return True
