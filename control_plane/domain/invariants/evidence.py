"""What a look at the platform brings. All durations are seconds by the database's clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from control_plane.domain.rollout import Workload
from control_plane.domain.store import StoreState, namespace_of


@dataclass(frozen=True)
class Entry:
    """The newest audit entry of a store."""

    action: str
    to_state: StoreState
    generation: int
    seconds: float  # since it was written
    leased: bool  # written under a lease


@dataclass(frozen=True)
class Row:
    """One row of `stores`, with what other tables say of it at the same moment."""

    id: UUID
    here: bool  # in the cell that is looked at
    state: StoreState
    reason: str | None
    generation: int
    applied_generation: int
    observed_generation: int
    plan: str
    made_with: str | None  # `chart_values.made_with` when the release was made
    runs: bool  # whether its pods are wanted
    release_revision: int | None
    release_digest: str | None
    credentials_uid: str | None
    failures: int
    lease_token: int
    newest_attempt: int | None  # its lease token; None where none is on record any more
    idle: float  # how long it has been due and in nobody's hand; negative while it is not
    overdue: float | None  # how long ago its pods had had their time; None without a deadline
    settled: float  # how long it has been in its state
    entry: Entry | None
    handed_over: int  # the newest generation whose release or removal the audit tells of
    freed: int  # how often the audit tells that its release was freed
    letters: int  # dead letters about it, answered or not

    @property
    def version(self) -> tuple[object, ...]:
        """What changes whenever somebody has done something about the store."""
        generations = self.generation, self.applied_generation, self.observed_generation
        return self.state, *generations, self.release_revision, self.lease_token, self.credentials_uid

    @property
    def applied(self) -> bool:
        """Whether provision has handed the newest intent to the cluster."""
        return self.applied_generation == self.generation


@dataclass(frozen=True)
class Step:
    """A kind of step in the audit: from one entry of a store to its next. `stores` are some that made it."""

    before: StoreState | None  # what the entry before ended in; None: there is none
    from_state: StoreState | None
    to_state: StoreState
    generation_fell: bool
    unannounced: bool  # a new intent without an outbox row of its own transaction
    fenced_off: bool  # written by a worker whose lease another one had taken over, or without any
    unexplained: bool  # FAILED without a reason
    count: int
    stores: Sequence[UUID]


@dataclass(frozen=True)
class Attempt:
    """A kind of attempt: whether it began within another's lease, and whether one before it is missing."""

    overlapping: bool
    skips: bool
    count: int
    stores: Sequence[UUID]


@dataclass(frozen=True)
class Announcement:
    """Outbox rows of one store that say something is wrong."""

    store_id: UUID
    unknown: bool  # a store was meant, and none has this id
    waiting: float  # how long the oldest unpublished one has waited
    lately: int  # how often it was announced in the last hour


@dataclass(frozen=True)
class Letter:
    """A dead letter that is a sign of something worse: of an unknown store, or one that comes again."""

    subject: str
    store_id: UUID | None
    unknown_store: bool
    recorded: bool  # the store has a row by now
    deliveries: int


@dataclass(frozen=True)
class Ledger:
    """What the database says about all stores together."""

    stores: int
    unseen: float | None  # how long ago a pass has last seen the cell; None: never
    announcements: Sequence[Announcement] = ()
    letters: Sequence[Letter] = ()
    unrecorded: Sequence[UUID] = ()  # told of by an idempotency key, the audit or whoever asks; no row
    waiting_letters: Mapping[str, int] = field(default_factory=dict)  # by kind, for an operator's attention


@dataclass(frozen=True)
class Namespace:
    """A namespace that is named like a store's."""

    store_label: str
    terminating: bool
    quarantined: bool
    pod_security: Mapping[str, str]  # by mode


@dataclass(frozen=True)
class Record:
    """One of Helm's records, by its labels. `marked`: it says failed because we said so."""

    release: str
    revision: int
    status: str
    digest: str
    marked: bool = False


@dataclass(frozen=True)
class Quota:
    """The ResourceQuota of a namespace."""

    hard: Mapping[str, str]
    in_force: bool


@dataclass(frozen=True)
class Credentials:
    """The Secret with a store's passwords, without them."""

    uid: str
    immutable: bool


@dataclass(frozen=True)
class InCell:
    """All that the cell has in the namespace of one store."""

    store_id: UUID
    namespace: Namespace | None = None
    workloads: Mapping[str, Workload] = field(default_factory=dict)
    records: Sequence[Record] = ()
    claims: frozenset[str] = frozenset()
    quota: Quota | None = None
    closed: bool = False  # default-deny, both ways, is there
    bindings: Sequence[str] = ()  # "NAME to ROLE"
    credentials: Credentials | None = None

    @property
    def name(self) -> str:
        """Of the namespace."""
        return namespace_of(self.store_id)


@dataclass(frozen=True)
class Stray:
    """Something that claims to be a store's, in a place where nothing of it belongs."""

    store_id: UUID
    what: str  # "release NAME in namespace NAME"
    release: bool


@dataclass(frozen=True)
class Policy:
    """An admission policy of ours, as far as it can be enforced."""

    name: str
    fails_closed: bool
    denies: bool
    validations: int
