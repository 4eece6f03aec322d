"""Start, recognise and stop the long-running processes of one place.

A process is known by its id together with its start time, so that an id which the
kernel has given to somebody else in the meantime is never taken for ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from dev.machine.place import CHECKOUT, Place

PAUSE = 0.02  # seconds between two looks at a process that is to end
LOG_LIMIT = 16 * 2**20  # bytes; a longer log is set aside when its part starts next


@dataclass(frozen=True)
class Running:
    """One process that we started and that still runs."""

    name: str
    pid: int
    started: float  # seconds since the epoch, as the kernel tells it
    address: str  # host:port or URL; empty where it listens on nothing
    digest: str = ""  # of the code and settings it was started with, where that matters
    log_start: int = 0  # where its output begins in the log file, in bytes

    def process(self) -> psutil.Process | None:
        """The live process, or None when it has ended or its id is another's."""
        try:
            process = psutil.Process(self.pid)
            alive = abs(process.create_time() - self.started) < 0.5
            return process if alive and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def start(
    place: Place,
    name: str,
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    address: str = "",
    digest: str = "",
    folder: Path = CHECKOUT,
) -> Running:
    """Start `argv` in a session of its own, its output appended to the part's log file.

    Reuses a process of that name that still runs; whatever a dead one left behind is
    killed first. The child gets exactly `environment` and works in `folder`.
    """
    if found := running(place, name):
        return found
    _kill_orphans(place, name)
    log_file = place.log(name)
    if log_file.exists() and log_file.stat().st_size > LOG_LIMIT:
        log_file.replace(log_file.with_suffix(".log.1"))
    with log_file.open("ab") as log:
        log_start = log.tell()
        child = subprocess.Popen(
            list(argv),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    # Popen warns about a child that is forgotten while it runs; ours outlive us on purpose.
    child.returncode = 0
    created = psutil.Process(child.pid).create_time()
    record = Running(name, child.pid, created, address, digest, log_start)
    path = place.run / f"{name}.json"
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(asdict(record)))
    beside.replace(path)
    return record


def record_of(place: Place, name: str) -> Running | None:
    """What was last started under that name and not stopped on purpose, alive or not."""
    try:
        return Running(**json.loads((place.run / f"{name}.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def running(place: Place, name: str) -> Running | None:
    """The recorded process of that name if it still runs."""
    record = record_of(place, name)
    return record if record and record.process() else None


def recorded(place: Place) -> list[str]:
    """Names of all processes ever started in this place and not stopped on purpose."""
    return sorted(path.stem for path in place.run.glob("*.json"))


def stop(place: Place, name: str, *, how: signal.Signals = signal.SIGTERM, patience: float = 10.0) -> bool:
    """Stop the process of that name and its whole session; SIGKILL after `patience` seconds.

    Returns whether it was running. Safe to call when it was not.
    """
    found = running(place, name)
    process = found.process() if found else None
    if process is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, how)
        _await(process, patience)
        _kill_group(process.pid)
    else:
        _kill_orphans(place, name)
    (place.run / f"{name}.json").unlink(missing_ok=True)
    return process is not None


def kill(place: Place, name: str) -> None:
    """SIGKILL the process of that name and its group at once, keeping its record: a crash, for tests."""
    if found := running(place, name):
        process = found.process()
        _kill_group(found.pid)
        if process:
            _await(process, 10)


def await_end(process: psutil.Process, patience: float) -> bool:
    """Wait up to `patience` seconds until the process has ended; whether it has.

    A zombie has ended: it waits for its parent only, which may take its time.
    """
    deadline = time.monotonic() + patience
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                return False
            time.sleep(PAUSE)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)  # if it was a child of this very process
    return True


def _await(process: psutil.Process, patience: float) -> None:
    if not await_end(process, patience):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
        await_end(process, 10)


def _kill_orphans(place: Place, name: str) -> None:
    """SIGKILL what a dead leader left of its group: workers would still hold its port.

    The kernel gives nobody an id that is still a group's, so where no process has the
    leader's id, or only its zombie, the group is ours.
    """
    if record := record_of(place, name):
        with contextlib.suppress(psutil.NoSuchProcess):
            if abs(psutil.Process(record.pid).create_time() - record.started) >= 0.5:
                return
        _kill_group(record.pid)


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
