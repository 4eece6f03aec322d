"""Namespaces in a cell whose store the database never knew, or knows as DELETED."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from control_plane.domain.store import StoreState, namespace_of


@dataclass(frozen=True)
class Orphan:
    """One row of `orphans`, with what the database knows of its store. Times are UTC."""

    store_id: UUID
    found_at: datetime
    quarantined_at: datetime | None
    removal_at: datetime | None  # when an operator asked for it
    state: StoreState | None  # None: the database never knew it

    @property
    def namespace(self) -> str:
        """Its name in the cell."""
        return namespace_of(self.store_id)


class NoOrphanError(Exception):
    """What an operator named cannot be removed; the text says why and what to do."""
