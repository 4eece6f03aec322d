"""The file `environment` of a place: all addresses and keys that tools and people need."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from dev.machine.place import Place
from dev.machine.private_files import write_private


def write(place: Place, values: Mapping[str, str]) -> None:
    """Write the file, readable by its owner only; `. .local/environment` exports all of it."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in values.items()]
    write_private(place.environment, "".join(lines))


def read(place: Place) -> dict[str, str]:
    """What the file says; empty when nothing was ever started in this place."""
    try:
        lines = place.environment.read_text().splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.removeprefix("export ").partition("=") for line in lines if "=" in line)
    return {name: "".join(shlex.split(value)) for name, _, value in pairs}
