"""What commands show: results on stdout, progress on stderr; plain lines where nobody looks."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

_begun = time.monotonic()


def say(line: str) -> None:
    """A line of progress, with the seconds since the command began when a person watches."""
    if sys.stderr.isatty():
        typer.secho(f"{elapsed():6.1f} s  {line}", err=True, dim=True)
    else:
        typer.echo(line, err=True)


def elapsed() -> float:
    """Seconds since the command began."""
    return time.monotonic() - _begun


def as_json(value: Any) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def line(text: str = "") -> None:
    """A line of the result."""
    typer.echo(text)


def warn(text: str) -> None:
    """Lines that must not be overlooked."""
    typer.secho(text, err=True, fg="yellow", bold=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table: drawn on a terminal, else aligned columns that are easy to cut."""
    if sys.stdout.isatty():
        _drawn(columns, rows)
        return
    widths = [max(len(row[at]) for row in (columns, *rows)) for at in range(len(columns))]
    for row in (columns, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def fields(values: Mapping[str, object]) -> None:
    """Names and values, one a line; those without a value are left out."""
    width = max(map(len, values))
    for name, value in values.items():
        if value not in (None, ""):
            typer.echo(f"{name.ljust(width)}  {value}")


def near(path: str) -> str:
    """A path as one would type it from here."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path


def _drawn(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - 50 ms that plain output need not pay
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    drawn = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        drawn.add_row(*(Text(cell, overflow="fold") for cell in row))
    Console().print(drawn)
