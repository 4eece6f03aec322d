"""A store: what its row says, and the one table of moves that its state may make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

ADMINISTRATOR = "admin"  # the WordPress user that every store is made with


class StoreState(StrEnum):
    """What people read. Docstrings of the moves are in `docs/architecture.md`."""

    QUEUED = "QUEUED"
    PROVISIONING = "PROVISIONING"
    READY = "READY"
    DEGRADED = "DEGRADED"
    UPDATING = "UPDATING"
    SUSPENDED = "SUSPENDED"
    DELETING = "DELETING"
    DELETED = "DELETED"
    FAILED = "FAILED"


_S = StoreState

# The database holds the same table and refuses every other move (a test compares the two).
MOVES: Mapping[StoreState, frozenset[StoreState]] = {
    _S.QUEUED: frozenset({_S.PROVISIONING, _S.DELETING, _S.FAILED}),
    _S.PROVISIONING: frozenset({_S.READY, _S.SUSPENDED, _S.DELETING, _S.FAILED}),
    _S.READY: frozenset({_S.DEGRADED, _S.UPDATING, _S.DELETING}),
    _S.DEGRADED: frozenset({_S.READY, _S.UPDATING, _S.DELETING}),
    _S.UPDATING: frozenset({_S.READY, _S.SUSPENDED, _S.DELETING, _S.FAILED}),
    _S.SUSPENDED: frozenset({_S.UPDATING, _S.DELETING}),
    _S.DELETING: frozenset({_S.DELETED}),
    _S.DELETED: frozenset(),
    _S.FAILED: frozenset({_S.QUEUED, _S.DELETING}),
}

# Where provision moves a row to when it begins to work on it.
BEGINS: Mapping[StoreState, StoreState] = {
    _S.QUEUED: _S.PROVISIONING,
    _S.READY: _S.UPDATING,
    _S.DEGRADED: _S.UPDATING,
    _S.SUSPENDED: _S.UPDATING,
}


class Desired(StrEnum):
    """What the intent asks for."""

    RUNNING = "running"
    DELETED = "deleted"


class Hold(StrEnum):
    """Who does not let a store run. Each lifts only their own: paying does not end a suspension for abuse."""

    OWNER = "owner"
    BILLING = "billing"
    OPERATOR = "operator"


class Notice(StrEnum):
    """What the shop's administrators are told in their own pages."""

    NONE = ""
    PAST_DUE = "past-due"


@dataclass(frozen=True)
class Store:
    """One row of `stores`. All times are UTC and come from the database's clock.

    `generation` counts intents; `applied_generation` is the newest one whose release (or
    removal) provision has handed to the cluster; `observed_generation` the newest one
    that reconcile has seen rolled out. `removal_at` is when a deletion that was asked for becomes
    final, and `former_until` when the former host name stops to lead here: both by `platform_time()`.
    """

    id: UUID
    customer_id: UUID
    name: str
    title: str
    admin_email: str
    plan: str
    desired: Desired
    generation: int
    applied_generation: int
    observed_generation: int
    state: StoreState
    reason: str | None
    chart_version: str | None
    cell: UUID
    hostname: str
    release_revision: int | None
    release_digest: str | None
    failures: int
    created_at: datetime
    updated_at: datetime
    ready_at: datetime | None
    credentials_uid: str | None
    admin_number: int  # of the administrator's password that was asked for last: 1 comes with the store
    holds: frozenset[Hold]
    removal_at: datetime | None
    former_hostname: str | None
    former_until: datetime | None
    notice: Notice
    billed: bool  # a subscription decides its plan
    applied_plan: str | None  # whose volumes the store has; None before its first release

    @property
    def namespace(self) -> str:
        """The namespace, and the Helm release in it, have the same name."""
        return namespace_of(self.id)

    @property
    def runs(self) -> bool:
        """Whether its pods are wanted: nobody holds it, and nobody wants it gone."""
        return self.desired is Desired.RUNNING and not self.holds and self.removal_at is None

    @property
    def domain(self) -> str:
        """What its host names are below: its cell's domain, maybe with a port."""
        return self.hostname.partition(".")[2]

    @property
    def address(self) -> str:
        """Where a shopper finds the store."""
        return f"http://{self.hostname}"


def namespace_of(store_id: UUID) -> str:
    """`store-{uuid}`: the namespace of a store, and the name of its Helm release."""
    return f"store-{store_id}"


@dataclass(frozen=True)
class NewStore:
    """What a customer ordered, validated, with the identity that the platform gave it."""

    id: UUID
    customer_id: UUID
    name: str
    title: str
    admin_email: str
    plan: str
    hostname: str
    cell: str
    billed: bool = False


@dataclass(frozen=True)
class Lease:
    """The right to work on one store. `token` only grows, so that an old holder's writes are refused.

    The database upholds it for rows. For the cell, which knows no tokens, `ends` is a moment of this
    process's monotonic clock, no later than the lease's end in the database: whatever changes the cell
    looks at it last, because a process may have been stopped for hours since it took the lease.
    """

    store_id: UUID
    token: int
    ends: float


@dataclass(frozen=True)
class Actor:
    """Who caused a change, and by which request or message."""

    name: str
    cause: str


@dataclass(frozen=True)
class AuditEntry:
    """One change of one store, as it will be told for ever."""

    at: datetime
    actor: str
    cause: str
    action: str
    from_state: StoreState | None
    to_state: StoreState
    generation: int
    reason: str | None
