"""Wait for a part to answer, and no longer than needed."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable

from dev.machine.errors import MachineError
from dev.machine.logfiles import last_words
from dev.machine.place import Place
from dev.machine.processes import running

PAUSE = 0.03  # seconds between two looks


def until(place: Place, part: str, answers: Callable[[], bool], *, seconds: float) -> None:
    """Return once `answers`; raise MachineError when the part dies first or time is up."""
    deadline = time.monotonic() + seconds
    while not answers():
        if running(place, part) is None:
            raise MachineError(f"{part} ended at once: {last_words(place, part)} (see {place.log(part)})")
        if time.monotonic() > deadline:
            raise MachineError(f"{part} does not answer after {seconds:.0f} s: see {place.log(part)}")
        time.sleep(PAUSE)


def http_status(port: int, path: str, *, host: str = "127.0.0.1", seconds: float = 2.0) -> int | None:
    """The status of a GET, or None when nobody answers HTTP there."""
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
