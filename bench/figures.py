"""Numbers of several runs, put into words: rows of a table, percentiles, outliers. Seconds everywhere."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

Row = Mapping[str, float | None]
"""One run: seconds by the name of the step; None where its source was silent."""

OUTLIER = 1.2  # times the median of the whole


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of all values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def table(names: Sequence[str], cold: Row, warm: Sequence[Row]) -> list[str]:
    """One line a step: the cold run, the median of the warm ones, then all runs together."""
    lines = [f"{'seconds':<58}{'cold':>7}{'warm':>7}  |{'median':>7}{'p95':>7}{'min':>7}{'max':>7}"]
    for name in names:
        of_warm = [value for row in warm if (value := row.get(name)) is not None]
        first = cold.get(name)
        every = of_warm if first is None else [first, *of_warm]
        if not every:
            lines.append(f"{name:<58}{'-':>7}")
            continue
        middle = statistics.median(of_warm) if of_warm else None
        ends = (statistics.median(every), percentile(every, 0.95), min(every), max(every))
        lines.append(f"{name:<58}{_cell(first)}{_cell(middle)}  |{''.join(map(_cell, ends))}")
    return lines


def outliers(rows: Sequence[Row], whole: str, steps: Sequence[str]) -> list[str]:
    """A line for each run whose `whole` is far above the median, with the steps that took the time."""
    medians = {name: _median(rows, name) for name in (whole, *steps)}
    lines = []
    for number, row in enumerate(rows):
        value, usual = row.get(whole), medians[whole]
        if value is None or usual is None or value <= OUTLIER * usual:
            continue
        excess = {
            name: took - median
            for name in steps
            if (took := row.get(name)) is not None and (median := medians[name]) is not None
        }
        worst = sorted(excess, key=lambda name: -excess[name])[:2]
        said = ", ".join(f"{name} (+{excess[name]:.2f} to {row[name]:.2f})" for name in worst)
        lines.append(f"store {number + 1}: {value:.2f} instead of {usual:.2f}, by: {said}")
    return lines


def _median(rows: Sequence[Row], name: str) -> float | None:
    values = [value for row in rows if (value := row.get(name)) is not None]
    return statistics.median(values) if values else None


def _cell(value: float | None) -> str:
    return f"{'-':>7}" if value is None else f"{value:7.2f}"
