"""Namespaces of stores that the database never knew, or knows as DELETED: found, kept apart, removed.

Reconcile finds them, provision labels them, and only an operator has one removed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol
from uuid import UUID

from control_plane.domain.dead_letters import Operator
from control_plane.domain.orphans import Orphan
from control_plane.ports.fleet import PassLease


class OrphanRecords(Protocol):
    """What a pass writes about orphans."""

    def record(self, lease: PassLease, there: Collection[UUID], *, deleted_for: float) -> int:
        """Put on record which of the stores whose namespaces are there are orphans; returns how many are new.

        Those are ones without a row, and ones DELETED for over `deleted_for` seconds. New ones, and those
        that are not labelled or not removed as asked, are announced; those that are gone are forgotten.
        Writes nothing once another pass has taken over.
        """


class OrphanWork(Protocol):
    """What provision needs to know of an orphan, and writes about it."""

    def find(self, store_id: UUID) -> Orphan | None:
        """The orphan as it is on record; None if there is none, or a row that is not DELETED."""

    def mark_quarantined(self, store_id: UUID) -> None:
        """Its namespace is labelled."""


class OrphanDesk(Protocol):
    """Orphans as an operator sees them."""

    def orphans(self, *, limit: int) -> Sequence[Orphan]:
        """Those on record, longest known first."""

    def ask_removal(self, store_id: UUID, operator: Operator) -> None:
        """Have the orphan's namespace removed, with all that is in it. Asking again changes nothing.

        Raises NoOrphanError, with the reason, where the database knows the store as anything but DELETED,
        and where no orphan is on record.
        """


class OrphanNamespaces(Protocol):
    """An orphan's namespace in the cell. Raises CellUnreachableError, TemporaryError, PermanentError."""

    def quarantine(self, store_id: UUID) -> None:
        """Label it, if it is there."""

    def remove(self, store_id: UUID) -> None:
        """Have it removed with all that is in it, if it is there; does not wait."""
