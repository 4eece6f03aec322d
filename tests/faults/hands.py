"""Hands to run use cases with, on a platform that is there, and to end them at any moment."""

from __future__ import annotations

import copy
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from dev.machine import functions, processes
from dev.machine.place import CHECKOUT
from tests.cluster.world import World

_FUNCTION_OF = {
    "create": "create_store",
    "ask": "create_store",
    "provision": "provision",
    "reconcile": "reconcile",
}


# Short, so that the next pass need not wait long for one that died.
PASS_BY_HAND = {"URUMI_PASS_SECONDS": "3", "URUMI_LEASE_SECONDS": "2"}


@dataclass
class Child:
    """One verb in a process of its own."""

    report: Path
    pid: int = 0
    status: int | None = None  # its exit code, negative for a signal; None while it lives
    _told: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float = 60.0) -> Child:
        """Until it has ended."""
        assert self._ended.wait(seconds), f"still running: {self.calls}"
        return self

    def await_stop(self, seconds: float = 60.0) -> Child:
        """Until it has stopped itself."""
        give_up = time.monotonic() + seconds
        while not self._stopped():
            told = f"{self.calls}, {self.error or self.status}"
            assert time.monotonic() < give_up, f"it never came to that moment: {told}"
            assert not self._ended.is_set(), f"it ended before it came to that moment: {told}"
            time.sleep(0.02)
        return self

    def _stopped(self) -> bool:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED
        return False

    def go_on(self) -> Child:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)
        return self

    @property
    def calls(self) -> list[str]:
        """The port calls that it came to."""
        found: list[str] = self._read().get("calls", [])
        return found

    @property
    def result(self) -> Any:
        """What the verb returned."""
        return self._read().get("result")

    @property
    def error(self) -> str | None:
        """The type of what the verb raised."""
        return self._read().get("error")

    def _read(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.report.read_text())
        except FileNotFoundError:
            return {}
        return found

    def note(self, told: Mapping[str, Any]) -> None:
        """A line of the worker's about it."""
        if "pid" in told:
            self.pid = told["pid"]
            self._told.set()
        else:
            self.status = told["status"]
            self._ended.set()

    def await_begin(self) -> Child:
        """Until the process is there."""
        assert self._told.wait(60), "the worker does not answer"
        return self


class Hands:
    """A worker process, forked from for every verb."""

    def __init__(self, world: World, folder: Path, worker: subprocess.Popen[bytes]) -> None:
        self._environments = {name: _environment_of(world, name) for name in set(_FUNCTION_OF.values())}
        self._environments["reconcile"] |= PASS_BY_HAND
        self._environments["create_store"]["URUMI_API_TOKEN"] = world.values["URUMI_API_TOKEN"]
        self._folder, self._worker = folder, worker
        self._numbers = itertools.count()
        self._children: dict[int, Child] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def begin(
        self, verb: str, *, at: int | str | None = None, how: str | None = None, **arguments: Any
    ) -> Child:
        """Run a verb; just before its port call `at`, a number or a name, it kills or stops itself."""
        number = next(self._numbers)
        child = self._children[number] = Child(self._folder / f"report-{number}.json")
        command = {
            "id": number,
            "verb": verb,
            "arguments": arguments,
            "environment": self._environments[_FUNCTION_OF[verb]],
            "at": at,
            "how": how,
            "report": str(child.report),
        }
        assert self._worker.stdin
        self._worker.stdin.write(json.dumps(command).encode() + b"\n")
        self._worker.stdin.flush()
        return child.await_begin()

    def in_cell(self, cell: str) -> Hands:
        """The same worker, for the stores of another cell: its passes judge no others."""
        other = copy.copy(self)
        other._environments = {
            name: {**environment, "URUMI_CELL": cell, "URUMI_NEW_STORES_CELL": cell}
            for name, environment in self._environments.items()
        }
        return other

    def run(self, verb: str, **arguments: Any) -> Child:
        """Run a verb to its end."""
        return self.begin(verb, **arguments).wait(120)

    def _listen(self) -> None:
        assert self._worker.stdout
        for line in self._worker.stdout:
            told = json.loads(line)
            self._children[told["id"]].note(told)

    def close(self) -> None:
        """End all children and the worker."""
        for child in self._children.values():
            if child.status is None and child.pid:
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)
        assert self._worker.stdin
        self._worker.stdin.close()
        self._worker.wait(30)


@contextmanager
def hands(world: World, folder: Path, code: Path = CHECKOUT) -> Iterator[Hands]:
    """A worker with the code in `code`, which may be a changed copy of this checkout."""
    log = (folder / "worker.log").open("ab")
    environment = {"PYTHONPATH": str(code), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        [sys.executable, str(CHECKOUT / "tests" / "faults" / "worker.py")],
        cwd=code,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
    ) as worker:
        hands = Hands(world, folder, worker)
        try:
            yield hands
        finally:
            hands.close()
            log.close()


def rest(world: World) -> None:
    """Stop provision, reconcile and its ticker: from now on only hands work. `world.up()` starts them."""
    for part in ("ticker", "provision", "reconcile"):
        processes.stop(world.place, part, patience=functions.PATIENCE)


def _environment_of(world: World, function: str) -> dict[str, str]:
    running = processes.running(world.place, function)
    assert running, f"{function} does not run"
    return psutil.Process(running.pid).environ()
