"""values.yaml, values.schema.json and the README say the same."""

from __future__ import annotations

import re

from tests.chart.rendering import CHART
from tests.chart.values_table import DEFAULTS, rows, table


def test_the_readme_lists_every_value() -> None:
    readme = (CHART / "README.md").read_text()
    found = re.search(r"<!-- values -->\n(.*?)\n?<!-- /values -->", readme, re.DOTALL)
    assert found
    assert found[1] == table(), f"put this between the marks in chart/README.md:\n{table()}"


def test_every_value_stands_in_values_yaml_under_its_own_sentence() -> None:
    documented = _documented((CHART / "values.yaml").read_text())
    wanted = {row.path: row.description for row in rows() if "[]" not in row.path}
    assert documented == wanted


def test_values_yaml_holds_nothing_that_the_schema_does_not_know() -> None:
    assert set(_leaves(DEFAULTS, {row.path for row in rows()})) == {
        r.path for r in rows() if "[]" not in r.path
    }


def _documented(text: str) -> dict[str, str]:
    """Dotted path and comment of every key that has a comment right above it."""
    found: dict[str, str] = {}
    at: list[str] = []
    above = ""
    for line in text.splitlines():
        if key := re.match(r"( *)([A-Za-z]+):", line):
            at = [*at[: len(key[1]) // 2], key[2]]
            if above:
                found[".".join(at)] = above
        comment = re.match(r" *# (.*)", line)
        above = comment[1] if comment else ""
    return found


def _leaves(values: dict[str, object], known: set[str], path: str = "") -> list[str]:
    """Paths of all values, not looking into those that are one value as a whole."""
    leaves: list[str] = []
    for name, value in values.items():
        here = f"{path}{name}"
        if isinstance(value, dict) and here not in known:
            leaves += _leaves(value, known, f"{here}.")
        else:
            leaves.append(here)
    return leaves
