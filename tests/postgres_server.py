"""A PostgreSQL server for the tests alone, with a fresh migrated database for each of them.

The schema has its owner and the functions their users, as everywhere; a test's own URL is the superuser's.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import pytest

from control_plane.migrate import migrate
from dev.machine import database, database_roles, postgres, postgres_home
from dev.machine.place import Place
from dev.machine.processes import Running
from tests.builders import CELL

_PREFIX = "urumi-test-postgres-"
_OWNER = "owner.json"
_TEMPLATE = "migrated"
_AHEAD = 2  # copies that wait for a test


class Server:
    """A running server. Databases are copies of one that was migrated once."""

    def __init__(self, place: Place, url: str) -> None:
        self.log = place.log(postgres.PART)
        self._place = place
        self._url = url
        self._numbers = itertools.count(1)
        # A copy takes a third of a second: the next ones are made while a test runs.
        self._ahead: deque[Future[str]] = deque()
        self._threads = ThreadPoolExecutor(1)
        # Whose database a line of the log is about.
        self.run("ALTER SYSTEM SET log_line_prefix = '%d '")
        self.run("SELECT pg_reload_conf()")
        self.migrate(self.empty_database(_TEMPLATE))

    def database(self) -> str:
        """The URL of a new database with the schema and one cell in it.

        A copy, which the rights on the database itself do not come with: whoever is known may connect.
        """
        while len(self._ahead) <= _AHEAD:
            self._ahead.append(self._threads.submit(self._copy, f"test_{next(self._numbers)}"))
        return self._ahead.popleft().result()

    def _copy(self, name: str) -> str:
        return self._create(name, f" TEMPLATE {_TEMPLATE} OWNER {database_roles.OWNER}")

    def migrate(self, url: str) -> None:
        """Bring an empty database to where `database` ones are, by its owner and not by us."""
        migrate(self.owner(url), [CELL])
        self.let_in(url)

    def owner(self, url: str) -> str:
        """The URL with which the owner of its schema comes to an empty database."""
        return database_roles.take_over(self._place, url)

    def let_in(self, url: str) -> None:
        """Make the users of a migrated database."""
        database_roles.let_in(self._place, url, given=False)

    def logins(self, url: str) -> Mapping[str, str]:
        """The URLs with which each function, and operators, come to a migrated database."""
        return database_roles.urls(self._place, url)

    def empty_database(self, name: str = "") -> str:
        """The URL of a new database with nothing in it."""
        return self._create(name or f"test_{next(self._numbers)}", "")

    def close(self) -> None:
        """Wait for the copies that are still being made."""
        self._threads.shutdown()

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.run(f"DROP DATABASE {database_name(url)} WITH (FORCE)")

    def run(self, sql: str) -> list[Any]:
        """One statement in the server's own database."""
        connection = database.connect(self._url, "postgres")
        try:
            return list(connection.run(sql) or [])
        finally:
            connection.close()

    def _create(self, name: str, template: str) -> str:
        self.run(f"CREATE DATABASE {name}{template}")
        return f"{self._url.rpartition('/')[0]}/{name}"


def database_name(url: str) -> str:
    """The name of the database that a URL leads to."""
    return url.rpartition("/")[2]


@contextmanager
def running() -> Iterator[Server]:
    """Start a server, and remove it with all it holds at the end."""
    _remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    folder.chmod(0o711)  # Postgres runs as another user, and must get to its own folder
    me = Running("tests", os.getpid(), psutil.Process().create_time(), "")
    (folder / _OWNER).write_text(json.dumps(asdict(me)))
    try:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("URUMI_UNSAFE_FAST", "1")
            environment.delenv("DATABASE_URL", raising=False)  # never the database of whoever runs the tests
            url = postgres.up(Place(folder), lambda _: None)
        server = Server(Place(folder), url)
        yield server
        server.close()
    finally:
        _remove(folder)


def _remove_leftovers() -> None:
    """What a killed run of the tests left behind."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = folder / _OWNER
        if owner.exists() and Running(**json.loads(owner.read_text())).process() is None:
            _remove(folder)


def _remove(folder: Path) -> None:
    postgres.down(Place(folder))
    postgres_home.forget(Place(folder))
    shutil.rmtree(folder, ignore_errors=True)
