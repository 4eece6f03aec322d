"""Start a part that listens on a TCP port, and be sure that it is the part that answers there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil

from dev.machine import processes
from dev.machine.errors import MachineError
from dev.machine.place import CHECKOUT, Place
from dev.machine.ports import free_port, lasting_port
from dev.machine.waiting import until

ATTEMPTS = 3  # another program may take a free port before the part does


class Command(NamedTuple):
    """What to run, and the whole environment it gets."""

    argv: Sequence[str]
    environment: Mapping[str, str]


def serve(
    place: Place,
    part: str,
    *,
    port: int,
    command: Callable[[int], Command],
    answers: Callable[[int], bool],
    seconds: float,
    digest: str = "",
    folder: Path = CHECKOUT,
    host: str = "127.0.0.1",
) -> int:
    """Start `command(port)`, wait until it answers, and return the port on `host` that it listens on.

    `port` is the default: the place's own from last time comes first, another one if it is
    taken. Raises MachineError when the part dies or does not answer within `seconds`.
    """
    for attempt in range(ATTEMPTS):
        chosen = lasting_port(place, part, port)
        made = command(chosen)
        record = processes.start(
            place,
            part,
            made.argv,
            environment=made.environment,
            address=f"{host}:{chosen}",
            digest=digest,
            folder=folder,
        )
        try:
            until(place, part, partial(answers, chosen), seconds=seconds)
        except MachineError:
            taken = free_port(chosen) != chosen and not listens(record, chosen)
            processes.stop(place, part)
            if not taken or attempt == ATTEMPTS - 1:
                raise
            continue
        if listens(record, chosen):
            return chosen
        processes.stop(place, part)  # another program answered: it took the port in between
    raise MachineError(f"{part} found no port to itself in {ATTEMPTS} attempts: try again")


def port_of(record: processes.Running) -> int:
    """The port in a record's address."""
    return int(record.address.rpartition(":")[2])


def listens(record: processes.Running, port: int) -> bool:
    """Whether the recorded process itself holds `port` (some stay alive after failing to bind)."""
    process = record.process()
    try:
        found = process.net_connections(kind="tcp") if process else []
    except psutil.Error:
        return False
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in found)
