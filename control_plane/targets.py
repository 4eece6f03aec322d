"""Which file serves a target: `functions/TARGET/main.py`, but for targets that share another's."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

_FOLDERS = {"stripe_webhook": "billing_event"}


def source_of(target: str) -> Path:
    """The file that has the target's function. Raises ValueError with what there is if it has none."""
    found = find_spec("functions")
    folders = [Path(place) for place in found.submodule_search_locations or ()] if found else []
    for folder in folders:
        source = folder / _FOLDERS.get(target, target) / "main.py"
        if target.isidentifier() and source.is_file():
            return source
    there = {main.parent.name for folder in folders for main in folder.glob("*/main.py")} | set(_FOLDERS)
    raise ValueError(f"there is no function {target!r}: there are {', '.join(sorted(there))}")
