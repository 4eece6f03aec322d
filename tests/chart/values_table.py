"""The table of values in the chart's README, made from the schema and the defaults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tests.chart.rendering import CHART

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())


@dataclass(frozen=True)
class Row:
    """One value: its dotted path, its default as the table shows it, and what it is."""

    path: str
    default: str
    description: str


def rows() -> list[Row]:
    """Every value that can be given, in the order of the schema."""
    return list(_rows(SCHEMA, DEFAULTS, ""))


def table() -> str:
    """The Markdown table."""
    lines = [f"| `{row.path}` | {row.default} | {row.description} |" for row in rows()]
    return "\n".join(["| value | default | what it is |", "|---|---|---|", *lines])


def _rows(schema: dict[str, Any], defaults: Any, path: str) -> Iterator[Row]:
    for name, below in schema["properties"].items():
        here = f"{path}{name}"
        if "properties" in below:
            yield from _rows(below, defaults[name], f"{here}.")
            continue
        yield Row(here, "" if defaults is None else _default(below, defaults[name]), below["description"])
        if "properties" in below.get("items", {}):
            yield from _rows(below["items"], None, f"{here}[].")


def _default(schema: dict[str, Any], value: object) -> str:
    if value in ("", None):
        names = " ".join(reference["$ref"] for reference in schema.get("allOf", []))
        return "empty" if names.endswith("OrNone") else "**must be given**"
    return f"`{json.dumps(value)}`" if isinstance(value, dict | list) else f"`{value}`"
