"""One Postgres database: its pool, and its errors in our words.

A statement of a function that works for the platform is one transaction (what belongs together
stands in one statement with CTEs), so connections are in autocommit: no BEGIN and COMMIT to wait
for. What a caller of the API asks is a transaction that begins with who they are.
"""

from __future__ import annotations

import select
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, TextClause, event, text
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from control_plane.adapters.postgres_login import make_engine
from control_plane.domain.errors import DatabaseUnavailableError

# SQLSTATE classes: connection, resources, operator intervention (shutdown, starting up).
_UNAVAILABLE = ("08", "53", "57")
_WAITED = ("55P03", "25P03")  # for a lock; idle in a transaction


class Database:
    """Runs statements. Connects at the first one, so that nothing is open before a fork."""

    def __init__(
        self,
        url: str,
        *,
        connections: int,
        parameters: Mapping[str, str] | None = None,
        ca: str | None = None,
    ) -> None:
        """`url` as `postgresql+pg8000://…`; at most `connections` open at once.

        `parameters` are settings of the server, as `statement_timeout`, for these connections.
        With `ca`, the server's CA as PEM, they are made as `postgres_login` says.
        """
        self._engine = make_engine(
            url,
            ca,
            isolation_level="AUTOCOMMIT",
            pool_size=connections,
            max_overflow=0,
            pool_timeout=10,
            pool_recycle=1800,
            pool_use_lifo=True,
            connect_args={"timeout": 10, "startup_params": dict(parameters or {})},
        )
        event.listen(self._engine, "checkout", _refuse_closed)

    def rows(self, statement: TextClause, parameters: Mapping[str, Any]) -> Sequence[RowMapping]:
        """Run one statement and return its rows.

        Raises DatabaseUnavailableError, or SQLAlchemy's DBAPIError for what the
        database refused; `sqlstate` tells which.
        """
        with self._connected() as connection:
            return Session(connection).rows(statement, parameters)

    def one(self, statement: TextClause, parameters: Mapping[str, Any]) -> RowMapping | None:
        """The first row, or None."""
        rows = self.rows(statement, parameters)
        return rows[0] if rows else None

    @contextmanager
    def transaction(self, entering: str) -> Iterator[tuple[RowMapping, Session]]:
        """A transaction that begins with the statement `entering`: its row, and the rest of it.

        `entering` is sent as it is, in one round trip with BEGIN, and nothing of a caller's may stand
        in it unencoded. An error that leaves the block undoes what came after `entering`, not itself.
        Raises as `rows` does.
        """
        with self._connected() as connection:
            session = Session(connection)
            (row,) = session.rows(text(f"BEGIN; {entering}; SAVEPOINT entered"), {})
            try:
                yield row, session
            except DatabaseUnavailableError:
                raise
            except BaseException:
                session.rows(text("ROLLBACK TO SAVEPOINT entered; COMMIT"), {})
                raise
            session.rows(text("COMMIT"), {})

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except PoolTimeoutError as error:
            raise DatabaseUnavailableError("all database connections are busy") from error
        except DBAPIError as error:
            if _unavailable(error):
                raise DatabaseUnavailableError("the database does not answer") from error
            raise


class Session:
    """One connection, for as long as a transaction lasts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, statement: TextClause, parameters: Mapping[str, Any]) -> Sequence[RowMapping]:
        """As `Database.rows`."""
        try:
            result = self._connection.execute(statement, parameters)
            return result.mappings().all() if result.returns_rows else []
        except DBAPIError as error:
            if _unavailable(error):
                raise DatabaseUnavailableError("the database does not answer") from error
            raise

    def one(self, statement: TextClause, parameters: Mapping[str, Any]) -> RowMapping | None:
        """The first row, or None."""
        rows = self.rows(statement, parameters)
        return rows[0] if rows else None


def _unavailable(error: DBAPIError) -> bool:
    state = sqlstate(error)
    return error.connection_invalidated or not state or state[:2] in _UNAVAILABLE or state in _WAITED


def sqlstate(error: DBAPIError) -> str:
    """The five-letter code of a server error; empty for any other."""
    return str(_server_fields(error).get("C", ""))


def constraint(error: DBAPIError) -> str:
    """The name of the constraint or index that refused a row; empty if none did."""
    return str(_server_fields(error).get("n", ""))


def _server_fields(error: DBAPIError) -> Mapping[str, str]:
    # pg8000 gives the server's fields as a mapping; everything else is its own or the network's.
    arguments = error.orig.args if error.orig else ()
    return arguments[0] if arguments and isinstance(arguments[0], Mapping) else {}


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    # A pooled connection with something to read has been closed by the server. Looking at
    # the socket finds that without the round trip of a ping; the pool then makes a new one.
    if select.select([connection._usock], [], [], 0)[0]:
        raise DisconnectionError
