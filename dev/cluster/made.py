"""What is made once on a machine and kept in a cache folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from dev.cluster.cluster import Say
from dev.cluster.lock import locked

MakeBeside = Callable[[Path], None]


def made(path: Path, make: MakeBeside, say: Say) -> Path:
    """`path`, made beside its place and renamed if it is not there yet, so that what exists is whole."""
    if path.exists():
        return path
    with locked(path.with_name(f"{path.name}.lock"), waiting=lambda: say(f"another run makes {path.name}")):
        if path.exists():  # somebody else may have made it while we waited
            return path
        beside = path.with_name(f".{path.name}.new")
        shutil.rmtree(beside, ignore_errors=True)
        make(beside)
        beside.rename(path)
    return path
