"""When to kill: the same fractions of a step in every run, one in each part of it."""

from __future__ import annotations

import random

SEED = 20261124
MOMENTS = 8


def moments(longest: float) -> list[float]:
    """Seconds after the begin of a step that takes `longest` seconds."""
    dice = random.Random(SEED)  # noqa: S311 - nothing secret
    return [longest * (number + dice.random()) / MOMENTS for number in range(MOMENTS)]
