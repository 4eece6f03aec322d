"""Bring the database's schema and users up to date, when they may not be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from dev.machine import database, database_roles, postgres
from dev.machine.digests import digest
from dev.machine.errors import MachineError
from dev.machine.place import CHECKOUT, Place

SECONDS = 120.0
CODE = (
    CHECKOUT / "control_plane" / "migrations",
    CHECKOUT / "control_plane" / "migrate.py",
    CHECKOUT / "dev" / "machine" / "database_roles.py",
)


def migrate(place: Place, url: str, say: Callable[[str], None]) -> None:
    """Run the migrations as the owner and make the users, unless nothing changed since then.

    `url` is that of the own server's superuser, or of the user given for another's. Raises MachineError.
    """
    code = digest(CODE)
    stamp = place.data / "migrated"
    if stamp.exists() and stamp.read_text() == f"{code} {database.identity(url)}":
        return
    say("database: migrating")
    given = postgres.given(place) is not None
    _migrate(place, url if given else database_roles.take_over(place, url))
    database_roles.let_in(place, url, given=given)
    stamp.write_text(f"{code} {database.identity(url)}")


def _migrate(place: Place, url: str) -> None:
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
