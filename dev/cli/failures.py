"""How commands fail: one clear line on stderr and an exit code, never a traceback.

0 success, 1 failed, 2 wrong usage, 3 the platform does not run or cannot be reached.
"""

from __future__ import annotations

import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from dev.machine.errors import MachineError
from dev.machine.place import Place

FAILED = 1
USAGE = 2
UNREACHABLE = 3


class CommandError(Exception):
    """A command could not do what it was asked; the message says what to do."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


class Commands(TyperGroup):
    """Turns the errors of all commands into a line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except CommandError as failure:
            _end(str(failure), failure.code)
        except MachineError as error:
            _end(str(error), FAILED)
        except (typer.Exit, typer.Abort, typer.TyperException, EOFError, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001 - a person gets a line, the log gets the traceback
            log = Place.from_environment().log("urumi")
            with log.open("a") as file:
                traceback.print_exception(error, file=file)
            _end(f"a fault in urumi itself: {type(error).__name__}: {error} (see {log})", FAILED)


def _end(message: str, code: int) -> None:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)
