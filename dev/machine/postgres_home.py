"""Where a place's PostgreSQL keeps its files, and as whom it runs.

PostgreSQL refuses to run as root, so root hands it to the user `postgres`, who must be able
to reach its folder. Below a folder that is closed to others (such as /root) it cannot, and
we change no mode of a folder that is not ours: the files then live in /var/tmp.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from dev.machine.errors import MachineError
from dev.machine.place import Place

USER = "postgres"
SOCKET_LIMIT = 103  # bytes of a socket's path: macOS allows 104 with the closing zero, Linux 108
LONGEST_NAME = "/.s.PGSQL.65535.lock"


def prefix() -> list[str]:
    """What to put before a PostgreSQL command: nothing, or a change of user when we are root."""
    if os.geteuid() != 0:
        return []
    _owner()
    if shutil.which("setpriv") is None:
        raise MachineError("PostgreSQL refuses to run as root and `setpriv` is not here: run as another user")
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "--"]


def home(place: Place, say: Callable[[str], None]) -> Path:
    """The folder for data and socket, owned by whoever runs PostgreSQL, made if missing."""
    moved = place.data / "postgres.elsewhere"
    if moved.exists() and (known := Path(moved.read_text())).is_dir():
        return known
    folder = place.data / "postgres"
    if folder.is_dir():
        return folder
    _own(folder)
    if _reachable(folder):
        return folder
    folder.rmdir()
    elsewhere = Path(tempfile.mkdtemp(prefix="urumi-postgres-", dir="/var/tmp"))  # survives a reboot
    _own(elsewhere)
    moved.write_text(str(elsewhere))
    say(f"PostgreSQL: the user {USER} cannot reach {place.data}, so its data lives in {elsewhere}")
    return elsewhere


def socket_folder(home_folder: Path, place: Place) -> Path:
    """A folder for the unix socket whose path is short enough for the kernel."""
    folder = home_folder / "socket"
    if len(os.fsencode(f"{folder}{LONGEST_NAME}")) <= SOCKET_LIMIT:
        _own(folder)
        return folder
    note = place.data / "postgres.socket"
    if note.exists() and (known := Path(note.read_text())).is_dir():
        return known
    short = Path(tempfile.mkdtemp(prefix="urumi-", dir="/tmp"))  # short on every machine
    _own(short)
    note.write_text(str(short))
    return short


def give(path: Path) -> None:
    """Hand a file or folder of ours to whoever runs PostgreSQL."""
    if os.geteuid() == 0:
        user = _owner()
        os.chown(path, user.pw_uid, user.pw_gid)


def forget(place: Place) -> None:
    """Remove the folders that lie outside the place."""
    for note in (place.data / "postgres.elsewhere", place.data / "postgres.socket"):
        if note.exists():
            shutil.rmtree(note.read_text(), ignore_errors=True)
            note.unlink()


def _own(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    give(folder)


def _owner() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        message = (
            f"PostgreSQL refuses to run as root and there is no user {USER!r}: `adduser --system {USER}`"
        )
        raise MachineError(message) from None


def _reachable(folder: Path) -> bool:
    return subprocess.run([*prefix(), "test", "-w", folder], check=False, cwd="/").returncode == 0
