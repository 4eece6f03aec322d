"""What an operator sees and decides of accounts and people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

# What stands where the address of somebody was whom we may not remember; no mail ever arrives there.
ERASED_ADDRESS = "erased@invalid.example"


class RegistryError(Exception):
    """It cannot be done like this; the text says what to do."""


@dataclass(frozen=True)
class Erased:
    """Who was forgotten, and what had their address."""

    person_id: UUID
    accounts: int
    stores: int


@dataclass(frozen=True)
class Link:
    """What an account is called elsewhere: `kind` is identity or billing."""

    kind: str
    issuer: str
    customer: str


@dataclass(frozen=True)
class AccountSummary:
    """An account as an operator sees it: ids and counts."""

    id: UUID
    plan: str
    created_at: datetime
    live_stores: int
    tokens: int
    links: tuple[Link, ...]
    members: tuple[tuple[UUID, str], ...]  # person, role
