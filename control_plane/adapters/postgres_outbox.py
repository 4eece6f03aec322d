"""The outbox in Postgres: recorded with the intent, ticked off when taken up or published again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import text

from control_plane.adapters.postgres_database import Database
from control_plane.domain.events import OF_AN_ORPHAN, StoreIntent
from control_plane.ports.fleet import PassLease
from control_plane.ports.messages import Announcement

# An attempt that began before the announcement was made is another one's. An orphan has no attempts, and
# its store, where there is one, is long done.
_TAKEN_UP = f"""(outbox.generation <> {OF_AN_ORPHAN} AND (
    EXISTS (SELECT FROM stores WHERE stores.id = outbox.store_id
        AND stores.applied_generation >= outbox.generation)
    OR EXISTS (SELECT FROM attempts WHERE attempts.store_id = outbox.store_id
        AND attempts.generation >= outbox.generation AND attempts.began_at > outbox.created_at)
))"""

# Whose it is, its store or its orphan says. What names neither is nobody's: each pass may say it.
_OURS = f"""COALESCE(CASE WHEN outbox.generation = {OF_AN_ORPHAN}
    THEN (SELECT bool_or(orphans.cell = :cell) FROM orphans WHERE orphans.store_id = outbox.store_id)
    ELSE (SELECT stores.cell = :cell FROM stores WHERE stores.id = outbox.store_id)
END, TRUE)"""

_UNPUBLISHED = text(f"""
WITH taken AS (
    UPDATE outbox SET published_at = clock_timestamp()
    WHERE published_at IS NULL AND {_OURS} AND {_TAKEN_UP} RETURNING id
)
SELECT outbox.id, store_id, generation, cells.name AS cell FROM outbox JOIN cells ON cells.id = :cell
WHERE published_at IS NULL AND created_at < clock_timestamp() - make_interval(secs => :older_than)
    AND {_OURS} AND outbox.id NOT IN (SELECT id FROM taken)
ORDER BY created_at LIMIT :limit
""")
_MARK = text("""
UPDATE outbox SET published_at = clock_timestamp()
WHERE id = ANY(CAST(:ids AS uuid[])) AND published_at IS NULL
""")


class PostgresOutbox:
    """The `Outbox` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unpublished(self, lease: PassLease, *, older_than: float, limit: int) -> Sequence[Announcement]:
        """See the port."""
        rows = self._database.rows(
            _UNPUBLISHED, {"cell": lease.cell, "older_than": float(older_than), "limit": limit}
        )
        return [
            Announcement(row["id"], StoreIntent(row["store_id"], row["generation"]), row["cell"])
            for row in rows
        ]

    def mark_published(self, ids: Iterable[UUID]) -> None:
        """See the port."""
        self._database.rows(_MARK, {"ids": [str(each) for each in ids]})
