"""Rows of Postgres that have done their work are removed after their time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import TextClause, text

from control_plane.adapters.postgres_database import Database
from control_plane.domain import retention

# Which rows have done their work, by table: since when, and for how long they are kept.
_KEPT: Mapping[str, tuple[str, timedelta]] = {
    "outbox": ("published_at", retention.PUBLISHED),
    "store_events": ("published_at", retention.PUBLISHED),
    "idempotency_keys": ("created_at", retention.IDEMPOTENCY_KEYS),
    "attempts": ("began_at", retention.ATTEMPTS),
    "unclaimed": ("made_at", retention.UNCLAIMED),
    "dead_letters": ("answered_at", retention.ANSWERED_LETTERS),
    "sessions": ("expires_at", retention.SESSIONS),
    "sign_ins": ("expires_at", retention.SIGN_INS),
}


class PostgresCleaning:
    """The `Cleaning` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def clean(self, *, limit: int) -> Mapping[str, int]:
        """See the port. A table a statement; what another pass removes meanwhile is not counted."""
        removed = {}
        for table, (since, kept) in _KEPT.items():
            parameters = {"kept": kept.total_seconds(), "limit": limit}
            row = self._database.one(_remove(table, since), parameters)
            removed[table] = int(row["removed"]) if row else 0
        return removed


def _remove(table: str, since: str) -> TextClause:
    # The condition stands twice, so that a letter which waits again since it was chosen stays.
    over = f"{since} < clock_timestamp() - make_interval(secs => :kept)"
    return text(f"""
        WITH removed AS (
            DELETE FROM {table} WHERE {over} AND ctid = ANY(ARRAY(
                SELECT ctid FROM {table} WHERE {over} ORDER BY {since} LIMIT :limit
            )) RETURNING 1
        )
        SELECT count(*) AS removed FROM removed
    """)
