"""HAProxy's runtime API: its map is changed while it runs, so that no connection ends."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from itertools import islice

from dev.front_door.table import Table, commands, shown

SOCKET = "runtime.sock"

_SECONDS = 2.0
_AT_ONCE = 40  # commands of up to 330 characters; HAProxy reads 16 KiB


class RuntimeApiError(Exception):
    """HAProxy did not answer, or refused."""


def bring_to(name: str, wanted: Table) -> int:
    """Make the running HAProxy's map `name` the one that is wanted; how many changes it took.

    Compared with what HAProxy says it has, so that it does not matter what happened to it before.
    Raises RuntimeApiError.
    """
    changes = list(commands(name, shown(_ask(f"show map {name}")), wanted))
    for some in _batches(changes):
        if complaint := _ask(";".join(some)).strip():
            raise RuntimeApiError(complaint.splitlines()[0])
    return len(changes)


def _ask(command: str) -> str:
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_SECONDS)
            connection.connect(SOCKET)
            connection.sendall(f"{command}\n".encode())
            while some := connection.recv(65536):
                answer += some
    except OSError as error:
        raise RuntimeApiError(f"no answer: {error}") from error
    # Whatever it answers, it ends with an empty line: without, HAProxy died meanwhile.
    if not answer.endswith(b"\n"):
        raise RuntimeApiError("no whole answer")
    return answer.decode(errors="replace")


def _batches(changes: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(changes)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
