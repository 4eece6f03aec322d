"""People: whose members they are, and the sessions of their browsers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from control_plane.domain.accounts import Role

SESSION_LIFE = timedelta(hours=12)  # from signing in
SESSION_IDLE = timedelta(hours=2)  # from the last request; noted to the minute
ONE_TIME_LIFE = timedelta(minutes=5)
LONGEST_BROWSER = 200  # characters


class Membership(StrEnum):
    """What a person is to an account."""

    OWNER = "owner"  # decides who its members are
    MEMBER = "member"


@dataclass(frozen=True)
class SessionShown:
    """A browser's session, by the SHA-256 of its secret in hexadecimal."""

    digest: str


@dataclass(frozen=True)
class OnceShown:
    """A one-time address, by the SHA-256 of its secret in hexadecimal. To enter with it uses it up."""

    digest: str


@dataclass(frozen=True)
class BrowserSession:
    """What is known of a session. `browser` is what the browser called itself."""

    id: UUID
    person_id: UUID
    role: Role
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    browser: str
    current: bool


@dataclass(frozen=True)
class Member:
    """A person in an account. `email` and `name` are as their issuer last told them; nobody verified them."""

    person_id: UUID
    role: Membership
    joined_at: datetime
    email: str | None
    name: str | None
