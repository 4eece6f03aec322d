"""Find the PostgreSQL server that is installed on this machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from dev.machine.errors import MachineError

OLDEST = 15
FOLDERS = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # Red Hat
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
MISSING = (
    f"PostgreSQL {OLDEST} or newer is not installed: "
    "`sudo apt-get install postgresql` (Debian, Ubuntu) or `brew install postgresql@17` (Homebrew)"
)


def find(major: int | None = None) -> Path:
    """The `bin` folder of the newest server from version 15 on, or of exactly `major`.

    Raises MachineError, with the command to run, when there is none.
    """
    found = {version: folder for folder in _folders() if (version := _version(folder))}
    usable = [version for version in found if version >= OLDEST and major in (None, version)]
    if usable:
        return found[max(usable)]
    if major is not None:
        raise MachineError(
            f"the data was made by PostgreSQL {major}, which is not installed any more: "
            "install it, or start afresh with `make clean`"
        )
    raise MachineError(MISSING)


def _folders() -> Iterator[Path]:
    for pattern in FOLDERS:
        yield from Path("/").glob(pattern.lstrip("/"))
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    if asked := shutil.which("pg_config"):
        answer = subprocess.run([asked, "--bindir"], capture_output=True, text=True, check=False)
        yield Path(answer.stdout.strip())


def _version(folder: Path) -> int | None:
    """The major version of a folder that holds both programs we need."""
    if not (folder / "postgres").is_file() or not (folder / "initdb").is_file():
        return None
    answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(match.group(1)) if match else None
