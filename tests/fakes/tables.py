"""The tables that the fakes of all database ports share, with the rules of the migrations."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar, cast
from uuid import UUID, uuid4

from control_plane.domain.accounts import ApiToken, Role
from control_plane.domain.events import StoreIntent
from control_plane.domain.orphans import Orphan
from control_plane.domain.store import MOVES, Actor, AuditEntry, Store, StoreState
from control_plane.domain.store_events import StoreEvent, StoreEventData, StoreEventType
from control_plane.ports.billing import SubscriptionRow
from control_plane.ports.fleet import Watermark
from control_plane.ports.messages import Announcement
from tests.fakes.clock import FakeClock
from tests.fakes.people import PeopleTables

_S = StoreState
_TOLD = {
    _S.READY: StoreEventType.READY,
    _S.DEGRADED: StoreEventType.DEGRADED,
    _S.SUSPENDED: StoreEventType.SUSPENDED,
    _S.DELETING: StoreEventType.DELETING,
    _S.DELETED: StoreEventType.DELETED,
    _S.FAILED: StoreEventType.FAILED,
}


_SETTLED = (_S.READY, _S.DEGRADED, _S.SUSPENDED)


class RuleBrokenError(Exception):
    """What the real database would refuse."""


@dataclass(frozen=True)
class Row(Store):
    """All columns of `stores`: those that people see, and those of leases and deadlines."""

    next_attempt_at: datetime
    quiet_until: datetime
    lease_holder: str | None = None
    lease_until: datetime | None = None
    lease_token: int = 0
    deadline_at: datetime | None = None
    admin_made: int = 0
    made_with: str | None = None
    refreshed_for: str | None = None
    settled: StoreState | None = None

    def store(self) -> Store:
        """The columns that people see."""
        return Store(**{each.name: getattr(self, each.name) for each in fields(Store)})


@dataclass
class OutboxRow:
    """One row of `outbox`."""

    announcement: Announcement
    created_at: datetime
    published_at: datetime | None = None


@dataclass
class DeadLetterRow:
    """One row of `dead_letters`."""

    source: str
    message_id: str
    body: bytes
    store_id: UUID | None
    generation: int | None
    kind: str
    reason: str
    parked_at: datetime
    deliveries: int = 1
    answer: str | None = None
    answered_at: datetime | None = None
    id: UUID = field(default_factory=uuid4)


@dataclass
class CellRow:
    """One row of `cells`."""

    id: UUID
    pass_token: int = 0
    pass_until: datetime | None = None
    seen_at: datetime | None = None
    full_pass_at: datetime | None = None
    watermark: Watermark | None = None


@dataclass
class AccountRow:
    """One row of `accounts`."""

    plan: str = "standard"
    requests_left: float = float("inf")
    requests_at: datetime | None = None


@dataclass
class TokenRow:
    """One row of `tokens`."""

    account: UUID
    digest: str
    role: Role
    kept: ApiToken
    revoked: bool = False


class Tables:
    """What the fakes share: one lock is their transaction, one method writes a store's row."""

    def __init__(self, clock: FakeClock, *cells: str) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.cells = {name: CellRow(uuid4()) for name in cells}
        self.rows: dict[UUID, Row] = {}
        self.outbox: list[OutboxRow] = []
        self.store_events: list[StoreEvent] = []
        self.told_outside: dict[UUID, datetime] = {}
        self.audit: dict[UUID, list[AuditEntry]] = {}
        self.keys: dict[tuple[UUID, str], tuple[str, UUID, datetime]] = {}
        self.attempts: dict[
            tuple[UUID, int], tuple[int, datetime]
        ] = {}  # whose store, with which lease token; at which generation, since when
        self.operations: list[tuple[str, str, str, str | None]] = []  # operator, action, subject, reason
        self.orphans: dict[UUID, dict[UUID, Orphan]] = {}  # by cell and store
        self.dead_letters: dict[tuple[str, str], DeadLetterRow] = {}  # by source and message id
        self.unclaimed: dict[
            tuple[UUID, int], tuple[str, int, datetime]
        ] = {}  # password, generation, made at
        self.accounts: dict[UUID, AccountRow] = {}
        self.links: dict[tuple[str, str], UUID] = {}  # whose account an issuer's customer has
        self.tokens: dict[UUID, TokenRow] = {}
        self.of_people = PeopleTables()
        self.subscriptions: dict[str, SubscriptionRow] = {}
        # Account, actor, cause, action, subject.
        self.account_audit: list[tuple[UUID, str, str, str, str]] = []

    @property
    def now(self) -> datetime:
        """The database's clock, which never shows one time twice."""
        self.clock.now += timedelta(microseconds=1)
        return self.clock.now

    def write(self, row: Row, actor: Actor, action: str, *, audited: bool = True, **changes: Any) -> Row:
        """Change a row and write its audit entry, or raise RuleBrokenError and change nothing."""
        after = replace(row, **{"updated_at": self.now, **changes})
        if after.state is not row.state and after.state not in MOVES[row.state]:
            raise RuleBrokenError(f"a store may not move from {row.state} to {after.state}")
        if after.state is _S.FAILED and after.reason is None:
            raise RuleBrokenError("a failed store says why")
        self.rows[row.id] = after
        if after.state is not row.state:
            self.tell_outside(after, row.settled)
            self.rows[row.id] = after = replace(
                after, settled=after.state if after.state in _SETTLED else row.settled
            )
        if audited:
            self.tell(after, actor, action, row.state)
        return after

    def tell(self, row: Row, actor: Actor, action: str, before: StoreState | None) -> None:
        """Write an audit entry."""
        entry = AuditEntry(
            self.now, actor.name, actor.cause, action, before, row.state, row.generation, row.reason
        )
        self.audit.setdefault(row.id, []).append(entry)

    def tell_outside(self, row: Row, settled: StoreState | None) -> None:
        """Write an event, where the new state is one that is told."""
        what = _TOLD.get(row.state)
        if what is StoreEventType.READY and settled is _S.SUSPENDED:
            what = StoreEventType.RESUMED
        if what:
            self.add_event(row, what)

    def add_event(self, row: Row, what: StoreEventType) -> None:
        """Write an event."""
        data = StoreEventData(
            store_id=row.id, account_id=row.customer_id, generation=row.generation, reason=row.reason
        )
        number = len(self.store_events) + 1
        event = StoreEvent(id=uuid4(), type=what, subject=row.id, time=self.now, sequence=number, data=data)
        self.store_events.append(event)

    def announce(self, row: Row) -> Announcement:
        """Write an outbox row."""
        announcement = Announcement(uuid4(), StoreIntent(row.id, row.generation), self.name_of(row.cell))
        self.outbox.append(OutboxRow(announcement, self.now))
        return announcement

    def name_of(self, cell: UUID) -> str:
        """The name of a cell."""
        return next(name for name, row in self.cells.items() if row.id == cell)

    def park(self, letter: DeadLetterRow) -> None:
        """Write a dead letter, or count that it came once more."""
        known = self.dead_letters.get((letter.source, letter.message_id))
        if known:
            letter = replace(letter, id=known.id, parked_at=known.parked_at, deliveries=known.deliveries + 1)
        self.dead_letters[letter.source, letter.message_id] = letter


class _OfTables(Protocol):
    @property
    def tables(self) -> Tables: ...


F = TypeVar("F", bound=Callable[..., Any])


def transaction(method: F) -> F:
    """Nobody else sees or changes the tables while the method runs."""

    @functools.wraps(method)
    def alone(self: _OfTables, *args: Any, **kwargs: Any) -> Any:
        with self.tables.lock:
            return method(self, *args, **kwargs)

    return cast(F, alone)


def held(row: Row, now: datetime) -> bool:
    return row.lease_until is not None and row.lease_until > now


def unfinished(row: Row) -> bool:
    return row.applied_generation < row.generation and row.state is not _S.FAILED
