"""A private PostgreSQL server: own data, own port, own password; or the one that DATABASE_URL names.

Settings: DATABASE_URL (used as it is, nothing is started), URUMI_UNSAFE_FAST=1 (tests only:
no fsync, so that a power cut may lose the data; a crash of the process does not).
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from dev.machine import database, postgres_binaries, postgres_home, processes
from dev.machine.errors import MachineError
from dev.machine.place import Place
from dev.machine.ports import remembered_port
from dev.machine.private_files import write_private
from dev.machine.serving import Command, port_of, serve

PART = "postgres"
PORT = 5440  # beside a system's own 5432
SECONDS = 60.0  # recovery after a crash may take a while
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C"}
UNSAFE = ("fsync=off", "full_page_writes=off")  # synchronous_commit stays: a killed server would lose commits


def check(place: Place) -> None:
    """Raise MachineError, saying what to do, when this machine has no PostgreSQL for the place."""
    if given(place) is None and processes.running(place, PART) is None:
        postgres_binaries.find()
        postgres_home.prefix()


def given(place: Place) -> str | None:
    """DATABASE_URL of the caller, unless it is this place's own from a sourced environment file."""
    url = os.environ.get("DATABASE_URL")
    password = _password_file(place)
    if url and password.exists() and f":{password.read_text()}@" in url:
        return None
    return url or None


def up(place: Place, say: Callable[[str], None]) -> str:
    """Start or reuse the server and return its SQLAlchemy URL. Raises MachineError."""
    if url := given(place):
        database.identity(url)
        return url
    if record := processes.running(place, PART):
        url = _url(place, port_of(record))
        if database.answers(url):
            return _with_database(url)
    return _start(place, say)


def down(place: Place) -> bool:
    """Stop the server, keeping its data; returns whether it was running."""
    return processes.stop(place, PART, how=signal.SIGINT, patience=30)  # SIGINT: ends open sessions


def own_url(place: Place) -> str | None:
    """The URL of this place's own server as it was last started, or None if it never was."""
    port = remembered_port(place, PART)
    return _url(place, port) if port and _password_file(place).exists() else None


def _start(place: Place, say: Callable[[str], None]) -> str:
    home = postgres_home.home(place, say)
    data = home / "cluster"
    major = int((data / "PG_VERSION").read_text()) if data.exists() else None
    binaries = postgres_binaries.find(major)
    if major is None:
        say("PostgreSQL: making a new database")
        _initialise(place, binaries, home)
    socket = postgres_home.socket_folder(home, place)
    _end_leftovers(place, data, socket)
    settings = [
        "listen_addresses=127.0.0.1",
        f"unix_socket_directories={socket}",
        "timezone=UTC",
        "log_checkpoints=off",
        *(UNSAFE if unsafe() else ()),
    ]
    port = serve(
        place,
        PART,
        port=PORT,
        command=lambda port: Command(
            [
                *postgres_home.prefix(),
                str(binaries / "postgres"),
                "-D",
                str(data),
                *(word for one in (*settings, f"port={port}") for word in ("-c", one)),
            ],
            ENVIRONMENT,
        ),
        answers=lambda port: database.answers(_url(place, port)),
        seconds=SECONDS,
        folder=Path("/"),  # it refuses to start in a folder that it may not enter
    )
    say(f"PostgreSQL: 127.0.0.1:{port}")
    return _with_database(_url(place, port))


def unsafe() -> bool:
    """Whether tests asked for speed instead of durability."""
    return os.environ.get("URUMI_UNSAFE_FAST") == "1"


def _initialise(place: Place, binaries: Path, home: Path) -> None:
    """Make the data folder aside and rename it, so that a killed run leaves no half of one."""
    aside = home / "cluster.new"
    shutil.rmtree(aside, ignore_errors=True)
    password = _password_file(place)
    if not password.exists():
        write_private(password, secrets.token_hex(24))
    copy = home / "password.once"
    write_private(copy, password.read_text())
    postgres_home.give(copy)
    try:
        done = subprocess.run(
            [
                *postgres_home.prefix(),
                str(binaries / "initdb"),
                f"--pgdata={aside}",
                "--username=urumi",
                f"--pwfile={copy}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                f"--locale={'en_US' if os.uname().sysname == 'Darwin' else 'C'}.UTF-8",
                *(["--no-sync"] if unsafe() else []),
            ],
            env=ENVIRONMENT,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        copy.unlink()
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise MachineError(f"initdb failed: {lines[-1]} (in {home})")
    aside.rename(home / "cluster")


def _end_leftovers(place: Place, data: Path, socket: Path) -> None:
    """End what a killed server left on this data folder, then remove its lock files.

    Backends outlive a postmaster that got SIGKILL for a moment, and the next one refuses to
    start beside them. The lock files name a process id that may be another program's by now,
    which Postgres would take for a living postmaster.
    """
    processes.stop(place, PART, how=signal.SIGINT, patience=30)
    left = [process for process in psutil.process_iter() if _works_in(process, data)]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGQUIT)
    if alive := [process for process in left if not processes.await_end(process, 10)]:
        raise MachineError(f"process {alive[0].pid} still works on {data}: end it, then try again")
    for lock in (data / "postmaster.pid", *socket.iterdir()):
        lock.unlink(missing_ok=True)


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.name().startswith("postgres") and Path(process.cwd()) == folder
    except psutil.Error:
        return False


def _with_database(url: str) -> str:
    """Make the database if this is the first start; raises MachineError if the password is refused."""
    from pg8000.exceptions import DatabaseError  # noqa: PLC0415 - 40 ms that most commands need not pay

    try:
        connection = database.connect(url, "postgres")
        if not connection.run("SELECT FROM pg_database WHERE datname = 'urumi'"):
            connection.run("CREATE DATABASE urumi")
        connection.close()
    except DatabaseError as error:
        message = f"PostgreSQL refuses us: {database.reason(error)}; start afresh with `make clean`"
        raise MachineError(message) from error
    return url


def _url(place: Place, port: int) -> str:
    password = _password_file(place).read_text()
    return f"postgresql+pg8000://urumi:{password}@127.0.0.1:{port}/urumi"


def _password_file(place: Place) -> Path:
    return place.data / "postgres.password"
