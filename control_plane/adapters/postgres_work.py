"""The rows as a worker sees them: taken by a lease, written only with its token (fencing).

All times are the database's, so no machine's clock decides who may work.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import text

from control_plane.adapters.postgres_database import Database
from control_plane.adapters.postgres_rows import STORE_COLUMNS, audit_changed, store_of
from control_plane.domain.errors import ElsewhereError, LeaseLostError, UnknownStoreError
from control_plane.domain.events import INTENTS, StoreIntent
from control_plane.domain.store import BEGINS, Actor, Lease
from control_plane.ports.work import Leased

_IN = "clock_timestamp() + make_interval(secs => :seconds)"
_HELD = "stores.id = :id AND lease_token = :token AND lease_until > clock_timestamp()"
_NEW_COLUMNS = ", ".join(f"stores.{column}" for column in STORE_COLUMNS.split(", "))

# Work there is while the newest intent has not been handed to the cluster. A lease that was
# never let go of belonged to a worker that died: that is a failure of its attempt.
_TAKE = text(f"""
WITH before AS (
    SELECT id AS before_id, lease_until AS free_since FROM stores
    WHERE id = :id AND cell = (SELECT id FROM cells WHERE name = :cell) FOR UPDATE
), taken AS (
    UPDATE stores SET lease_holder = :holder, lease_until = {_IN}, lease_token = lease_token + 1,
        failures = failures + CAST(lease_holder IS NOT NULL AS integer)
    FROM before WHERE id = before.before_id AND (lease_until IS NULL OR lease_until <= clock_timestamp())
        AND applied_generation < generation AND state <> 'FAILED'
        AND (failures = 0 OR next_attempt_at <= clock_timestamp())
    RETURNING {STORE_COLUMNS}, lease_token, before.free_since
), attempted AS (
    INSERT INTO attempts (store_id, lease_token, holder, generation, free_since)
    SELECT id, lease_token, :holder, generation, free_since FROM taken
)
SELECT * FROM taken
""")
_CELL_OF = text("SELECT cells.name FROM stores JOIN cells ON cells.id = stores.cell WHERE stores.id = :id")
_RENEW = text(f"UPDATE stores SET lease_until = {_IN} WHERE {_HELD} RETURNING 1")
_CREDENTIALS = text(f"""
UPDATE stores SET credentials_uid = COALESCE(credentials_uid, :uid) WHERE {_HELD} RETURNING credentials_uid
""")


def _fenced(changes: str, condition: str = "TRUE", *, audit_if: str = "TRUE", more: str = "") -> str:
    """A fenced update. Returns one row if the lease is still held, with whether the row changed.

    `more` are further CTEs, which may read `changed`.
    """
    return f"""
WITH held AS (
    SELECT id AS held_id, state AS from_state, reason AS from_reason FROM stores WHERE {_HELD} FOR UPDATE
), changed AS (
    UPDATE stores SET {changes}, updated_at = clock_timestamp()
    FROM held WHERE stores.id = held.held_id AND stores.generation = :generation AND ({condition})
    RETURNING {_NEW_COLUMNS}, held.from_state, held.from_reason
), audited AS ({audit_changed(":token")} WHERE {audit_if}){more}
SELECT EXISTS (SELECT FROM changed) AS changed FROM held
"""


_BEGIN = text(_fenced("state = :to_state, reason = NULL", "stores.state = :from_state"))
_RELEASED = text(
    _fenced("""applied_generation = :generation, release_revision = :revision, release_digest = :digest,
    chart_version = :chart_version, made_with = :made_with, applied_plan = stores.plan,
    failures = 0, reason = NULL,
    deadline_at = clock_timestamp() + make_interval(secs => :deadline)""")
)
_REMOVED = text(_fenced("applied_generation = :generation, failures = 0, reason = NULL, deadline_at = NULL"))
# Nothing of the row but that it was touched: only the audit has something to tell.
_FREEING = text(_fenced("reason = stores.reason"))
_FAIL = text(
    _fenced(
        "state = 'FAILED', reason = :reason",
        "stores.state <> 'DELETING'",
        more="""
, parked AS (
    INSERT INTO dead_letters AS known (source, message_id, body, store_id, generation, kind, reason)
    SELECT :source, :cause, :body, id, generation, 'refused', reason FROM changed
    ON CONFLICT (source, message_id) DO UPDATE SET deliveries = known.deliveries + 1,
        body = EXCLUDED.body, store_id = EXCLUDED.store_id, generation = EXCLUDED.generation,
        kind = EXCLUDED.kind, reason = EXCLUDED.reason, answer = NULL, answered_at = NULL
)""",
    )
)
_POSTPONE = text(
    _fenced(
        f"""next_attempt_at = {_IN}, quiet_until = clock_timestamp(),
        failures = failures + :counted, reason = :reason""",
        audit_if="reason IS DISTINCT FROM from_reason",
    )
)
_FINISH = text(f"""
UPDATE stores SET
    lease_holder = CASE WHEN generation <> :generation THEN lease_holder END,
    lease_until = CASE WHEN generation <> :generation THEN {_IN} END
WHERE {_HELD}
RETURNING {STORE_COLUMNS}, generation <> :generation AS moved_on
""")


class PostgresWork:
    """The `Work` port."""

    def __init__(self, database: Database, cell: str) -> None:
        self._database = database
        self._cell = cell
        self._holder = f"{socket.gethostname()}:{os.getpid()}"

    def take(self, store_id: UUID, *, seconds: float) -> Leased | None:
        """See the port."""
        ends = time.monotonic() + seconds
        asked = {"id": store_id, "cell": self._cell, "holder": self._holder, "seconds": float(seconds)}
        row = self._database.one(_TAKE, asked)
        if row:
            return Leased(store_of(row), Lease(store_id, row["lease_token"], ends))
        there = self._database.one(_CELL_OF, {"id": store_id})
        if there is None:
            raise UnknownStoreError(f"no store has the id {store_id}")
        if there["name"] != self._cell:
            raise ElsewhereError(f"the store {store_id} is in the cell {there['name']}")
        return None

    def renew(self, lease: Lease, *, seconds: float) -> Lease:
        """See the port."""
        ends = time.monotonic() + seconds
        held = self._database.one(
            _RENEW, {"id": lease.store_id, "token": lease.token, "seconds": float(seconds)}
        )
        if not held:
            raise LeaseLostError(str(lease.store_id))
        return replace(lease, ends=ends)

    def begin(self, leased: Leased, actor: Actor) -> None:
        """See the port."""
        state = leased.store.state
        if state in BEGINS:
            self._write(_BEGIN, leased, actor, "begun", {"from_state": state, "to_state": BEGINS[state]})

    def record_credentials(self, leased: Leased, uid: str) -> str:
        """See the port."""
        lease = leased.lease
        row = self._database.one(_CREDENTIALS, {"id": lease.store_id, "token": lease.token, "uid": uid})
        if row is None:
            raise LeaseLostError(str(lease.store_id))
        return str(row["credentials_uid"])

    def record_freeing(self, leased: Leased, actor: Actor) -> None:
        """See the port."""
        self._write(_FREEING, leased, actor, "release freed", {})

    def record_release(
        self,
        leased: Leased,
        *,
        revision: int,
        digest: str,
        chart_version: str,
        made_with: str,
        deadline: float,
        actor: Actor,
    ) -> None:
        """See the port."""
        values = {
            "revision": revision,
            "digest": digest,
            "chart_version": chart_version,
            "made_with": made_with,
        }
        self._write(_RELEASED, leased, actor, "release applied", {**values, "deadline": float(deadline)})

    def record_removal(self, leased: Leased, actor: Actor) -> None:
        """See the port."""
        self._write(_REMOVED, leased, actor, "removal begun", {})

    def fail(self, leased: Leased, reason: str, actor: Actor) -> None:
        """See the port."""
        body = StoreIntent(leased.store.id, leased.store.generation).encode()
        self._write(_FAIL, leased, actor, "gave up", {"reason": reason, "source": INTENTS, "body": body})

    def postpone(self, leased: Leased, reason: str, *, seconds: float, counted: bool, actor: Actor) -> None:
        """See the port."""
        values = {"reason": reason, "seconds": float(seconds), "counted": int(counted)}
        self._write(_POSTPONE, leased, actor, "postponed", values)

    def finish(self, leased: Leased, *, seconds: float) -> Leased | None:
        """See the port."""
        ends = time.monotonic() + seconds
        row = self._database.one(
            _FINISH,
            {
                "id": leased.store.id,
                "token": leased.lease.token,
                "generation": leased.store.generation,
                "seconds": float(seconds),
            },
        )
        if row is None:
            raise LeaseLostError(str(leased.store.id))
        return Leased(store_of(row), replace(leased.lease, ends=ends)) if row["moved_on"] else None

    def _write(
        self, statement: Any, leased: Leased, actor: Actor, action: str, values: Mapping[str, Any]
    ) -> None:
        held = self._database.one(
            statement,
            {
                "id": leased.store.id,
                "token": leased.lease.token,
                "generation": leased.store.generation,
                "actor": actor.name,
                "cause": actor.cause,
                "action": action,
                **values,
            },
        )
        if held is None:
            raise LeaseLostError(str(leased.store.id))
