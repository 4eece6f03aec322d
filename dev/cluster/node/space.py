"""The namespaces that a node lives in: mounts, network and processes of its own, ended by one kill.

Nothing of a node is left when its first process has ended, however it ended, but for its control groups.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from dev.cluster.cluster import ClusterError
from dev.cluster.command import run
from dev.cluster.node import inside
from dev.cluster.node.groups import Groups
from dev.cluster.part import SECONDS, ensure
from dev.machine import processes
from dev.machine.place import Place
from dev.machine.private_files import write_private
from dev.machine.waiting import until

PART = "namespaces"
_BRIDGE_RULES = Path("/proc/sys/net/bridge")
_PATIENCE = 10.0  # seconds for all in there to end


class Space:
    """The namespaces of one place's node, and its control groups."""

    def __init__(self, place: Place, group: str) -> None:
        self._place = place
        self._groups = Groups(group)

    def open(self, tools: Path, home: Path) -> int:
        """Have the namespaces; returns the id of their first process. Raises MachineError, ClusterError."""
        load_bridge_rules()
        namespaces = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
        script = Path(inside.__file__)
        argv = ["unshare", *namespaces, sys.executable, "-I", str(script), str(self._place.root), str(tools)]
        wanted = json.dumps([argv, script.read_text()])
        if self.first_process() is None or self._remembered().get("made as") != wanted:
            self.close()
        self._groups.make()
        ensure(self._place, PART, argv, reads=[script], home=home)
        until(self._place, PART, self._is_ready, seconds=SECONDS)
        first = self.first_process()
        if first is None:
            raise ClusterError(f"the node ended as it began: see {self._place.log(PART)}")
        began = psutil.Process(first).create_time()
        write_private(self._note, json.dumps({"first": first, "began": began, "made as": wanted}))
        return first

    def first_process(self) -> int | None:
        """The id by which this machine knows the first process in there; None if there is none."""
        record = processes.running(self._place, PART)
        if record is None:
            return None
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{record.pid}/task/{record.pid}/children").read_text().split()
            return int(children[0]) if children else None
        return None

    def close(self) -> None:
        """End everything in there, the containers by SIGTERM first, and remove the control groups.

        Raises ClusterError.
        """
        first, record = self.first_process(), processes.running(self._place, PART)
        process = record.process() if record else None
        if first is not None and process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(first, signal.SIGTERM)
            processes.await_end(process, _PATIENCE)
        processes.stop(self._place, PART, how=signal.SIGKILL)
        self._await_end()
        self._groups.remove()

    def _is_ready(self) -> bool:
        first = self.first_process()
        return first is not None and Path(f"/proc/{first}/root{inside.READY}").exists()

    def _await_end(self) -> None:
        """Wait for whoever is left in there: the kernel ends the first process after all others."""
        note = self._remembered()
        with contextlib.suppress(psutil.NoSuchProcess, KeyError):
            first = psutil.Process(note["first"])
            if abs(first.create_time() - note["began"]) < 0.5 and not processes.await_end(first, _PATIENCE):
                raise ClusterError(f"the node does not end: `ps -p {first.pid}` shows its first process")
        self._note.unlink(missing_ok=True)

    def _remembered(self) -> dict[str, object]:
        try:
            note: dict[str, object] = json.loads(self._note.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return note

    @property
    def _note(self) -> Path:
        return self._place.data / "namespaces.json"


def entering(process: int) -> Sequence[str]:
    """What a command is preceded by to run in the namespaces of that process."""
    namespaces = ("--mount", "--net", "--pid")
    return ["nsenter", f"--target={process}", *namespaces, "--", "setpriv", "--pdeathsig", "KILL", "--"]


def load_bridge_rules() -> None:
    """Pods behind one Service are on one bridge, whose packets rules see only with a module of the kernel.

    Raises ClusterError.
    """
    if _BRIDGE_RULES.exists():
        return
    if shutil.which("modprobe", path="/usr/sbin:/sbin:/usr/bin:/bin"):
        with contextlib.suppress(ClusterError):
            run("modprobe", "br_netfilter")
            # For the node's own bridge only (inside.py): this machine's bridges go on as they did.
            for setting in _BRIDGE_RULES.glob("bridge-nf-call-*"):
                setting.write_text("0")
    if not _BRIDGE_RULES.exists():
        raise ClusterError("the kernel has no br_netfilter, which Services need: try 'modprobe br_netfilter'")
