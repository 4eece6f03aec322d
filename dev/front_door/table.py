"""HAProxy's map of host names: its file, what HAProxy shows of it, and how to change it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

Table = Mapping[str, str]
"""By host name in lower case: `ADDRESS/PORT` or CLOSED. The slash, because an address may have colons."""

CLOSED = "closed"
"""The value of a store that is known and has no address."""

_LINE = re.compile(r"([a-z0-9.-]+) ([0-9a-f.:]+/[0-9]+|closed)")


def text(table: Table) -> str:
    """The map's file."""
    return "".join(f"{host} {value}\n" for host, value in sorted(table.items()))


def table_in(file: str) -> Table:
    """The entries of a map's file; lines that a crash has mangled are left out."""
    return {found[1]: found[2] for line in file.splitlines() if (found := _LINE.fullmatch(line))}


def shown(answer: str) -> Table:
    """The entries in what `show map` answers: an id, the host name and the value in each line."""
    return {host: value for _, host, value in (line.split(" ", 2) for line in answer.splitlines() if line)}


def commands(name: str, now: Table, wanted: Table) -> Iterator[str]:
    """What to tell HAProxy so that its map `name` goes from `now` to `wanted`."""
    for host in now.keys() - wanted.keys():
        yield f"del map {name} {host}"
    for host, value in wanted.items():
        if host not in now:
            yield f"add map {name} {host} {value}"
        elif now[host] != value:
            yield f"set map {name} {host} {value}"
