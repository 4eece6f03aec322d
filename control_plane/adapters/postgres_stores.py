"""Stores in Postgres, for one caller. Every statement is bound to what the caller reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from typing import NoReturn
from uuid import UUID, uuid4

from sqlalchemy import TextClause, text
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import DBAPIError

from control_plane.adapters.postgres_database import Session, constraint
from control_plane.adapters.postgres_rows import AUDIT_CHANGED, STORE_COLUMNS, column_of, store_of
from control_plane.domain import retention
from control_plane.domain.billing import Subscription, SubscriptionStatus
from control_plane.domain.errors import (
    HostnameTakenError,
    IdempotencyMismatchError,
    NameTakenError,
    StaleError,
    StoreLimitError,
    StoreNotFoundError,
)
from control_plane.domain.events import StoreIntent
from control_plane.domain.life import Asked
from control_plane.domain.store import Actor, AuditEntry, NewStore, Store, StoreState
from control_plane.ports.customers import Accepted, IdempotencyKey, Looked, Page, Paying
from control_plane.ports.messages import Announcement

_KEPT = retention.IDEMPOTENCY_KEYS.total_seconds()
# Announced now; if nobody has taken it by then, a pass announces it again.
_GRACE = "clock_timestamp() + make_interval(secs => :wake_seconds)"

# By the transaction's own moment, so that its statements agree about a key.
_IN_USE = f"(known.created_at >= transaction_timestamp() - interval '{_KEPT} seconds')"

# The filter of every statement; NULL reaches all, and row-level security stands behind it.
REACHED = "(CAST(:reach AS uuid) IS NULL OR customer_id = :reach)"

# Key, row, outbox and audit are one statement: all of it is there, or none of it. A key
# that is in use claims nothing, and then nothing is added; one over its time is free again.
# `enter` has locked the account's row, so that its stores are counted by one at a time.
_ADD = text(f"""
WITH place AS (
    SELECT cells.id AS cell_id FROM cells WHERE cells.name = :cell
        AND (SELECT count(*) FROM stores WHERE customer_id = :customer_id AND state <> 'DELETED') < :most
), claimed AS (
    INSERT INTO idempotency_keys AS known (customer_id, key, body_digest, store_id)
    SELECT :customer_id, :key, :body_digest, :id FROM place WHERE CAST(:key AS text) IS NOT NULL
    ON CONFLICT (customer_id, key) DO UPDATE
        SET body_digest = EXCLUDED.body_digest, store_id = EXCLUDED.store_id, created_at = clock_timestamp()
        WHERE NOT {_IN_USE}
    RETURNING store_id
), changed AS (
    INSERT INTO stores (id, customer_id, name, title, admin_email, plan, hostname, cell, billed, quiet_until)
    SELECT :id, :customer_id, :name, :title, :admin_email, :plan, :hostname, cell_id, :billed, {_GRACE}
    FROM place WHERE CAST(:key AS text) IS NULL OR EXISTS (SELECT FROM claimed)
    RETURNING {STORE_COLUMNS}, CAST(NULL AS text) AS from_state
), announced AS (
    INSERT INTO outbox (id, store_id, generation) SELECT :announcement, id, generation FROM changed
), audited AS ({AUDIT_CHANGED})
SELECT * FROM changed
""")

_KNOWN = text(f"""
SELECT body_digest, {", ".join(f"s.{column}" for column in STORE_COLUMNS.split(", "))}
FROM idempotency_keys known JOIN stores s ON s.id = known.store_id
WHERE known.customer_id = :customer_id AND known.key = :key AND {_IN_USE}
""")

_CELL = text("SELECT id FROM cells WHERE name = :cell")
_GET = text(f"SELECT {STORE_COLUMNS} FROM stores WHERE id = :id AND {REACHED}")

_LOOK = text(f"""
SELECT {", ".join(f"s.{column}" for column in STORE_COLUMNS.split(", "))}, platform_time() AS now,
    paying.id AS subscription_id, paying.status, paying.since, paying.plan AS subscribed_plan,
    paying.trial_ends_at, paying.known_at, paying.note
FROM stores s LEFT JOIN subscriptions paying
    ON paying.store_id = s.id AND (CAST(:reach AS uuid) IS NULL OR paying.account_id = :reach)
WHERE s.id = :id AND {REACHED}
""")

_PAGE = text(f"""
SELECT {STORE_COLUMNS} FROM stores
WHERE {REACHED}
    AND (CAST(:state AS text) IS NULL OR state = :state)
    AND (CAST(:text AS text) IS NULL
         OR strpos(lower(name || ' ' || title || ' ' || hostname), lower(:text)) > 0)
    AND (CAST(:after_id AS uuid) IS NULL
         OR (created_at, id) < (CAST(:after_at AS timestamptz), CAST(:after_id AS uuid)))
ORDER BY created_at DESC, id DESC
LIMIT :limit
""")

_HISTORY = text(f"""
SELECT a.at, a.actor, a.cause, a.action, a.from_state, a.to_state, a.generation, a.reason
FROM audit a JOIN stores s ON s.id = a.store_id
WHERE a.store_id = :id AND {REACHED}
ORDER BY a.position
""")

_LOCK = text(f"""
SELECT {STORE_COLUMNS}, platform_time() AS now FROM stores WHERE id = :id AND {REACHED} FOR UPDATE
""")

# What verbs change; each is a column of its own name.
_INTENT = (
    "name", "hostname", "title", "plan", "desired", "state", "reason", "admin_number", "holds", "removal_at",
    "former_hostname", "former_until", "notice",
)  # fmt: skip


@cache
def _change(columns: tuple[str, ...]) -> TextClause:
    """The next generation of one store that is locked, with new values in those columns."""
    changes = "".join(f"{column} = :{column}, " for column in columns)
    return text(f"""
WITH changed AS (
    UPDATE stores SET {changes}generation = generation + 1, failures = 0, deadline_at = NULL,
        next_attempt_at = clock_timestamp(), quiet_until = {_GRACE}, updated_at = clock_timestamp()
    WHERE id = :id RETURNING {STORE_COLUMNS}, CAST(:from_state AS text) AS from_state
), announced AS (
    INSERT INTO outbox (id, store_id, generation) SELECT :announcement, id, generation FROM changed
), audited AS ({AUDIT_CHANGED})
SELECT changed.*, cells.name AS cell_name FROM changed JOIN cells ON cells.id = changed.cell
""")


class PostgresStores:
    """The `Stores` port, for one caller: `reach` is their account, or None for all."""

    def __init__(self, session: Session, reach: UUID | None, *, wake_seconds: float) -> None:
        self._session = session
        self._reach = reach
        self._wake_seconds = float(wake_seconds)

    def add(self, order: NewStore, key: IdempotencyKey | None, actor: Actor, *, most: int) -> Accepted:
        """See the port. Raises LookupError where the cell is not registered."""
        announcement = uuid4()
        parameters = {
            **asdict(order),
            "key": key.key if key else None,
            "body_digest": key.body_digest if key else None,
            "most": most,
            "announcement": announcement,
            "wake_seconds": self._wake_seconds,
            "actor": actor.name,
            "cause": actor.cause,
            "action": "created",
        }
        try:
            row = self._session.one(_ADD, parameters)
        except DBAPIError as error:
            raise _taken(error, order.name, order.hostname) or error from error
        if row:
            store = store_of(row)
            intent = StoreIntent(store.id, store.generation)
            return Accepted(store, Announcement(announcement, intent, order.cell))
        return self._known(order, key) or self._refused(order, most)

    def _known(self, order: NewStore, key: IdempotencyKey | None) -> Accepted | None:
        if key is None:
            return None
        row = self._session.one(_KNOWN, {"customer_id": order.customer_id, "key": key.key})
        if row is None:
            return None
        if row["body_digest"] != key.body_digest:
            raise IdempotencyMismatchError(
                "this Idempotency-Key came with another request body within the last 24 hours: "
                "send the same body again, or use a new key",
                field="Idempotency-Key",
            )
        return Accepted(store_of(row), None)

    def _refused(self, order: NewStore, most: int) -> NoReturn:
        if not self._session.rows(_CELL, {"cell": order.cell}):
            raise LookupError(f"the cell {order.cell!r} is not registered")
        raise StoreLimitError(f"your plan allows {most} stores: delete one that is not needed any more")

    def get(self, store_id: UUID) -> Store:
        """See the port."""
        row = self._session.one(_GET, {"id": store_id, "reach": self._reach})
        if row is None:
            raise not_found(store_id)
        return store_of(row)

    def look(self, store_id: UUID) -> Looked:
        """See the port."""
        row = self._session.one(_LOOK, {"id": store_id, "reach": self._reach})
        if row is None:
            raise not_found(store_id)
        return Looked(store_of(row), _paying_of(row) if row["subscription_id"] else None, row["now"])

    def page(self, page: Page) -> Sequence[Store]:
        """See the port."""
        parameters = {
            "reach": self._reach,
            "state": page.state,
            "text": page.text,
            "after_at": page.after.created_at if page.after else None,
            "after_id": page.after.id if page.after else None,
            "limit": page.limit,
        }
        return [store_of(row) for row in self._session.rows(_PAGE, parameters)]

    def history(self, store_id: UUID) -> Sequence[AuditEntry]:
        """See the port. A store without any history does not exist."""
        rows = self._session.rows(_HISTORY, {"id": store_id, "reach": self._reach})
        if not rows:
            raise not_found(store_id)
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

    def change(self, store_id: UUID, asked: Asked, *, generation: int | None, actor: Actor) -> Accepted:
        """See the port."""
        row = self._session.one(_LOCK, {"id": store_id, "reach": self._reach})
        if row is None:
            raise not_found(store_id)
        store = store_of(row)
        if generation not in (None, store.generation):
            raise StaleError(f"the store is at generation {store.generation}: read it again, then decide")
        wanted = asked(store, row["now"])
        if wanted is store:
            return Accepted(store, None)
        columns = tuple(each for each in _INTENT if getattr(wanted, each) != getattr(store, each))
        announcement = uuid4()
        parameters = {each: column_of(getattr(wanted, each)) for each in columns} | {
            "id": store_id,
            "announcement": announcement,
            "wake_seconds": self._wake_seconds,
            "actor": actor.name,
            "cause": actor.cause,
            "action": asked.action,
            "from_state": store.state,
        }
        try:
            changed = self._session.one(_change(columns), parameters)
        except DBAPIError as error:
            raise _taken(error, wanted.name, wanted.hostname) or error from error
        if changed is None:
            raise not_found(store_id)
        store = store_of(changed)
        intent = StoreIntent(store.id, store.generation)
        return Accepted(store, Announcement(announcement, intent, changed["cell_name"]))


def _paying_of(row: RowMapping) -> Paying:
    state = Subscription(
        status=SubscriptionStatus(row["status"]),
        since=row["since"],
        plan=row["subscribed_plan"],
        trial_ends_at=row["trial_ends_at"],
        known_at=row["known_at"],
    )
    return Paying(row["subscription_id"], state, row["note"])


def _taken(error: DBAPIError, name: str, hostname: str) -> NameTakenError | HostnameTakenError | None:
    """What a refused row means, where it is about its name or host name."""
    match constraint(error):
        case "one_live_store_per_name":
            return NameTakenError(
                f"you already have a store named {name!r}: choose another name, or delete that one",
                field="name",
            )
        case "one_live_store_per_hostname":
            return HostnameTakenError(hostname)
    return None


def not_found(store_id: UUID) -> StoreNotFoundError:
    """The store is not there, or out of reach."""
    return StoreNotFoundError(f"you have no store {store_id}: GET /v1/stores lists those you have")
