"""Forget what has done its work, so that no table grows for ever."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from control_plane.ports.cleaning import Cleaning

log = structlog.get_logger()

_LIMIT = 10_000  # rows of each table; the next pass goes on


@dataclass(frozen=True)
class CleanUp:
    """The verb, with what it needs."""

    cleaning: Cleaning

    def __call__(self) -> None:
        """Remove what is over its time, a bounded part of it. Raises DatabaseUnavailableError."""
        removed = {table: rows for table, rows in self.cleaning.clean(limit=_LIMIT).items() if rows}
        if removed:
            log.info("cleaned_up", **removed)
