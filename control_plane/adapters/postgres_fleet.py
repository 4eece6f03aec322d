"""All rows of one cell, as reconcile reads and writes them: in bulk, whatever their number."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import DBAPIError

from control_plane.adapters.postgres_database import Database
from control_plane.adapters.postgres_rows import AUDIT_CHANGED, RUNS
from control_plane.domain.errors import LeaseLostError
from control_plane.domain.rollout import Standing, Verdict
from control_plane.domain.store import Actor, StoreState
from control_plane.ports.fleet import PassLease, Watermark

log = structlog.get_logger()

_IN = "clock_timestamp() + make_interval(secs => :seconds)"

_BEGIN_PASS = text(f"""
UPDATE cells SET pass_token = pass_token + 1, pass_until = {_IN}
WHERE name = :cell AND (pass_until IS NULL OR pass_until <= clock_timestamp())
RETURNING id, pass_token, CASE
    WHEN full_pass_at > clock_timestamp() - make_interval(secs => :full_every) THEN watermark
END AS watermark
""")
_CELL_EXISTS = text("SELECT 1 FROM cells WHERE name = :cell")
_RENEW_PASS = text(f"""
UPDATE cells SET pass_until = {_IN}
WHERE id = :cell AND pass_token = :token AND pass_until > clock_timestamp() RETURNING 1
""")
_END_PASS = text("""
UPDATE cells SET pass_until = NULL,
    watermark = COALESCE(CAST(:watermark AS jsonb), watermark),
    seen_at = CASE WHEN CAST(:watermark AS jsonb) IS NULL THEN seen_at ELSE clock_timestamp() END,
    full_pass_at = CASE WHEN :was_full THEN clock_timestamp() ELSE full_pass_at END
WHERE id = :cell AND pass_token = :token
""")

_WAKE_DUE = text("""
WITH due AS (
    SELECT id, generation FROM stores
    WHERE cell = :cell AND applied_generation < generation AND state <> 'FAILED'
        AND next_attempt_at <= clock_timestamp() AND quiet_until <= clock_timestamp()
        AND (lease_until IS NULL OR lease_until <= clock_timestamp())
        -- While the broker is away, one waiting announcement is enough.
        AND NOT EXISTS (SELECT FROM outbox WHERE store_id = stores.id AND published_at IS NULL)
    ORDER BY next_attempt_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
), woken AS (
    UPDATE stores SET quiet_until = clock_timestamp() + make_interval(secs => :every)
    FROM due WHERE stores.id = due.id
), announced AS (
    INSERT INTO outbox (id, store_id, generation)
    SELECT gen_random_uuid(), id, generation FROM due RETURNING 1
)
SELECT count(*) AS woken FROM announced
""")

_SECONDS = "extract(epoch FROM clock_timestamp() - updated_at) AS seconds"
_STANDING = f"id, generation, applied_generation, state, {RUNS} AS runs, reason, {_SECONDS}"
_IN_MOTION = text(f"""
SELECT {_STANDING} FROM stores WHERE cell = :cell AND applied_generation = generation
    AND state IN ('PROVISIONING', 'UPDATING', 'DEGRADED', 'DELETING')
""")
_STANDINGS_OF = text(f"""
SELECT {_STANDING} FROM stores WHERE cell = :cell AND id = ANY(CAST(:ids AS uuid[]))
""")
_STANDINGS = text(f"""
SELECT {_STANDING} FROM stores WHERE cell = :cell AND applied_generation = generation
    AND state NOT IN ('FAILED', 'DELETED')
""")
_OVERDUE = text(f"""
SELECT {_STANDING} FROM stores
WHERE cell = :cell AND applied_generation = generation
    AND state IN ('PROVISIONING', 'UPDATING') AND deadline_at <= clock_timestamp()
ORDER BY deadline_at LIMIT :limit
""")

# A verdict is about one generation in one state: a row that has moved on is left alone.
_RECORD = text(f"""
WITH pass AS (
    SELECT id FROM cells WHERE id = :cell AND pass_token = :token AND pass_until > clock_timestamp()
), verdict AS (
    SELECT v.* FROM pass CROSS JOIN unnest(CAST(:ids AS uuid[]), CAST(:generations AS bigint[]),
        CAST(:from_states AS text[]), CAST(:to_states AS text[]), CAST(:reasons AS text[]))
        AS v (id, generation, from_state, to_state, reason)
), changed AS (
    UPDATE stores SET state = v.to_state, reason = v.reason,
        observed_generation = CASE WHEN v.to_state IN ('READY', 'SUSPENDED') THEN v.generation
            ELSE observed_generation END,
        ready_at = CASE v.to_state WHEN 'READY' THEN COALESCE(ready_at, clock_timestamp()) ELSE ready_at END,
        deadline_at = CASE WHEN v.to_state IN ('READY', 'SUSPENDED') THEN NULL ELSE deadline_at END,
        updated_at = CASE v.to_state WHEN v.from_state THEN updated_at ELSE clock_timestamp() END
    FROM verdict v
    WHERE stores.id = v.id AND stores.cell = :cell AND stores.state = v.from_state
        AND stores.generation = v.generation AND stores.applied_generation = v.generation
    RETURNING stores.id, stores.state, stores.generation, stores.reason, v.from_state
), audited AS ({AUDIT_CHANGED} RETURNING 1)
SELECT (SELECT count(*) FROM audited) AS recorded FROM pass
""")

_EXCUSE_OUTAGE = text("""
WITH outage AS (
    UPDATE cells SET seen_at = clock_timestamp() FROM (SELECT seen_at FROM cells WHERE id = :cell) AS before
    WHERE id = :cell AND before.seen_at < clock_timestamp() - make_interval(secs => :longer_than)
    RETURNING clock_timestamp() - before.seen_at AS length
)
UPDATE stores SET deadline_at = deadline_at + outage.length FROM outage
WHERE cell = :cell AND state IN ('PROVISIONING', 'UPDATING')
""")


class PostgresFleet:
    """The `Fleet` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin_pass(self, cell: str, *, seconds: float, full_every: float) -> PassLease | None:
        """See the port. Raises LookupError for a cell that is not registered."""
        row = self._database.one(
            _BEGIN_PASS, {"cell": cell, "seconds": float(seconds), "full_every": float(full_every)}
        )
        if row:
            watermark = Watermark(row["watermark"]) if row["watermark"] else None
            return PassLease(row["id"], row["pass_token"], watermark)
        if not self._database.one(_CELL_EXISTS, {"cell": cell}):
            raise LookupError(f"the cell {cell!r} is not registered")
        return None

    def renew_pass(self, lease: PassLease, *, seconds: float) -> bool:
        """See the port."""
        parameters = {"cell": lease.cell, "token": lease.token, "seconds": float(seconds)}
        return self._database.one(_RENEW_PASS, parameters) is not None

    def end_pass(self, lease: PassLease, watermark: Watermark | None) -> None:
        """See the port."""
        self._database.rows(
            _END_PASS,
            {
                "cell": lease.cell,
                "token": lease.token,
                "watermark": json.dumps(dict(watermark.versions)) if watermark else None,
                "was_full": watermark is not None and lease.watermark is None,
            },
        )

    def wake_due(self, lease: PassLease, *, every: float, limit: int) -> int:
        """See the port."""
        row = self._database.one(_WAKE_DUE, {"cell": lease.cell, "every": float(every), "limit": limit})
        return int(row["woken"]) if row else 0

    def in_motion(self, lease: PassLease) -> Sequence[Standing]:
        """See the port."""
        return [_standing_of(row) for row in self._database.rows(_IN_MOTION, {"cell": lease.cell})]

    def standings(self, lease: PassLease, store_ids: Iterable[UUID] | None) -> Sequence[Standing]:
        """See the port."""
        if store_ids is None:
            rows = self._database.rows(_STANDINGS, {"cell": lease.cell})
        else:
            ids = [str(each) for each in store_ids]
            rows = self._database.rows(_STANDINGS_OF, {"cell": lease.cell, "ids": ids})
        return [_standing_of(row) for row in rows]

    def record(self, lease: PassLease, verdicts: Sequence[Verdict], actor: Actor) -> int:
        """See the port. A row that the database refuses does not hold up the others."""
        if not verdicts:
            return 0
        try:
            row = self._database.one(
                _RECORD,
                {
                    "cell": lease.cell,
                    "token": lease.token,
                    "ids": [str(each.store_id) for each in verdicts],
                    "generations": [each.generation for each in verdicts],
                    "from_states": [each.from_state.value for each in verdicts],
                    "to_states": [each.to_state.value for each in verdicts],
                    "reasons": [each.reason for each in verdicts],
                    "actor": actor.name,
                    "cause": actor.cause,
                    "action": "observed",
                },
            )
        except DBAPIError:
            if len(verdicts) == 1:
                raise
            return self._record_apart(lease, verdicts, actor)
        if row is None:
            raise LeaseLostError("the pass")
        return int(row["recorded"])

    def _record_apart(self, lease: PassLease, verdicts: Sequence[Verdict], actor: Actor) -> int:
        recorded = 0
        for verdict in verdicts:
            try:
                recorded += self.record(lease, [verdict], actor)
            except DBAPIError:
                log.exception("verdict_refused", store_id=str(verdict.store_id), to_state=verdict.to_state)
        return recorded

    def excuse_outage(self, lease: PassLease, *, longer_than: float) -> None:
        """See the port."""
        self._database.rows(_EXCUSE_OUTAGE, {"cell": lease.cell, "longer_than": float(longer_than)})

    def overdue(self, lease: PassLease, *, limit: int) -> Sequence[Standing]:
        """See the port."""
        rows = self._database.rows(_OVERDUE, {"cell": lease.cell, "limit": limit})
        return [_standing_of(row) for row in rows]


def _standing_of(row: RowMapping) -> Standing:
    return Standing(
        store_id=row["id"],
        generation=row["generation"],
        applied_generation=row["applied_generation"],
        state=StoreState(row["state"]),
        runs=row["runs"],
        reason=row["reason"],
        seconds=float(row["seconds"]),
    )
