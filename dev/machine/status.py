"""How each part of a place is doing."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from dev.machine import clusters, emulator, environment, functions, postgres, processes
from dev.machine.database import address
from dev.machine.logfiles import last_error
from dev.machine.place import Place
from dev.machine.serving import port_of

SECONDS = 1.0

State = Literal["running", "silent", "died", "stopped"]


@dataclass(frozen=True)
class PartStatus:
    """One part, as seen now."""

    part: str
    state: State  # silent: it runs and does not answer; died: it ended without `down`
    address: str
    log: str
    last_error: str | None  # since it was started


def status(place: Place) -> list[PartStatus]:
    """All parts, in the order in which they start."""
    outside = _outside(place)
    with ThreadPoolExecutor(max_workers=16) as threads:
        return list(threads.map(lambda part: _look(place, part, outside.get(part)), parts(place)))


def parts(place: Place) -> list[str]:
    """The names of all parts."""
    functions_ = [one.name for one in functions.FUNCTIONS]
    if processes.record_of(place, functions.WEBHOOK.name):  # only where there is a secret of Stripe's
        functions_.append(functions.WEBHOOK.name)
    return [postgres.PART, emulator.PART, *clusters.parts(place), *functions_, "ticker"]


def _look(place: Place, part: str, outside: str | None) -> PartStatus:
    if outside:
        host, _, port = outside.partition("/")[0].rpartition(":")
        return PartStatus(part, "running" if _listens(host, int(port)) else "silent", outside, "", None)
    record = processes.record_of(place, part)
    if record is None:
        return PartStatus(part, "stopped", "", str(place.log(part)), None)
    state: State = "died" if record.process() is None else "running" if _answers(record) else "silent"
    return PartStatus(part, state, record.address, str(place.log(part)), last_error(place, part))


def _answers(record: processes.Running) -> bool:
    if any(record.name == one.name for one in (*functions.FUNCTIONS, functions.WEBHOOK)):
        return functions.answers(port_of(record))
    host, _, port = record.address.partition("/")[0].rpartition(":")
    return not port.isdigit() or _listens(host, int(port))


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=SECONDS).close()
    except OSError:
        return False
    return True


def _outside(place: Place) -> dict[str, str]:
    """The addresses of parts that others run and that the environment file names."""
    values = environment.read(place)
    found = {}
    url = values.get("DATABASE_URL")
    if url and url != postgres.own_url(place):
        found[postgres.PART] = address(url)
    broker = values.get("PUBSUB_EMULATOR_HOST")
    if broker and processes.record_of(place, emulator.PART) is None and broker == emulator.given():
        found[emulator.PART] = broker
    return found
