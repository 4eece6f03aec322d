"""One Postgres database: its pool, and its errors in our words.

Every statement of ours is one transaction (what belongs together stands in one statement
with CTEs), so connections are in autocommit: no BEGIN and COMMIT to wait for.
"""

from __future__ import annotations

import select
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, TextClause, create_engine, event
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from control_plane.domain.errors import DatabaseUnavailableError

# SQLSTATE classes: connection, resources, operator intervention (shutdown, starting up).
_UNAVAILABLE = ("08", "53", "57")


class Database:
    """Runs statements. Connects at the first one, so that nothing is open before a fork."""

    def __init__(self, url: str, *, connections: int, parameters: Mapping[str, str] | None = None) -> None:
        """`url` as `postgresql+pg8000://…`; at most `connections` open at once.

        `parameters` are settings of the server, as `statement_timeout`, for these connections.
        """
        self._engine: Engine = create_engine(
            url,
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
        try:
            with self._engine.connect() as connection:
                result = connection.execute(statement, parameters)
                return result.mappings().all() if result.returns_rows else []
        except PoolTimeoutError as error:
            raise DatabaseUnavailableError("all database connections are busy") from error
        except DBAPIError as error:
            if error.connection_invalidated or not sqlstate(error) or sqlstate(error)[:2] in _UNAVAILABLE:
                raise DatabaseUnavailableError("the database does not answer") from error
            raise

    def one(self, statement: TextClause, parameters: Mapping[str, Any]) -> RowMapping | None:
        """The first row, or None."""
        rows = self.rows(statement, parameters)
        return rows[0] if rows else None


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
