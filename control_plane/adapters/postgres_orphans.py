"""Orphans in Postgres: found by a pass, labelled by provision, given up for removal by an operator."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import RowMapping

from control_plane.adapters.postgres_database import Database
from control_plane.domain.dead_letters import Operator
from control_plane.domain.events import OF_AN_ORPHAN
from control_plane.domain.orphans import NoOrphanError, Orphan
from control_plane.domain.store import StoreState, namespace_of
from control_plane.ports.fleet import PassLease

_ANNOUNCE = (
    f"INSERT INTO outbox (id, store_id, generation) SELECT gen_random_uuid(), store_id, {OF_AN_ORPHAN}"
)

# A pass that another one has followed must not forget what that one has recorded since.
_RECORD = text(f"""
WITH pass AS (
    SELECT id AS cell FROM cells WHERE id = :cell AND pass_token = :token
), orphan AS (
    SELECT pass.cell, there.store_id
    FROM pass CROSS JOIN unnest(CAST(:there AS uuid[])) AS there (store_id)
    LEFT JOIN stores s ON s.id = there.store_id
    WHERE s.id IS NULL
        OR (s.state = 'DELETED' AND s.updated_at < clock_timestamp() - make_interval(secs => :deleted_for))
), forgotten AS (
    DELETE FROM orphans USING pass
    WHERE orphans.cell = pass.cell AND orphans.store_id NOT IN (SELECT store_id FROM orphan)
), found AS (
    INSERT INTO orphans (cell, store_id) SELECT cell, store_id FROM orphan
    ON CONFLICT (cell, store_id) DO NOTHING RETURNING store_id
), pending AS (
    SELECT store_id FROM found
    UNION SELECT o.store_id FROM orphans o JOIN orphan USING (cell, store_id)
    WHERE o.quarantined_at IS NULL OR o.removal_at IS NOT NULL
), announced AS (
    {_ANNOUNCE} FROM pending
    WHERE NOT EXISTS (SELECT FROM outbox b WHERE b.store_id = pending.store_id AND b.published_at IS NULL)
)
SELECT count(*) AS found FROM found
""")

_ORPHAN = """
SELECT o.store_id, o.found_at, o.quarantined_at, o.removal_at, s.state
FROM orphans o JOIN cells c ON c.id = o.cell AND c.name = :cell LEFT JOIN stores s ON s.id = o.store_id
"""
_FIND = text(f"{_ORPHAN} WHERE o.store_id = :id AND (s.id IS NULL OR s.state = 'DELETED')")
_ALL = text(f"{_ORPHAN} ORDER BY o.found_at, o.store_id LIMIT :limit")
_MARK = text("""
UPDATE orphans SET quarantined_at = clock_timestamp()
FROM cells WHERE cells.id = orphans.cell AND cells.name = :cell
    AND store_id = :id AND quarantined_at IS NULL
""")

_ASK_REMOVAL = text(f"""
WITH known AS (
    SELECT state FROM stores WHERE id = :id
), asked AS (
    UPDATE orphans SET removal_at = clock_timestamp()
    FROM cells WHERE cells.id = orphans.cell AND cells.name = :cell
        AND store_id = :id AND removal_at IS NULL
        AND NOT EXISTS (SELECT FROM known WHERE state <> 'DELETED')
    RETURNING store_id
), told AS (
    INSERT INTO operations (operator, action, subject, reason)
    SELECT :operator, 'orphan removed', :namespace, :reason FROM asked
), announced AS ({_ANNOUNCE} FROM asked)
SELECT (SELECT state FROM known) AS state,
    EXISTS (
        SELECT FROM orphans o JOIN cells c ON c.id = o.cell AND c.name = :cell WHERE o.store_id = :id
    ) AS on_record
""")


class PostgresOrphans:
    """The ports `OrphanRecords`, `OrphanWork` and `OrphanDesk`, for one cell."""

    def __init__(self, database: Database, cell: str) -> None:
        self._database = database
        self._cell = cell

    def record(self, lease: PassLease, there: Collection[UUID], *, deleted_for: float) -> int:
        """See the port."""
        row = self._database.one(
            _RECORD,
            {
                "cell": lease.cell,
                "token": lease.token,
                "there": [str(each) for each in there],
                "deleted_for": float(deleted_for),
            },
        )
        return int(row["found"]) if row else 0

    def find(self, store_id: UUID) -> Orphan | None:
        """See the port."""
        row = self._database.one(_FIND, {"cell": self._cell, "id": store_id})
        return _orphan_of(row) if row else None

    def mark_quarantined(self, store_id: UUID) -> None:
        """See the port."""
        self._database.rows(_MARK, {"cell": self._cell, "id": store_id})

    def orphans(self, *, limit: int) -> Sequence[Orphan]:
        """See the port."""
        return [_orphan_of(row) for row in self._database.rows(_ALL, {"cell": self._cell, "limit": limit})]

    def ask_removal(self, store_id: UUID, operator: Operator) -> None:
        """See the port."""
        namespace = namespace_of(store_id)
        row = self._database.one(
            _ASK_REMOVAL,
            {
                "cell": self._cell,
                "id": store_id,
                "namespace": namespace,
                "operator": operator.name,
                "reason": operator.reason,
            },
        )
        state = row["state"] if row else None
        if state not in (None, StoreState.DELETED):
            raise NoOrphanError(
                f"{namespace} is a store's, which is {state}: it is removed when the store is deleted"
            )
        if row is None or not row["on_record"]:
            raise NoOrphanError(
                f"no orphan {namespace} is on record: a full pass finds what is there, every 10 minutes; "
                "`urumi orphans list` shows what it found"
            )


def _orphan_of(row: RowMapping) -> Orphan:
    state = StoreState(row["state"]) if row["state"] else None
    return Orphan(**{**row, "state": state})
