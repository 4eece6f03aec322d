"""What the use cases need from the outside, as Protocols. The adapters are what they get.

Every method of a database port is one transaction: whatever changes a row writes its
audit entry, and its outbox row where there is something to announce, in the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from control_plane.domain.events import StoreIntent
from control_plane.domain.plans import Plan
from control_plane.domain.rollout import Observation, Standing, Verdict
from control_plane.domain.store import Actor, AuditEntry, Lease, NewStore, Store, StoreState

# ---------------------------------------------------------------- the customer's side


@dataclass(frozen=True)
class Announcement:
    """An outbox row: what is to be published, and under which id it is ticked off."""

    id: UUID
    intent: StoreIntent


@dataclass(frozen=True)
class IdempotencyKey:
    """A caller's key and the digest of the request body that it came with."""

    key: str
    body_digest: str


@dataclass(frozen=True)
class Accepted:
    """The store that a request led to. `announcement` is None where nothing new was recorded."""

    store: Store
    announcement: Announcement | None


@dataclass(frozen=True)
class Position:
    """Where a page ended: the newest-first order is by creation time, then id."""

    created_at: datetime
    id: UUID


@dataclass(frozen=True)
class Page:
    """Which of a customer's stores to list: newest first, after `after`, at most `limit`."""

    limit: int
    after: Position | None = None
    state: StoreState | None = None
    text: str | None = None


class Tokens(Protocol):
    """Who is asking."""

    def customer_of(self, token: str) -> UUID | None:
        """The customer whose token this is; None for one that nobody was given."""


class Stores(Protocol):
    """A customer's stores: intent in, rows out. Every method sees that customer's rows only."""

    def add(self, order: NewStore, key: IdempotencyKey | None, actor: Actor) -> Accepted:
        """Record a new store, QUEUED. The same key and body within 24 hours give the same store.

        Raises NameTakenError, HostnameTakenError, IdempotencyMismatchError.
        """

    def get(self, customer_id: UUID, store_id: UUID) -> Store:
        """Raises StoreNotFoundError."""

    def page(self, customer_id: UUID, page: Page) -> Sequence[Store]:
        """The stores of one page."""

    def history(self, customer_id: UUID, store_id: UUID) -> Sequence[AuditEntry]:
        """The store's audit, newest last. Raises StoreNotFoundError."""

    def ask_deletion(self, customer_id: UUID, store_id: UUID, actor: Actor) -> Accepted:
        """Record that the store shall go: DELETING, next generation. Asking again changes nothing.

        Raises StoreNotFoundError.
        """


class Outbox(Protocol):
    """What has been recorded and must be said."""

    def unpublished(self, *, older_than: float, limit: int) -> Sequence[Announcement]:
        """Announcements that nobody has ticked off for `older_than` seconds, oldest first."""

    def mark_published(self, ids: Iterable[UUID]) -> None:
        """Tick them off."""


class Events(Protocol):
    """Pub/Sub. Losing a message is allowed; waiting for ever is not."""

    def announce(self, intents: Sequence[StoreIntent], *, timeout: float) -> bool:
        """Publish them; whether the broker took all within `timeout` seconds. Never raises."""

    def rollout_started(self) -> None:
        """Wake reconcile: something was put in motion. Errors are logged, never raised."""


# ---------------------------------------------------------------- provision's side


@dataclass(frozen=True)
class Leased:
    """A store and the right to work on it."""

    store: Store
    lease: Lease


class Work(Protocol):
    """The rows as a worker sees them. Every write carries the lease's token and raises
    LeaseLostError when the lease has ended or was taken over. A write about a generation
    that is no longer the newest changes nothing: `finish` hands out the newest."""

    def take(self, store_id: UUID, *, seconds: float) -> Leased | None:
        """Take the lease if there is something to do; None when there is not or another has it.

        A predecessor that died with the lease in its hand counts as one failure.
        Raises UnknownStoreError.
        """

    def renew(self, lease: Lease, *, seconds: float) -> None:
        """The lease now ends in `seconds`, on the database's clock."""

    def begin(self, leased: Leased, actor: Actor) -> None:
        """Move the row to the state that says that the work has begun; nothing if it is there."""

    def record_release(
        self, leased: Leased, *, revision: int, digest: str, chart_version: str, deadline: float, actor: Actor
    ) -> None:
        """The cluster has the release of this generation; its pods have `deadline` seconds to be ready."""

    def record_removal(self, leased: Leased, actor: Actor) -> None:
        """The cluster was told to remove the store."""

    def fail(self, leased: Leased, reason: str, actor: Actor) -> None:
        """Give up: FAILED with the reason, for people. A row that is being deleted keeps its state."""

    def postpone(self, leased: Leased, reason: str, *, seconds: float, counted: bool, actor: Actor) -> None:
        """Say why the work waits, and that it does for `seconds`. Counted: one failure more."""

    def finish(self, leased: Leased, *, seconds: float) -> Leased | None:
        """Let go of the lease; or keep it, with the fresh row, when the intent has moved on meanwhile."""


class Cluster(Protocol):
    """One cell, as provision writes to it. Every method is idempotent and raises
    PermanentError, TemporaryError or CellUnreachableError."""

    def ensure_namespace(self, store: Store) -> None:
        """The store's namespace, with Pod Security and owner labels."""

    def ensure_quota(self, store: Store, plan: Plan) -> None:
        """The plan's ResourceQuota, returning when it is in force."""

    def ensure_credentials(self, store: Store, credentials: Credentials) -> str:
        """The name of the store's immutable Secret, made only if there is none."""

    def remove_namespace(self, store: Store) -> None:
        """Have the namespace and all that is in it removed; does not wait."""


class Credentials(Protocol):
    """Where passwords come from."""

    def fresh(self) -> Mapping[str, str]:
        """New random credentials of one store, by the key that the chart reads them under."""


class Releases(Protocol):
    """Helm, for one cell."""

    chart_version: str

    def apply(self, store: Store, values: Mapping[str, Any]) -> int:
        """Bring the release to these values and return its revision. Does not wait for pods.

        First frees a release that a killed Helm has left locked. Ends within
        `deadline` seconds, with the helm process dead.
        Raises PermanentError, TemporaryError, CellUnreachableError.
        """

    @property
    def deadline(self) -> float:
        """Seconds after which nothing that `apply` started can still be running."""


# ---------------------------------------------------------------- reconcile's side


@dataclass(frozen=True)
class Watermark:
    """Up to where the cluster's changes were seen: a resourceVersion for each watched kind."""

    versions: Mapping[str, str]


@dataclass(frozen=True)
class PassLease:
    """The right to run the pass of one cell."""

    cell: UUID
    token: int
    watermark: Watermark | None  # None: look at everything


class Fleet(Protocol):
    """All rows of one cell, as reconcile sees them."""

    def begin_pass(self, cell: str, *, seconds: float, full_every: float) -> PassLease | None:
        """Take the cell's pass lease; None while another pass has it.

        The watermark is withheld when the last full pass is `full_every` seconds ago.
        """

    def renew_pass(self, lease: PassLease, *, seconds: float) -> bool:
        """Keep the pass lease; False when another pass has taken over."""

    def end_pass(self, lease: PassLease, watermark: Watermark | None) -> None:
        """Let go of the pass lease. A watermark says that the cluster was seen up to there."""

    def wake_due(self, lease: PassLease, *, every: float, limit: int) -> int:
        """Announce again what is unfinished, due and in nobody's hand, each at most every `every` seconds."""

    def in_motion(self, lease: PassLease) -> Sequence[Standing]:
        """Stores that provision has put in motion and that have not arrived."""

    def standings(self, lease: PassLease, store_ids: Iterable[UUID] | None) -> Sequence[Standing]:
        """The rows of these stores, or of all that should be in the cluster now."""

    def record(self, verdicts: Sequence[Verdict], actor: Actor) -> int:
        """Write each verdict whose row is still as it was judged; returns how many were."""

    def excuse_outage(self, lease: PassLease, *, longer_than: float) -> None:
        """If the cell was not seen for `longer_than` seconds, move all deadlines on by that time."""

    def overdue(self, lease: PassLease, *, limit: int) -> Sequence[Standing]:
        """Stores whose pods have had their time."""


class Changes(Protocol):
    """What happens in the cluster while a pass looks."""

    def wait(self, seconds: float) -> frozenset[UUID] | None:
        """Stores of which something changed; waits at most that long. Raises CellUnreachableError.

        None: everything was looked at anew, so that any store may have changed.
        """

    def look(self, store_ids: Sequence[UUID]) -> Mapping[UUID, Observation]:
        """What is there now. Raises CellUnreachableError."""

    @property
    def watermark(self) -> Watermark:
        """Up to where changes were handed out."""


class Workloads(Protocol):
    """One cell, as reconcile reads it."""

    def changes(self, since: Watermark | None) -> AbstractContextManager[Changes]:
        """Everything that changes from `since` on; from None, or one too old, everything that is."""

    def diagnose(self, store_id: UUID) -> str:
        """Why the store's pods are not ready, for people."""


class Clock(Protocol):
    """Time as this process feels it: for budgets, never for what is written."""

    def monotonic(self) -> float:
        """Seconds since some moment."""

    def stopping(self) -> bool:
        """Whether this process was told to end."""
