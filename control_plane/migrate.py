"""Bring the database's schema up to date: `python -m control_plane.migrate --cell NAME`.

Run before new code, never by a function, as the owner of the schema, who may make roles (CREATEROLE)
unless they are there. Two runs at once are safe: the second waits.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from uuid import uuid4

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

_ONE_AT_A_TIME = 7_351_980  # any number that nobody else uses for an advisory lock here


def migrate(database_url: str, cells: list[str]) -> None:
    """Apply all missing migrations and register the cells that are not there yet.

    All of it is one transaction. Raises SQLAlchemyError; `reason` says it in the server's words.
    """
    engine = create_engine(database_url)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ONE_AT_A_TIME})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        for name in cells:
            connection.execute(
                text("INSERT INTO cells (id, name) VALUES (:id, :name) ON CONFLICT (name) DO NOTHING"),
                {"id": uuid4(), "name": name},
            )
    engine.dispose()


def reason(error: SQLAlchemyError) -> str:
    """The server's own words, or the client's."""
    arguments = error.orig.args if isinstance(error, DBAPIError) and error.orig else ()
    fields = arguments[0] if arguments else None
    return str(fields["M"]) if isinstance(fields, dict) and "M" in fields else str(error.__cause__ or error)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m control_plane.migrate", description=__doc__)
    parser.add_argument("--cell", action="append", default=[], help="a cell to register; may be repeated")
    arguments = parser.parse_args()
    database_url = os.environ.get("DATABASE_URL")
    if not database_url:
        sys.stderr.write("DATABASE_URL is not set: postgresql+pg8000://USER:PASSWORD@HOST:PORT/DATABASE\n")
        return 2
    try:
        migrate(database_url, arguments.cell)
    except SQLAlchemyError as error:
        sys.stderr.write(f"the database could not be migrated: {reason(error)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
