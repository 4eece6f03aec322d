"""Bring the database's schema up to date: `python -m control_plane.migrate --cell NAME --member ROLE=USER`.

Run before new code, never by a function, as the owner of the schema, who may make roles (CREATEROLE)
unless they are there. Two runs at once are safe: the second waits. A database that newer code has migrated
stays as it is, so that one can go back. Settings: DATABASE_URL, and URUMI_DATABASE_CA as the functions
have it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from control_plane.adapters.postgres_login import make_engine
from control_plane.adapters.server_tls import pem
from control_plane.domain.errors import DatabaseUnavailableError, MisconfiguredError

_ONE_AT_A_TIME = 7_351_980  # any number that nobody else uses for an advisory lock here
# What the migrations make and grant to. No other role is given away here.
ROLES = (
    "urumi_create_store",
    "urumi_provision",
    "urumi_reconcile",
    "urumi_operator",
    "urumi_billing_event",
    "urumi_console",
)


class Member(NamedTuple):
    """A user of the server who shall have the rights of one of our roles."""

    role: str
    user: str


class UnknownUserError(Exception):
    """There is no such user on the server."""


def migrate(
    database_url: str, cells: Sequence[str], members: Sequence[Member] = (), *, ca: str | None = None
) -> bool:
    """Apply all missing migrations, register the cells that are not there yet, and make the members.

    Returns whether the schema is this code's own now, not a newer one that was left alone. All of it is one
    transaction. Raises SQLAlchemyError (`reason` says it in the server's words),
    UnknownUserError, and what `make_engine` says.
    """
    engine = make_engine(database_url, ca)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ONE_AT_A_TIME})
            config.attributes["connection"] = connection
            ours = _knows(config, connection)
            if ours:
                command.upgrade(config, "head")
            for name in cells:
                connection.execute(
                    text("INSERT INTO cells (id, name) VALUES (:id, :name) ON CONFLICT (name) DO NOTHING"),
                    {"id": uuid4(), "name": name},
                )
            for member in members:
                _let_in(connection, member)
            return ours
    finally:
        engine.dispose()


def _knows(config: Config, connection: Connection) -> bool:
    """Whether what the database was last migrated to is among this code's migrations."""
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    return known.issuperset(MigrationContext.configure(connection).get_current_heads())


def _let_in(connection: Connection, member: Member) -> None:
    known = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :user"), {"user": member.user})
    if not known.all():
        raise UnknownUserError(f"there is no user {member.user!r} on the server: make it, then migrate again")
    # Names cannot be parameters of a GRANT; the server quotes them.
    statement = text("SELECT format('GRANT %I TO %I', CAST(:role AS text), CAST(:user AS text))")
    quoted = connection.execute(statement, member._asdict())
    connection.exec_driver_sql(quoted.scalar_one())


def reason(error: SQLAlchemyError) -> str:
    """The server's own words, or the client's."""
    arguments = error.orig.args if isinstance(error, DBAPIError) and error.orig else ()
    fields = arguments[0] if arguments else None
    return str(fields["M"]) if isinstance(fields, dict) and "M" in fields else str(error.__cause__ or error)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m control_plane.migrate", description=__doc__)
    parser.add_argument("--cell", action="append", default=[], help="a cell to register; may be repeated")
    parser.add_argument(
        "--member",
        action="append",
        default=[],
        type=_member,
        metavar="ROLE=USER",
        help="a user who shall have the rights of one of our roles; may be repeated",
    )
    arguments = parser.parse_args()
    database_url = os.environ.get("DATABASE_URL")
    if not database_url:
        sys.stderr.write("DATABASE_URL is not set: postgresql+pg8000://USER:PASSWORD@HOST:PORT/DATABASE\n")
        return 2
    ca = os.environ.get("URUMI_DATABASE_CA")
    try:
        if ca is not None:
            pem(ca)
    except ValueError as error:
        sys.stderr.write(f"URUMI_DATABASE_CA: {error}\n")
        return 2
    try:
        ours = migrate(database_url, arguments.cell, arguments.member, ca=ca)
    except SQLAlchemyError as error:
        sys.stderr.write(f"the database could not be migrated: {reason(error)}\n")
        return 1
    except (UnknownUserError, MisconfiguredError, DatabaseUnavailableError) as error:
        sys.stderr.write(f"the database could not be migrated: {error}\n")
        return 1
    if not ours:
        sys.stderr.write("newer code has migrated the database: its schema stays as it is\n")
    return 0


def _member(text: str) -> Member:
    role, _, user = text.partition("=")
    if role not in ROLES or not user:
        raise argparse.ArgumentTypeError(f"write it as ROLE=USER, with one of {', '.join(ROLES)}")
    return Member(role, user)


if __name__ == "__main__":
    sys.exit(main())
