"""Messages that nobody can act on: kept with their reason until an operator answers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import cast
from uuid import UUID

from control_plane.domain.store import StoreState

BODY_LIMIT = 64 * 1024  # bytes; an intent has about 100
_BIGGEST = 2**63 - 1  # what the database's column holds
_PREFIX_SHORTEST = 4


class Kind(StrEnum):
    """Why nobody can act on it."""

    MALFORMED = "malformed"  # it cannot be read
    UNKNOWN_STORE = "unknown-store"  # it names a store that has no row
    REFUSED = "refused"  # its store was given up
    UNDELIVERABLE = "undeliverable"  # it was delivered again and again, and never acknowledged


class Answer(StrEnum):
    """What an operator did about it."""

    REQUEUED = "requeued"
    DISCARDED = "discarded"


@dataclass(frozen=True)
class Message:
    """A message as the broker handed it out, whatever its body is."""

    number: str  # the broker's id
    body: bytes

    @property
    def id(self) -> str:
        """The same for each delivery, and for no other message.

        A broker's id alone does not do: the emulator counts from 1 again after every start.
        """
        return f"{self.number}-{hashlib.sha256(self.body).hexdigest()[:8]}"


@dataclass(frozen=True)
class Poison:
    """A message that is to be parked. `source` is the topic that it was for."""

    source: str
    message: Message
    kind: Kind
    reason: str

    @property
    def kept(self) -> bytes:
        """The body, or as much of it as is kept."""
        return self.message.body[:BODY_LIMIT]

    @property
    def names(self) -> tuple[UUID | None, int | None]:
        """The store and the generation that the body names, as far as they can be read."""
        try:
            fields = json.loads(self.message.body)
        except (ValueError, RecursionError):
            return None, None
        if not isinstance(fields, dict):
            return None, None
        return _uuid(fields.get("store_id")), _generation(fields.get("generation"))


@dataclass(frozen=True)
class DeadLetter:
    """One row of `dead_letters`, with what the row of its store says now. Times are UTC."""

    id: UUID
    source: str
    message_id: str
    body: bytes
    store_id: UUID | None
    generation: int | None
    kind: Kind
    reason: str
    deliveries: int
    parked_at: datetime
    answer: Answer | None
    answered_at: datetime | None
    age: float  # seconds since it was parked
    store_name: str | None  # None: the database knows no such store
    store_state: StoreState | None

    @property
    def cut(self) -> bool:
        """Whether the body is probably not whole."""
        return len(self.body) >= BODY_LIMIT


@dataclass(frozen=True)
class Operator:
    """Who answers, and why where they said it."""

    name: str
    reason: str | None = None


class NotParkedError(Exception):
    """A message that nobody can act on could not be kept: it must come again, or it would be lost."""


class LetterError(Exception):
    """A dead letter cannot be answered like this; the text says what to do."""


class AlreadyAnsweredError(LetterError):
    """Somebody has answered it."""


def id_range(prefix: str) -> tuple[UUID, UUID]:
    """The first and the last id that begin with these hexadecimal digits, with or without dashes.

    Raises LetterError for what begins no id, or too many.
    """
    digits = prefix.replace("-", "").lower()
    if not _PREFIX_SHORTEST <= len(digits) <= 32 or set(digits) - set("0123456789abcdef"):
        raise LetterError(
            f"{prefix!r} is no id of a dead letter: give it, or at least its first {_PREFIX_SHORTEST} digits"
        )
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


def _generation(value: object) -> int | None:
    # What the database's column cannot hold is no generation, and must not keep the letter out.
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _BIGGEST
    return cast(int, value) if whole else None


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
