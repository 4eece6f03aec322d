"""Kills containers in the middle of what they do."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.node.shops import Process, Shop, kill, processes


@dataclass(frozen=True)
class Step:
    """A step of a container's work."""

    component: str
    commands: tuple[str, ...]  # parts of the command lines of the processes that do it, the first one first
    seconds: float  # within which it is killed after its first sign; it lasts at least so long


class Killer(threading.Thread):
    """Kills every store once in each step, all processes of the container at once, at a random moment."""

    def __init__(self, shops: Sequence[Shop], steps: Mapping[str, Step], seed: int) -> None:
        super().__init__(daemon=True)
        self.hits: Counter[str] = Counter()
        self.moments: list[str] = []
        self._steps = steps
        self._shops = shops
        self._dice = random.Random(seed)  # noqa: S311 - moments, not secrets
        self._open = {(shop.id, name) for shop in shops for name in steps}
        self._due: dict[tuple[str, str], float] = {}
        self._ended = threading.Event()

    def run(self) -> None:
        pods: dict[str, tuple[str, str]] = {}  # store and component by the pod's uid
        while self._open and not self._ended.wait(0.01):
            found = processes()
            if {process.pod for process in found} - pods.keys():
                pods = self._pods()
            for process in found:
                if process.pod in pods:
                    self._look(*pods[process.pod], process)

    def end(self) -> None:
        self._ended.set()
        self.join()

    def _pods(self) -> dict[str, tuple[str, str]]:
        return {
            pod["metadata"]["uid"]: (shop.id, pod["metadata"]["labels"]["app.kubernetes.io/component"])
            for shop in self._shops
            for pod in shop.pods()
        }

    def _look(self, store: str, component: str, process: Process) -> None:
        for name, step in self._steps.items():
            key = store, name
            if key not in self._open or component != step.component:
                continue
            if not any(command in process.line for command in step.commands):
                continue
            now = time.monotonic()
            if key not in self._due and step.commands[0] in process.line:
                self._due[key] = now + self._dice.uniform(0, step.seconds)
            if now >= self._due.get(key, now + 1) and (victims := process.container()):
                killed = sum(kill(each, signal.SIGKILL) for each in victims)
                self._open.discard(key)
                self.hits[name] += 1
                self.moments.append(f"{store[:8]} {name}: {killed} processes, in {process.line[:80]}")
