"""Folders in which tests run parts, and what killed test runs have left in theirs."""

from __future__ import annotations

import re
import shutil
import tempfile
from os import getpid
from pathlib import Path

import psutil

from dev.machine import machine
from dev.machine.place import Place

_OURS = re.compile(r"urumi-test-(\d+)-.*")


def fresh() -> Place:
    """A new place of this run's own. What runs in places of dead runs is stopped and removed first."""
    base = Path(tempfile.gettempdir())
    for folder in base.iterdir():
        name = _OURS.fullmatch(folder.name)
        if name and not psutil.pid_exists(int(name[1])):
            remove(Place(folder))
    folder = Path(tempfile.mkdtemp(prefix=f"urumi-test-{getpid()}-"))
    folder.chmod(0o711)  # Postgres runs as another user, and must get to its own folder
    return Place(folder)


def remove(place: Place) -> None:
    """Stop all that runs there and remove it."""
    machine.clean(place, print)
    shutil.rmtree(place.root, ignore_errors=True)
