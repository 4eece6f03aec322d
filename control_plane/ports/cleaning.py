"""What the database forgets after its time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Cleaning(Protocol):
    """Removes rows that have done their work, as `domain/retention.py` says."""

    def clean(self, *, limit: int) -> Mapping[str, int]:
        """Remove what is over its time, at most `limit` rows of each table; how many, by table."""
