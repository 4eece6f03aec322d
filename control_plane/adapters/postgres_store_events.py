"""What happened to stores, as a trigger of the database has written it down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import RowMapping

from control_plane.adapters.postgres_database import Database
from control_plane.domain.store_events import StoreEvent, StoreEventData
from control_plane.ports.fleet import PassLease

_UNTOLD = text("""
SELECT e.id, position, store_id, account_id, e.generation, type, e.reason, at
FROM store_events e JOIN stores ON stores.id = store_id
WHERE published_at IS NULL AND cell = :cell ORDER BY position LIMIT :limit
""")
_MARK = text("""
UPDATE store_events SET published_at = clock_timestamp()
WHERE id = ANY(CAST(:ids AS uuid[])) AND published_at IS NULL
""")


class PostgresStoreEvents:
    """The `StoreEvents` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def untold(self, lease: PassLease, *, limit: int) -> Sequence[StoreEvent]:
        """See the port."""
        rows = self._database.rows(_UNTOLD, {"cell": lease.cell, "limit": limit})
        return [_event(row) for row in rows]

    def mark_told(self, ids: Iterable[UUID]) -> None:
        """See the port."""
        self._database.rows(_MARK, {"ids": [str(each) for each in ids]})


def _event(row: RowMapping) -> StoreEvent:
    return StoreEvent(
        id=row["id"],
        type=row["type"],
        subject=row["store_id"],
        time=row["at"],
        sequence=row["position"],
        data=StoreEventData(
            store_id=row["store_id"],
            account_id=row["account_id"],
            generation=row["generation"],
            reason=row["reason"],
        ),
    )
