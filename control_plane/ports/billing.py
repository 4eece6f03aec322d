"""What billing told us, kept, and the subscriptions that it adds up to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from control_plane.domain.billing import Fact, FactKind, StoreOrder, Subscription
from control_plane.ports.customers import Stores


@dataclass(frozen=True)
class SubscriptionRow:
    """A subscription's row. `store_removed`: its store went at the end of billing's retention.

    `state` is what its facts added up to when it was written last, without the store that they order.
    """

    id: str
    account: UUID
    state: Subscription
    store_id: UUID | None = None
    store_removed: bool = False
    note: str = ""  # what could not be done, for people
    due_at: datetime | None = None  # when the same facts mean something else; None for never


@dataclass(frozen=True)
class UnknownEvent:
    """An event of a billing system that says nothing to us: kept, so that it can be seen."""

    source: str
    event_id: str
    occurred_at: datetime
    fingerprint: str
    remark: str


class BillingTransaction(Protocol):
    """One subscription, locked. All of what is done in it happens, or none."""

    @property
    def now(self) -> datetime:
        """The platform's time."""

    @property
    def kept(self) -> SubscriptionRow:
        """The subscription's row."""

    @property
    def facts(self) -> Sequence[Fact]:
        """All that is known of it, with the one that is being recorded."""

    @property
    def stores(self) -> Stores:
        """The stores of all accounts."""

    def keep(self, changed: SubscriptionRow) -> None:
        """Write the row."""


class Billing(Protocol):
    """Facts and subscriptions."""

    def record(self, fact: Fact) -> AbstractContextManager[BillingTransaction | None]:
        """Keep a fact, and go on with its subscription. None where the fact was known already.

        Its customer's account is made where they come for the first time. Raises ContradictionError.
        """

    def note(self, event: UnknownEvent) -> None:
        """Keep an event that says nothing to us; one that is known changes nothing."""

    def due(self, *, limit: int) -> Sequence[str]:
        """Subscriptions whose facts mean something else by now, the longest due first."""

    def settle(self, subscription_id: str) -> AbstractContextManager[BillingTransaction | None]:
        """Go on with one that is due. None where it is not any more, or is in somebody else's hands."""

    def postpone(self, subscription_id: str, note: str, *, seconds: float) -> None:
        """Leave alone for so long what could not be settled."""


@dataclass(frozen=True)
class SubscriptionSnapshot:
    """What a billing system says that a subscription is at one moment.

    `kind` is None where it has not begun.
    """

    kind: FactKind | None
    customer: str
    plan: str | None = None
    trial_ends_at: datetime | None = None
    store: StoreOrder | None = None
    remark: str = ""  # what of it cannot be used, for people


class SubscriptionSource(Protocol):
    """A billing system that can be asked."""

    def snapshot(self, subscription_id: str) -> SubscriptionSnapshot | None:
        """What a subscription is now; None where there is no such one. Raises TemporaryError."""


class Notices(Protocol):
    """A billing system that calls us."""

    def read(self, body: bytes, signature: str) -> Fact | UnknownEvent:
        """What a call says.

        Raises NotSignedError, RequestError for what cannot be read, TemporaryError where the billing system
        was asked and did not answer.
        """
