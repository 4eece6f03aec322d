"""Where messages are parked that nobody can act on, and what an operator does about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from control_plane.domain.dead_letters import Answer, DeadLetter, Message, Operator, Poison


class Parking(Protocol):
    """What provision and reconcile may do: put letters in."""

    def park(self, poison: Iterable[Poison]) -> None:
        """Keep each with its reason. One that is known counts one delivery more, and waits again."""


class DeadLetters(Protocol):
    """What an operator may do. Every answer is told to `operations` in the same transaction."""

    def letters(self, *, answered: bool, limit: int) -> Sequence[DeadLetter]:
        """The newest `limit` that wait, and the answered ones too if wanted; newest last."""

    def find(self, prefix: str) -> DeadLetter:
        """The one whose id begins like this. Raises LetterError for none and for several."""

    def answer(self, letter_id: UUID, answer: Answer, operator: Operator) -> None:
        """Answer it. Raises AlreadyAnsweredError."""

    def retry(self, letter_id: UUID, operator: Operator) -> bool:
        """Have its FAILED store tried again, as a new generation, and answer it.

        False, and nothing is changed, when its store is not FAILED. Raises AlreadyAnsweredError.
        """


class Republisher(Protocol):
    """Pub/Sub, for what was on a topic before."""

    def publish_again(self, topic: str, body: bytes, *, timeout: float) -> bool:
        """Publish it; whether the broker took it within `timeout` seconds. Never raises."""


@dataclass(frozen=True)
class Undelivered:
    """A message on the dead-letter topic. `deliveries` is None where the broker does not say."""

    message: Message
    deliveries: int | None
    receipt: str  # by which it is acknowledged


class DeadTopic(Protocol):
    """The topic to which the broker moves what was delivered in vain again and again."""

    @property
    def source(self) -> str:
        """The topic for which its messages were."""

    def pull(self, *, limit: int, timeout: float) -> Sequence[Undelivered]:
        """What is there now, without waiting for more. Empty when the broker does not answer in time."""

    def acknowledge(self, receipts: Sequence[str], *, timeout: float) -> None:
        """Take them off. Errors are logged, never raised: what stays there comes again."""
