"""What the API needs: who is asking, and what is theirs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from control_plane.domain.accounts import ApiToken, Caller, NewToken, Scope, TokenShown
from control_plane.domain.billing import Subscription
from control_plane.domain.identity import Identity
from control_plane.domain.life import Asked
from control_plane.domain.people import OnceShown, SessionShown
from control_plane.domain.store import Actor, AuditEntry, NewStore, Store, StoreState
from control_plane.ports.messages import Announcement
from control_plane.ports.people import People

Shown = TokenShown | SessionShown | OnceShown | Identity  # what a caller came with


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
class Paying:
    """The subscription that a store belongs to. `note` says what of it could not be done."""

    id: str
    state: Subscription
    note: str


@dataclass(frozen=True)
class Looked:
    """A store with its subscription, where it has one, and the platform's time when it was looked at."""

    store: Store
    paying: Paying | None
    now: datetime


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


class Identities(Protocol):
    """Those for whom an issuer vouches."""

    def verify(self, token: str) -> Identity:
        """Whom an ID token names. Raises NotAnIdentityError with the reason, which is for the log."""


class Stores(Protocol):
    """Stores within the caller's reach: intent in, rows out. No other row is seen or changed."""

    def add(self, order: NewStore, key: IdempotencyKey | None, actor: Actor, *, most: int) -> Accepted:
        """Record a new store, QUEUED. The same key and body within 24 hours give the same store.

        `most` is how many stores that are not DELETED the account may have, with the new one.
        Raises NameTakenError, HostnameTakenError, IdempotencyMismatchError, StoreLimitError.
        """

    def get(self, store_id: UUID) -> Store:
        """Raises StoreNotFoundError."""

    def look(self, store_id: UUID) -> Looked:
        """With its subscription. Raises StoreNotFoundError."""

    def page(self, page: Page) -> Sequence[Store]:
        """The stores of one page."""

    def history(self, store_id: UUID) -> Sequence[AuditEntry]:
        """The store's audit, newest last. Raises StoreNotFoundError."""

    def change(self, store_id: UUID, asked: Asked, *, generation: int | None, actor: Actor) -> Accepted:
        """Write down what is asked as the next generation; nothing where it changes nothing.

        Raises StoreNotFoundError, StaleError unless the store is at `generation` (None: at any),
        NameTakenError, HostnameTakenError, and what `asked` raises.
        """


class StoreCredentials(Protocol):
    """How an owner gets into a store within the caller's reach."""

    def claim(self, store_id: UUID, actor: Actor) -> str:
        """The administrator's password, once: it is kept nowhere but in the store from then on.

        Raises StoreNotFoundError, NotNowError while the store does not run with it yet, ClaimedError.
        """

    def note_login(self, store_id: UUID, actor: Actor) -> Store:
        """Tell the audit that somebody is let into the store. Raises StoreNotFoundError."""


class LoginLinks(Protocol):
    """Lets an administrator in without a password."""

    def token(self, store_id: UUID) -> str:
        """What the store takes for a minute, and once."""


class Tokens(Protocol):
    """The API tokens of the caller's account."""

    def add(self, token: NewToken, actor: Actor) -> ApiToken:
        """Keep the digest of a new token. Raises TokenLimitError."""

    def all(self) -> Sequence[ApiToken]:
        """Those that are neither revoked nor expired, newest first."""

    def revoke(self, token_id: UUID, actor: Actor) -> None:
        """End a token at once; one that has ended stays so. Raises TokenNotFoundError."""


class Transaction(Protocol):
    """What a caller asks of the database: all of it happens, or, when an error leaves it, none."""

    @property
    def caller(self) -> Caller:
        """Who is asking."""

    @property
    def plan(self) -> str:
        """The name of the account's plan."""

    @property
    def stores(self) -> Stores:
        """The stores within the caller's reach."""

    @property
    def credentials(self) -> StoreCredentials:
        """Into the stores within the caller's reach."""

    @property
    def tokens(self) -> Tokens:
        """The API tokens of the caller's account."""

    @property
    def people(self) -> People:
        """The people of the caller's account."""


class Accounts(Protocol):
    """The one way in: nobody sees a row before it is known who they are."""

    def enter(self, shown: Shown, needs: Scope) -> AbstractContextManager[Transaction]:
        """A transaction of whoever showed this. Each counts towards the request rate, also one that fails.

        Raises UnauthenticatedError for what nobody was given, ForbiddenError without the scope `needs`,
        RateLimitedError.
        """
