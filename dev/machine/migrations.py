"""Bring the database's schema up to date, when it may not be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from dev.machine import database
from dev.machine.digests import digest
from dev.machine.errors import MachineError
from dev.machine.place import CHECKOUT, Place

SECONDS = 120.0


def migrate(place: Place, url: str, say: Callable[[str], None]) -> None:
    """Run the migrations unless nothing changed since they ran here. Raises MachineError."""
    code = digest([CHECKOUT / "control_plane" / "migrations", CHECKOUT / "control_plane" / "migrate.py"])
    stamp = place.data / "migrated"
    if stamp.exists() and stamp.read_text() == f"{code} {database.identity(url)}":
        return
    say("database: migrating")
    done = subprocess.run(
        [sys.executable, "-m", "control_plane.migrate", "--cell", "local"],
        cwd=CHECKOUT,
        env={"DATABASE_URL": url, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    log = place.log("migrate")
    log.write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise MachineError(f"the migrations failed: {lines[-1]} (see {log})")
    stamp.write_text(f"{code} {database.identity(url)}")
