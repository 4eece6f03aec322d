"""Terms in Postgres, by the platform's time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import text

from control_plane.adapters.postgres_database import Database
from control_plane.adapters.postgres_rows import AUDIT_CHANGED
from control_plane.adapters.postgres_stores import PostgresStores
from control_plane.domain.life import Asked
from control_plane.domain.store import Actor
from control_plane.ports.fleet import PassLease

_ENDED = text("""
SELECT id FROM (
    SELECT id, removal_at AS due_at FROM stores
        WHERE cell = :cell AND removal_at <= platform_time() AND desired <> 'deleted'
    UNION ALL
    SELECT id, former_until FROM stores
        WHERE cell = :cell AND former_until <= platform_time() AND desired <> 'deleted' AND state <> 'FAILED'
) AS due
GROUP BY id ORDER BY min(due_at) LIMIT :limit
""")

# A digest is compared by order, so that the index skips the many that are the same. A store is asked once
# for each digest: where provision makes releases with another one, nothing goes round in circles. Those
# that failed on the way count like those on the way, so that a bad change ends with a few stores.
_REFRESH = text(f"""
WITH wanted AS (
    SELECT key AS plan, value AS digest FROM jsonb_each_text(CAST(:digests AS jsonb))
), busy AS (
    SELECT count(*) AS stores FROM stores LEFT JOIN wanted USING (plan) WHERE cell = :cell AND (
        state = 'UPDATING' OR (state IN ('FAILED', 'QUEUED', 'PROVISIONING')
            AND ready_at IS NOT NULL AND refreshed_for = digest)
        OR (applied_generation < generation AND state IN ('READY', 'DEGRADED', 'SUSPENDED')))
), due AS (
    SELECT stores.id, stores.state AS from_state, digest FROM stores JOIN wanted USING (plan)
    WHERE cell = :cell AND state IN ('READY', 'DEGRADED', 'SUSPENDED') AND applied_generation = generation
        AND (made_with < digest OR made_with > digest) AND refreshed_for IS DISTINCT FROM digest
    ORDER BY stores.updated_at
    LIMIT greatest(0, :at_once - (SELECT stores FROM busy))
    FOR UPDATE OF stores SKIP LOCKED
), changed AS (
    UPDATE stores SET generation = generation + 1, failures = 0, next_attempt_at = clock_timestamp(),
        quiet_until = clock_timestamp(), updated_at = clock_timestamp(), refreshed_for = due.digest
    FROM due WHERE stores.id = due.id
    RETURNING stores.id, stores.state, stores.generation, stores.reason, due.from_state
), announced AS (
    INSERT INTO outbox (id, store_id, generation) SELECT gen_random_uuid(), id, generation FROM changed
), audited AS ({AUDIT_CHANGED})
SELECT count(*) AS refreshed FROM changed
""")


class PostgresTerms:
    """The `Terms` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ended(self, lease: PassLease, *, limit: int) -> Sequence[UUID]:
        """See the port."""
        return [row["id"] for row in self._database.rows(_ENDED, {"cell": lease.cell, "limit": limit})]

    def change(self, store_id: UUID, asked: Asked, actor: Actor) -> None:
        """See the port."""
        with self._database.transaction("SELECT 1") as (_, session):
            PostgresStores(session, None, wake_seconds=0).change(
                store_id, asked, generation=None, actor=actor
            )

    def refresh(self, lease: PassLease, digests: Mapping[str, str], actor: Actor, *, at_once: int) -> int:
        """See the port."""
        row = self._database.one(
            _REFRESH,
            {
                "cell": lease.cell,
                "digests": json.dumps(dict(digests)),
                "at_once": at_once,
                "actor": actor.name,
                "cause": actor.cause,
                "action": "refreshed",
            },
        )
        return int(row["refreshed"]) if row else 0
