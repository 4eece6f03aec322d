"""Who may ask for what: accounts, their callers, and the scopes that a caller was given."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from control_plane.domain.store import Actor


class Role(StrEnum):
    """What a caller is to the platform."""

    CUSTOMER = "customer"  # their own account's stores
    SUPPORT = "support"  # reads and retries every account's stores
    OPERATOR = "operator"  # may do with every account's stores what its owner may


class Scope(StrEnum):
    """What a caller may do. Every verb of the API names the one that it needs."""

    READ = "stores:read"
    WRITE = "stores:write"
    RETRY = "stores:retry"
    CREDENTIALS = "stores:credentials"  # passwords and log-ins into stores
    TOKENS = "tokens"  # make and revoke the account's API tokens


ALL_SCOPES = frozenset(Scope)

# What each role may at most. A token's own scopes only take away from it.
SCOPES_OF = {
    Role.CUSTOMER: ALL_SCOPES,
    Role.SUPPORT: frozenset({Scope.READ, Scope.RETRY}),
    Role.OPERATOR: ALL_SCOPES,
}


@dataclass(frozen=True)
class Caller:
    """Who is asking, as the database knows them.

    `account` is theirs; support and operators reach the stores of every account, and make stores in
    their own only. `name` is for the audit: ids, never an e-mail address.
    """

    account: UUID
    name: str
    role: Role = Role.CUSTOMER
    scopes: frozenset[Scope] = field(default=ALL_SCOPES)

    def acting(self, cause: str) -> Actor:
        """This caller in the audit, with the request that they made."""
        return Actor(f"{self.role} {self.name}", cause)

    @property
    def person(self) -> UUID | None:
        """Who is asking, where it is a person and no token."""
        kind, _, name = self.name.partition(" ")
        return UUID(name) if kind == "person" else None

    @property
    def reach(self) -> UUID | None:
        """The account whose rows are meant; None for all."""
        return self.account if self.role is Role.CUSTOMER else None

    def may(self, scope: Scope) -> bool:
        """Whether the caller's role and what they showed both allow it."""
        return scope in self.scopes & SCOPES_OF[self.role]


@dataclass(frozen=True)
class TokenShown:
    """A bearer token of ours, by its SHA-256 in hexadecimal."""

    digest: str


@dataclass(frozen=True)
class NewToken:
    """A token to keep: its digest, SHA-256 in hexadecimal, and never the token."""

    id: UUID
    name: str
    prefix: str
    digest: str
    scopes: frozenset[Scope]
    expires_at: datetime | None


@dataclass(frozen=True)
class ApiToken:
    """What is known of a token after it was shown once. `prefix` is its beginning, for recognising it."""

    id: UUID
    name: str
    prefix: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
