"""A customer's stores in Postgres. Every query is bound to that customer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from control_plane.adapters.postgres_database import Database, constraint
from control_plane.adapters.postgres_rows import AUDIT_CHANGED, STORE_COLUMNS, store_of
from control_plane.domain import retention
from control_plane.domain.errors import (
    HostnameTakenError,
    IdempotencyMismatchError,
    NameTakenError,
    StoreNotFoundError,
)
from control_plane.domain.events import StoreIntent
from control_plane.domain.store import Actor, AuditEntry, NewStore, Store, StoreState
from control_plane.ports.customers import Accepted, IdempotencyKey, Page
from control_plane.ports.messages import Announcement

_KEPT = retention.IDEMPOTENCY_KEYS.total_seconds()
# Announced now; if nobody has taken it by then, a pass announces it again.
_GRACE = "clock_timestamp() + make_interval(secs => :wake_seconds)"

# Key, row, outbox and audit are one statement: all of it is there, or none of it. A key
# that is in use claims nothing, and then nothing is added; one over its time is free again.
_ADD = text(f"""
WITH claimed AS (
    INSERT INTO idempotency_keys AS known (customer_id, key, body_digest, store_id)
    SELECT :customer_id, :key, :body_digest, :id FROM cells
    WHERE cells.name = :cell AND CAST(:key AS text) IS NOT NULL
    ON CONFLICT (customer_id, key) DO UPDATE
        SET body_digest = EXCLUDED.body_digest, store_id = EXCLUDED.store_id, created_at = clock_timestamp()
        WHERE known.created_at < clock_timestamp() - interval '{_KEPT} seconds'
    RETURNING store_id
), changed AS (
    INSERT INTO stores (id, customer_id, name, title, admin_email, plan, hostname, cell, quiet_until)
    SELECT :id, :customer_id, :name, :title, :admin_email, :plan, :hostname, cells.id, {_GRACE}
    FROM cells WHERE cells.name = :cell AND (CAST(:key AS text) IS NULL OR EXISTS (SELECT FROM claimed))
    RETURNING {STORE_COLUMNS}, CAST(NULL AS text) AS from_state
), announced AS (
    INSERT INTO outbox (id, store_id, generation) SELECT :announcement, id, generation FROM changed
), audited AS ({AUDIT_CHANGED})
SELECT * FROM changed
""")

_KNOWN = text(f"""
SELECT body_digest, {", ".join(f"s.{column}" for column in STORE_COLUMNS.split(", "))}
FROM idempotency_keys k JOIN stores s ON s.id = k.store_id
WHERE k.customer_id = :customer_id AND k.key = :key
""")

_GET = text(f"SELECT {STORE_COLUMNS} FROM stores WHERE id = :id AND customer_id = :customer_id")

_PAGE = text(f"""
SELECT {STORE_COLUMNS} FROM stores
WHERE customer_id = :customer_id
    AND (CAST(:state AS text) IS NULL OR state = :state)
    AND (CAST(:text AS text) IS NULL
         OR strpos(lower(name || ' ' || title || ' ' || hostname), lower(:text)) > 0)
    AND (CAST(:after_id AS uuid) IS NULL
         OR (created_at, id) < (CAST(:after_at AS timestamptz), CAST(:after_id AS uuid)))
ORDER BY created_at DESC, id DESC
LIMIT :limit
""")

_HISTORY = text("""
SELECT a.at, a.actor, a.cause, a.action, a.from_state, a.to_state, a.generation, a.reason
FROM audit a JOIN stores s ON s.id = a.store_id
WHERE a.store_id = :id AND s.customer_id = :customer_id
ORDER BY a.position
""")

_ASK_DELETION = text(f"""
WITH target AS (
    SELECT {STORE_COLUMNS} FROM stores WHERE id = :id AND customer_id = :customer_id FOR UPDATE
), changed AS (
    UPDATE stores SET desired = 'deleted', generation = stores.generation + 1, state = 'DELETING',
        reason = NULL, failures = 0, next_attempt_at = clock_timestamp(), quiet_until = {_GRACE},
        deadline_at = NULL, updated_at = clock_timestamp()
    FROM target WHERE stores.id = target.id AND target.desired = 'running'
    RETURNING {", ".join(f"stores.{column}" for column in STORE_COLUMNS.split(", "))},
        target.state AS from_state
), announced AS (
    INSERT INTO outbox (id, store_id, generation) SELECT :announcement, id, generation FROM changed
), audited AS ({AUDIT_CHANGED})
SELECT {STORE_COLUMNS}, TRUE AS fresh FROM changed
UNION ALL
SELECT {STORE_COLUMNS}, FALSE FROM target WHERE NOT EXISTS (SELECT FROM changed)
""")


class PostgresStores:
    """The `Stores` port."""

    def __init__(self, database: Database, *, wake_seconds: float = 30.0) -> None:
        self._database = database
        self._wake_seconds = float(wake_seconds)

    def add(self, order: NewStore, key: IdempotencyKey | None, actor: Actor) -> Accepted:
        """See the port. Raises LookupError where the cell is not registered."""
        announcement = uuid4()
        parameters = {
            **asdict(order),
            "key": key.key if key else None,
            "body_digest": key.body_digest if key else None,
            "announcement": announcement,
            "wake_seconds": self._wake_seconds,
            "actor": actor.name,
            "cause": actor.cause,
            "action": "created",
        }
        try:
            row = self._database.one(_ADD, parameters)
        except DBAPIError as error:
            if constraint(error) == "one_live_store_per_name":
                raise NameTakenError(
                    f"you already have a store named {order.name!r}: choose another name, or delete that one",
                    field="name",
                ) from error
            if constraint(error) == "one_live_store_per_hostname":
                raise HostnameTakenError(order.hostname) from error
            raise
        if row:
            store = store_of(row)
            return Accepted(store, Announcement(announcement, StoreIntent(store.id, store.generation)))
        if key is None:
            raise LookupError(f"the cell {order.cell!r} is not registered")
        return self._known(order, key)

    def _known(self, order: NewStore, key: IdempotencyKey) -> Accepted:
        row = self._database.one(_KNOWN, {"customer_id": order.customer_id, "key": key.key})
        if row is None:
            raise LookupError(f"the cell {order.cell!r} is not registered")
        if row["body_digest"] != key.body_digest:
            raise IdempotencyMismatchError(
                "this Idempotency-Key came with another request body within the last 24 hours: "
                "send the same body again, or use a new key",
                field="Idempotency-Key",
            )
        return Accepted(store_of(row), None)

    def get(self, customer_id: UUID, store_id: UUID) -> Store:
        """See the port."""
        row = self._database.one(_GET, {"id": store_id, "customer_id": customer_id})
        if row is None:
            raise _not_found(store_id)
        return store_of(row)

    def page(self, customer_id: UUID, page: Page) -> Sequence[Store]:
        """See the port."""
        parameters = {
            "customer_id": customer_id,
            "state": page.state,
            "text": page.text,
            "after_at": page.after.created_at if page.after else None,
            "after_id": page.after.id if page.after else None,
            "limit": page.limit,
        }
        return [store_of(row) for row in self._database.rows(_PAGE, parameters)]

    def history(self, customer_id: UUID, store_id: UUID) -> Sequence[AuditEntry]:
        """See the port. A store without any history does not exist."""
        rows = self._database.rows(_HISTORY, {"id": store_id, "customer_id": customer_id})
        if not rows:
            raise _not_found(store_id)
        return [
            AuditEntry(
                **{
                    **row,
                    "from_state": StoreState(row["from_state"]) if row["from_state"] else None,
                    "to_state": StoreState(row["to_state"]),
                }
            )
            for row in rows
        ]

    def ask_deletion(self, customer_id: UUID, store_id: UUID, actor: Actor) -> Accepted:
        """See the port."""
        announcement = uuid4()
        row = self._database.one(
            _ASK_DELETION,
            {
                "id": store_id,
                "customer_id": customer_id,
                "announcement": announcement,
                "wake_seconds": self._wake_seconds,
                "actor": actor.name,
                "cause": actor.cause,
                "action": "deletion asked",
            },
        )
        if row is None:
            raise _not_found(store_id)
        store = store_of(row)
        intent = StoreIntent(store.id, store.generation)
        return Accepted(store, Announcement(announcement, intent) if row["fresh"] else None)


def _not_found(store_id: UUID) -> StoreNotFoundError:
    return StoreNotFoundError(f"you have no store {store_id}: GET /stores lists those you have")
