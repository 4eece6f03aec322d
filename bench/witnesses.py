"""Who sees a store start, each with the machine's clock, in seconds since the epoch.

The API server's watch of the pods, containerd's events, and the processes in the containers.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from control_plane.adapters.kubernetes_api import KubernetesApi, Watch
from control_plane.domain.errors import CellUnreachableError

_EVENT = re.compile(r"(\S+ \S+) \+0000 UTC \S+ (\S+) (\{.*\})")
_POD = re.compile(r"/pod([0-9a-f-]{36})")
_PAUSE = 0.01  # seconds between two looks at processes, and so the error of what they tell
_TICK = os.sysconf("SC_CLK_TCK")
_AGENT = "urumi-agent"  # in the command line of the one whose children are looked at
_COMPONENT = "app.kubernetes.io/component"


class PodWatch:
    """When each condition of each pod of a namespace was first seen to hold, by a client."""

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self.seen: dict[tuple[str, str], float] = {}
        """By component and condition."""
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._watch: Watch = api.watch(self._path, selector=_COMPONENT, version="", seconds=600)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def ready(self, component: str) -> bool:
        return (component, "Ready") in self.seen

    def close(self) -> None:
        self._watch.close()
        self._thread.join(5)

    def _follow(self) -> None:
        with suppress(CellUnreachableError):
            for event in self._watch:
                now, pod = time.time(), event["object"]
                if event["type"] == "BOOKMARK":
                    continue
                for condition in pod.get("status", {}).get("conditions", []):
                    if condition["status"] == "True":
                        key = pod["metadata"]["labels"][_COMPONENT], condition["type"]
                        self.seen.setdefault(key, now)


@dataclass
class Life:
    """One container, or the sandbox of a pod: when its first process was started and ended."""

    image: str = ""
    pod: str = ""  # the pod's uid
    started: float | None = None
    ended: float | None = None
    probed: list[tuple[float, bool]] = field(default_factory=list)
    """When each command that the kubelet ran in it ended, and whether well."""


@dataclass
class Seen:
    """A process: from when to when, both with an error of about _PAUSE."""

    line: str
    begun: float
    last: float


@dataclass
class _Root:
    """The first process of a container."""

    became: list[Seen] = field(default_factory=list)  # one for each program that it was
    below: dict[int, Seen] = field(default_factory=dict)


class Runtime:
    """What containerd does on a node, and which processes run in the containers that it started meanwhile."""

    def __init__(self, entering: Sequence[str], first_process: int) -> None:
        self.lives: dict[str, Life] = {}
        self._roots: dict[str, _Root] = {}
        self._pids: dict[str, int] = {}
        self._proc = Path("/proc", str(first_process), "root", "proc")
        self._boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        self._ended = threading.Event()
        command = [*entering, "/run/tools/ctr", "--namespace", "k8s.io", "events"]
        self._events = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._listen, self._look)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        time.sleep(0.5)  # until ctr listens
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._events.kill()
        self._events.wait()
        for thread in self._threads:
            thread.join(5)

    def programs(self, container: str) -> list[Seen]:
        """What the first process of the container was, one after the other."""
        return self._roots[container].became if container in self._roots else []

    def below(self, container: str, text: str) -> list[Seen]:
        """The children and grandchildren of the agent, where it is that container's first process, with that
        text in their command line."""
        root = self._roots.get(container, _Root())
        return sorted((one for one in root.below.values() if text in one.line), key=lambda one: one.begun)

    def _listen(self) -> None:
        for line in self._events.stdout or ():
            if found := _EVENT.match(line):
                self._note(_moment(found[1]), found[2], json.loads(found[3]))

    def _note(self, at: float, topic: str, event: dict[str, Any]) -> None:
        match topic:
            case "/containers/create":
                self.lives.setdefault(event["id"], Life()).image = event["image"]
            case "/tasks/start":
                container = event["container_id"]
                life = self.lives.setdefault(container, Life())
                life.started = at
                with suppress(OSError):
                    pod = _POD.search((self._proc / str(event["pid"]) / "cgroup").read_text())
                    life.pod = pod[1] if pod else ""
                self._roots[container] = _Root()
                self._pids[container] = event["pid"]
            case "/tasks/exit" if event["id"] == event["container_id"]:
                self.lives.setdefault(event["id"], Life()).ended = at
                self._pids.pop(event["id"], None)
            case "/tasks/exit":
                life = self.lives.setdefault(event["container_id"], Life())
                life.probed.append((at, not event.get("exit_status")))

    def _look(self) -> None:
        """Cheaply: what it costs, the boots that it looks at have not."""
        while not self._ended.wait(_PAUSE):
            for container, first in list(self._pids.items()):
                root, now = self._roots[container], time.time()
                line = self._line(first)
                if line and (not root.became or root.became[-1].line != line):
                    root.became.append(Seen(line, now, now))
                if _AGENT in line:
                    for child in self._children(first):
                        self._note_process(root, child, now)
                        for grandchild in self._children(child):
                            self._note_process(root, grandchild, now)

    def _note_process(self, root: _Root, process: int, now: float) -> None:
        known = root.below.get(process)
        if known:
            known.last = now
        elif line := self._line(process):
            root.below[process] = Seen(line, self._begun(process) or now, now)

    def _children(self, process: int) -> list[int]:
        return [int(one) for one in self._read(f"{process}/task/{process}/children").split()]

    def _line(self, process: int) -> str:
        return self._read(f"{process}/cmdline").replace(b"\0", b" ").decode(errors="replace")

    def _begun(self, process: int) -> float | None:
        fields = self._read(f"{process}/stat").rpartition(b")")[2].split()
        return self._boot + int(fields[19]) / _TICK if fields else None

    def _read(self, name: str) -> bytes:
        """Nothing where the process is gone."""
        try:
            file = os.open(f"{self._proc}/{name}", os.O_RDONLY)
        except OSError:
            return b""
        try:
            return os.read(file, 65536)
        except OSError:
            return b""
        finally:
            os.close(file)


def _moment(text: str) -> float:
    """`2026-01-31 12:00:00.123456789` in UTC, with any number of digits after the point."""
    whole, _, part = text.partition(".")
    seconds = datetime.fromisoformat(f"{whole}+00:00").timestamp()
    return seconds + (float(f"0.{part}") if part else 0.0)
