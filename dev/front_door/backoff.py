"""How long to wait after a failure: twice as long each time, and never all at the same moment."""

from __future__ import annotations

import random


class Backoff:
    """The pauses of somebody who tries again and again."""

    def __init__(self, first: float, longest: float) -> None:
        """`first` and `longest` are seconds."""
        self._first = first
        self._longest = longest
        self._next = first

    def worked(self) -> None:
        """Begin anew with the first pause."""
        self._next = self._first

    def failed(self) -> float:
        """Seconds to wait now: the pause, or up to half of it less."""
        pause = self._next
        self._next = min(self._longest, pause * 2)
        return pause * random.uniform(0.5, 1)  # noqa: S311 - spreads retries, guards nothing
