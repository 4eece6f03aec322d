"""Facts of billing and subscriptions in Postgres."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import RowMapping

from control_plane.adapters.postgres_database import Database, Session
from control_plane.adapters.postgres_stores import PostgresStores
from control_plane.domain.billing import (
    ContradictionError,
    Fact,
    FactKind,
    StoreOrder,
    Subscription,
    SubscriptionStatus,
)
from control_plane.ports.billing import SubscriptionRow, UnknownEvent

_NOW = "SELECT platform_time() AS now"

_MAKE = text("""
INSERT INTO subscriptions (id, source, customer, account_id)
SELECT :subscription_id, :source, :customer, billed_account(:source, :customer, :cause)
WHERE NOT EXISTS (SELECT FROM subscriptions WHERE id = :subscription_id)
ON CONFLICT (id) DO NOTHING
""")

_COLUMNS = """
id, source, customer, account_id, store_id, store_removed, status, since, plan, trial_ends_at, known_at, note,
    due_at
"""
_LOCK = text(f"SELECT {_COLUMNS} FROM subscriptions WHERE id = :id FOR UPDATE")
_LOCK_DUE = text(f"""
SELECT {_COLUMNS} FROM subscriptions WHERE id = :id AND due_at <= platform_time()
FOR UPDATE SKIP LOCKED
""")

_ADD = text("""
INSERT INTO billing_facts (source, event_id, kind, subscription_id, occurred_at, fingerprint, plan,
    trial_ends_at, store_name, store_title, admin_email, remark)
VALUES (:source, :event_id, :kind, :subscription_id, :occurred_at, :fingerprint, :plan,
    :trial_ends_at, :store_name, :store_title, :admin_email, :remark)
ON CONFLICT (source, event_id) DO NOTHING
RETURNING event_id
""")
_KNOWN = text("SELECT fingerprint FROM billing_facts WHERE source = :source AND event_id = :event_id")
_FACTS = text("""
SELECT source, event_id, kind, subscription_id, occurred_at, fingerprint, plan, trial_ends_at,
    store_name, store_title, admin_email, remark
FROM billing_facts WHERE subscription_id = :id
""")

_KEEP = text("""
UPDATE subscriptions SET store_id = :store_id, store_removed = :store_removed, status = :status,
    since = :since, plan = :plan, trial_ends_at = :trial_ends_at, known_at = :known_at, note = :note,
    due_at = :due_at, updated_at = clock_timestamp()
WHERE id = :id
""")

_DUE = text("SELECT id FROM subscriptions WHERE due_at <= platform_time() ORDER BY due_at LIMIT :limit")
_POSTPONE = text("""
UPDATE subscriptions SET note = :note, due_at = platform_time() + make_interval(secs => :seconds)
WHERE id = :id
""")


class PostgresBillingTransaction:
    """The `BillingTransaction` port."""

    def __init__(self, session: Session, now: datetime, row: RowMapping, stores: PostgresStores) -> None:
        self._session = session
        self.now = now
        self.kept = _row_of(row)
        self.facts: Sequence[Fact] = [
            _fact_of(each, row["customer"]) for each in session.rows(_FACTS, {"id": row["id"]})
        ]
        self.stores = stores

    def keep(self, changed: SubscriptionRow) -> None:
        """See the port."""
        state = changed.state
        self._session.rows(
            _KEEP,
            {
                "id": changed.id,
                "store_id": changed.store_id,
                "store_removed": changed.store_removed,
                "status": state.status.value,
                "since": state.since,
                "plan": state.plan,
                "trial_ends_at": state.trial_ends_at,
                "known_at": state.known_at,
                "note": changed.note,
                "due_at": changed.due_at,
            },
        )


@dataclass(frozen=True)
class PostgresBilling:
    """The `Billing` port."""

    database: Database
    wake_seconds: float = 30.0  # until a pass announces again what nobody has taken

    @contextmanager
    def record(self, fact: Fact) -> Iterator[PostgresBillingTransaction | None]:
        """See the port."""
        with self.database.transaction(_NOW) as (entered, session):
            cause = f"billing event {fact.event_id}"
            session.rows(_MAKE, {**_columns_of(fact), "customer": fact.customer, "cause": cause})
            row = session.one(_LOCK, {"id": fact.subscription_id})
            if row is None:
                raise LookupError(f"the subscription {fact.subscription_id} is not there")
            if session.one(_ADD, _columns_of(fact)):
                for field, owner in (("source", "billing system"), ("customer", "customer")):
                    if row[field] != getattr(fact, field):
                        raise ContradictionError(
                            f"the subscription {fact.subscription_id} is known as another {owner}'s"
                        )
                yield self._transaction(session, entered["now"], row)
            else:
                self._compare(session, fact)
                yield None

    def note(self, event: UnknownEvent) -> None:
        """See the port."""
        self.database.rows(
            _ADD,
            {
                **dict.fromkeys(("subscription_id", "plan", "trial_ends_at"), None),
                **dict.fromkeys(("store_name", "store_title", "admin_email"), None),
                "kind": "unknown",
                "source": event.source,
                "event_id": event.event_id,
                "occurred_at": event.occurred_at,
                "fingerprint": event.fingerprint,
                "remark": event.remark,
            },
        )

    def due(self, *, limit: int) -> Sequence[str]:
        """See the port."""
        return [row["id"] for row in self.database.rows(_DUE, {"limit": limit})]

    @contextmanager
    def settle(self, subscription_id: str) -> Iterator[PostgresBillingTransaction | None]:
        """See the port."""
        with self.database.transaction(_NOW) as (entered, session):
            row = session.one(_LOCK_DUE, {"id": subscription_id})
            yield self._transaction(session, entered["now"], row) if row else None

    def postpone(self, subscription_id: str, note: str, *, seconds: float) -> None:
        """See the port."""
        self.database.rows(_POSTPONE, {"id": subscription_id, "note": note, "seconds": float(seconds)})

    def _transaction(self, session: Session, now: datetime, row: RowMapping) -> PostgresBillingTransaction:
        stores = PostgresStores(session, None, wake_seconds=self.wake_seconds)
        return PostgresBillingTransaction(session, now, row, stores)

    @staticmethod
    def _compare(session: Session, fact: Fact) -> None:
        known = session.one(_KNOWN, {"source": fact.source, "event_id": fact.event_id})
        if known is None or known["fingerprint"] != fact.fingerprint:
            raise ContradictionError(
                f"the event {fact.event_id} was recorded before, and says something else now"
            )


def _columns_of(fact: Fact) -> dict[str, Any]:
    order = fact.store
    return {
        "source": fact.source,
        "event_id": fact.event_id,
        "kind": fact.kind.value,
        "subscription_id": fact.subscription_id,
        "occurred_at": fact.occurred_at,
        "fingerprint": fact.fingerprint,
        "plan": fact.plan,
        "trial_ends_at": fact.trial_ends_at,
        "store_name": order.name if order else None,
        "store_title": order.title if order else None,
        "admin_email": order.admin_email if order else None,
        "remark": fact.remark,
    }


def _fact_of(row: RowMapping, customer: str) -> Fact:
    return Fact(
        source=row["source"],
        event_id=row["event_id"],
        kind=FactKind(row["kind"]),
        subscription_id=row["subscription_id"],
        customer=customer,
        occurred_at=row["occurred_at"],
        fingerprint=row["fingerprint"],
        plan=row["plan"],
        trial_ends_at=row["trial_ends_at"],
        store=StoreOrder(row["store_name"], row["store_title"], row["admin_email"])
        if row["store_name"]
        else None,
        remark=row["remark"],
    )


def _row_of(row: RowMapping) -> SubscriptionRow:
    return SubscriptionRow(
        id=row["id"],
        account=row["account_id"],
        state=Subscription(
            status=SubscriptionStatus(row["status"]),
            since=row["since"],
            plan=row["plan"],
            trial_ends_at=row["trial_ends_at"],
            known_at=row["known_at"],
        ),
        store_id=row["store_id"],
        store_removed=row["store_removed"],
        note=row["note"],
        due_at=row["due_at"],
    )
