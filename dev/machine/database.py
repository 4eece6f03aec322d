"""One short connection to Postgres: is it there, and is it still the same database."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from dev.machine.errors import MachineError

if TYPE_CHECKING:
    import pg8000.native

SECONDS = 5.0
STARTING_UP = "57P03"  # cannot_connect_now

IDENTITY = """
    SELECT (SELECT system_identifier FROM pg_control_system())::text,
           (SELECT oid FROM pg_database WHERE datname = current_database())::text,
           to_regclass('alembic_version')::oid::text
"""


def connect(url: str, database: str | None = None) -> pg8000.native.Connection:
    """A connection to `url` (or to another database of that server); the caller closes it.

    Raises OSError where nobody listens, and pg8000's errors as they are.
    """
    import pg8000.native  # noqa: PLC0415 - 40 ms that most commands need not pay

    parts = urlsplit(url)
    # The socket is ours because pg8000 leaves its own open when the server refuses us.
    wire = socket.create_connection((parts.hostname or "localhost", parts.port or 5432), timeout=SECONDS)
    try:
        return pg8000.native.Connection(
            user(url),
            sock=wire,
            password=unquote(parts.password) if parts.password else None,
            database=database or unquote(parts.path.lstrip("/")) or None,
        )
    except BaseException:
        wire.close()
        raise


def identity(url: str) -> str:
    """A text that changes when the server, the database or its schema was made anew.

    Raises MachineError when nobody answers there or the password is refused.
    """
    from pg8000.exceptions import DatabaseError, InterfaceError  # noqa: PLC0415 - as above

    try:
        connection = connect(url)
        try:
            return "/".join(str(field) for field in connection.run(IDENTITY)[0])
        finally:
            connection.close()
    except (DatabaseError, InterfaceError, OSError) as error:
        raise MachineError(f"the database at {address(url)} does not answer: {reason(error)}") from error


def answers(url: str) -> bool:
    """Whether a Postgres server takes connections there, whatever it thinks of our password."""
    from pg8000.exceptions import DatabaseError, InterfaceError  # noqa: PLC0415 - as above

    try:
        connect(url, "postgres").close()
    except DatabaseError as error:
        return code(error) != STARTING_UP
    except (InterfaceError, OSError):
        return False
    return True


def code(error: Exception) -> str:
    """The SQLSTATE of a server error, or an empty text."""
    details = error.args[0] if error.args else None
    return str(details.get("C", "")) if isinstance(details, dict) else ""


def reason(error: Exception) -> str:
    """The server's own words, or the client's."""
    details = error.args[0] if error.args else None
    return str(details.get("M", "")) if isinstance(details, dict) else str(error)


def user(url: str) -> str:
    """The name with which a URL logs in."""
    return unquote(urlsplit(url).username or "postgres")


def address(url: str) -> str:
    """`host:port/database` without name and password, for people and logs."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}"
