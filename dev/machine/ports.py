"""Free TCP ports on the loopback address, remembered for a place so that addresses last."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from dev.machine.place import Place

LET_GO = 1.0  # seconds


def free_port(preferred: int = 0) -> int:
    """`preferred` if nobody listens there, else one that the kernel picks."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free TCP port on 127.0.0.1")


def lasting_port(place: Place, part: str, default: int = 0) -> int:
    """The port that `part` had last time if it is free, else `default`, else any; remembered."""
    remembered = remembered_port(place, part)
    if remembered is not None and _becomes_free(remembered):
        return remembered
    chosen = free_port(default)
    _file(place, part).write_text(str(chosen))
    return chosen


def remembered_port(place: Place, part: str) -> int | None:
    """The port that `part` was given last, or None."""
    try:
        return int(_file(place, part).read_text())
    except (FileNotFoundError, ValueError):
        return None


def _becomes_free(port: int) -> bool:
    """Whether `port` is free now or within a moment: a killed process lets go of it a little later."""
    deadline = time.monotonic() + LET_GO
    while free_port(port) != port:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _file(place: Place, part: str) -> Path:
    folder = place.data / "ports"
    folder.mkdir(exist_ok=True)
    return folder / part
