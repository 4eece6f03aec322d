"""The templates of the pages. Everything that is put into them is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from control_plane.domain.fields import NAME
from functions.console import assets, words

_FOLDER = Path(__file__).with_name("templates")


def render(template: str, **values: object) -> str:
    """The page as text."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # In a browser's patterns a dash is written with a backslash.
    made.globals.update(asset=assets.address_of, name_pattern=NAME[1:-1].replace("-]", r"\-]"))
    made.filters.update(
        moment=words.moment, day=words.day, size=words.size, iso=lambda at: at.isoformat(timespec="seconds")
    )
    return made
