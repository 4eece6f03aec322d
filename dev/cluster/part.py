"""Keep one part of a cluster running as it should: same command line, same settings."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from dev.cluster import parts
from dev.cluster.cluster import Say
from dev.cluster.lock import locked
from dev.machine.digests import digest
from dev.machine.place import Place
from dev.machine.processes import running, start, stop
from dev.machine.serving import Command, port_of, serve
from dev.machine.waiting import until

SECONDS = 60.0  # until a part must answer; a few on an idle machine


def alone(place: Place, say: Say) -> AbstractContextManager[None]:
    """Hold the place's cluster for the block: one command starts or stops parts of it at a time."""
    return locked(place.run / "cluster.lock", waiting=lambda: say("another run is at the cluster; waiting"))


def ensure(place: Place, name: str, argv: Sequence[str], *, reads: Sequence[Path], home: Path) -> None:
    """Have `name` run `argv`; one that was started with another command line or other files is replaced."""
    wanted = _digest(argv, reads)
    record = running(place, name)
    if record is None or record.digest != wanted:
        halt(place, name)
        start(place, name, argv, environment=_environment(home), digest=wanted, folder=home)


def ensure_listening(
    place: Place,
    name: str,
    argv: Callable[[int], Sequence[str]],
    answers: Callable[[int], bool],
    *,
    reads: Sequence[Path] = (),
    home: Path,
    host: str = "127.0.0.1",
    preferred: int = 0,
) -> int:
    """The same for a part that listens on `host`; returns its port: the one of last time if nobody has
    taken it, else the preferred one, else any.

    Raises MachineError if it does not come to answer.
    """
    wanted = _digest(argv(0), reads)
    record = running(place, name)
    if record is not None and record.digest == wanted:
        port = port_of(record)
        until(place, name, partial(answers, port), seconds=SECONDS)
        return port
    halt(place, name)
    return serve(
        place,
        name,
        port=preferred,
        command=lambda port: Command(argv(port), _environment(home)),
        answers=answers,
        seconds=SECONDS,
        digest=wanted,
        folder=home,
        host=host,
    )


def halt(place: Place, name: str) -> None:
    """Stop the part `name`, if it runs.

    Only etcd is asked to: the others keep nothing but what is in etcd, and the API server would
    wait for minutes until all watches have ended.
    """
    stop(place, name, how=signal.SIGTERM if name == parts.ETCD else signal.SIGKILL)


def _digest(argv: Sequence[str], reads: Sequence[Path]) -> str:
    return digest([], {"": json.dumps(list(argv)), **{str(path): path.read_text() for path in reads}})


def _environment(home: Path) -> Mapping[str, str]:
    # Nothing of the user's own: a proxy, an ETCD_ variable or a ~/.kwok would change what is run.
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": f"{path}:/usr/sbin:/sbin", "HOME": str(home)}
