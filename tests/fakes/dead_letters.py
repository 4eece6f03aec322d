"""Dead letters and cleaning on the fake database, and a dead-letter topic in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid4

from control_plane.domain import retention
from control_plane.domain.dead_letters import (
    AlreadyAnsweredError,
    Answer,
    DeadLetter,
    Kind,
    LetterError,
    Message,
    Operator,
    Poison,
    id_range,
)
from control_plane.domain.events import INTENTS
from control_plane.domain.store import Actor, StoreState
from control_plane.ports.dead_letters import Undelivered
from tests.fakes.clock import FakeClock
from tests.fakes.tables import DeadLetterRow, Tables, transaction

_S = StoreState
_WAKE = timedelta(seconds=30)
K = TypeVar("K")


@dataclass(frozen=True)
class FakeParking:
    """The `Parking` port."""

    tables: Tables

    @transaction
    def park(self, poison: Iterable[Poison]) -> None:
        """See the port."""
        for each in poison:
            known = self.tables.dead_letters.get((each.source, each.message.id))
            if known:
                known.deliveries += 1
                known.answer = known.answered_at = None
            else:
                self.tables.park(
                    DeadLetterRow(
                        each.source, each.message.id, each.kept, *each.names, each.kind.value, each.reason,
                        self.tables.now,
                    )
                )  # fmt: skip


@dataclass(frozen=True)
class FakeDeadLetters:
    """The `DeadLetters` port."""

    tables: Tables

    @transaction
    def letters(self, *, answered: bool, limit: int) -> Sequence[DeadLetter]:
        """See the port."""
        rows = sorted(self.tables.dead_letters.values(), key=lambda row: (row.parked_at, row.id))
        return [self._letter(row) for row in rows if answered or row.answer is None][-limit:]

    @transaction
    def find(self, prefix: str) -> DeadLetter:
        """See the port."""
        first, last = id_range(prefix)
        found = [row for row in self.tables.dead_letters.values() if first <= row.id <= last]
        if len(found) != 1:
            raise LetterError(f"{len(found)} letters begin with {prefix}")
        return self._letter(found[0])

    @transaction
    def answer(self, letter_id: UUID, answer: Answer, operator: Operator) -> None:
        """See the port."""
        row = self._waiting(letter_id)
        row.answer, row.answered_at = answer.value, self.tables.now
        self.tables.operations.append(
            (operator.name, f"dead letter {answer}", str(letter_id), operator.reason)
        )

    @transaction
    def retry(self, letter_id: UUID, operator: Operator) -> bool:
        """See the port."""
        letter = self._waiting(letter_id)
        row = self.tables.rows.get(letter.store_id) if letter.store_id else None
        if row is None or row.state is not _S.FAILED:
            return False
        after = self.tables.write(
            row, Actor("operator", f"dead letter {letter_id}"), "retried",
            state=_S.QUEUED, reason=None, generation=row.generation + 1, failures=0,
            next_attempt_at=self.tables.now, quiet_until=self.tables.now + _WAKE, deadline_at=None,
        )  # fmt: skip
        self.tables.announce(after)
        self.answer(letter_id, Answer.REQUEUED, operator)
        return True

    def _waiting(self, letter_id: UUID) -> DeadLetterRow:
        for row in self.tables.dead_letters.values():
            if row.id == letter_id and row.answer is None:
                return row
        raise AlreadyAnsweredError(str(letter_id))

    def _letter(self, row: DeadLetterRow) -> DeadLetter:
        store = self.tables.rows.get(row.store_id) if row.store_id else None
        return DeadLetter(
            id=row.id, source=row.source, message_id=row.message_id, body=row.body, store_id=row.store_id,
            generation=row.generation, kind=Kind(row.kind), reason=row.reason, deliveries=row.deliveries,
            parked_at=row.parked_at, answer=Answer(row.answer) if row.answer else None,
            answered_at=row.answered_at, age=(self.tables.now - row.parked_at).total_seconds(),
            store_name=store.name if store else None, store_state=store.state if store else None,
        )  # fmt: skip


@dataclass(frozen=True)
class FakeCleaning:
    """The `Cleaning` port."""

    tables: Tables

    @transaction
    def clean(self, *, limit: int) -> Mapping[str, int]:
        """See the port."""
        tables, now = self.tables, self.tables.now

        def over(since: Mapping[K, datetime | None], kept: timedelta) -> list[K]:
            aged = sorted((at, n, key) for n, (key, at) in enumerate(since.items()) if at and at < now - kept)
            return [key for *_, key in aged[:limit]]

        said = over({each.announcement.id: each.published_at for each in tables.outbox}, retention.PUBLISHED)
        tables.outbox[:] = [each for each in tables.outbox if each.announcement.id not in said]
        said_outside = {each.id: tables.told_outside.get(each.id) for each in tables.store_events}
        told = over(said_outside, retention.PUBLISHED)
        tables.store_events[:] = [each for each in tables.store_events if each.id not in told]
        keys = over({key: used for key, (_, _, used) in tables.keys.items()}, retention.IDEMPOTENCY_KEYS)
        attempts = over({key: began for key, (_, began) in tables.attempts.items()}, retention.ATTEMPTS)
        answered = {key: letter.answered_at for key, letter in tables.dead_letters.items()}
        letters = over(answered, retention.ANSWERED_LETTERS)
        unclaimed = over({key: made for key, (_, _, made) in tables.unclaimed.items()}, retention.UNCLAIMED)
        of = tables.of_people
        sessions = over({key: row.kept.expires_at for key, row in of.sessions.items()}, retention.SESSIONS)
        sign_ins = over({key: row.expires_at for key, row in of.sign_ins.items()}, retention.SIGN_INS)
        for table, gone in (
            (of.sessions, sessions),
            (of.sign_ins, sign_ins),
            (tables.keys, keys),
            (tables.attempts, attempts),
            (tables.unclaimed, unclaimed),
            (tables.dead_letters, letters),
        ):
            for key in gone:
                del table[key]  # type: ignore[arg-type]
        return {
            "outbox": len(said),
            "store_events": len(told),
            "idempotency_keys": len(keys),
            "attempts": len(attempts),
            "unclaimed": len(unclaimed),
            "dead_letters": len(letters),
            "sessions": len(sessions),
            "sign_ins": len(sign_ins),
        }


@dataclass
class FakeDeadTopic:
    """The `DeadTopic` port. A broker that is down costs the whole time limit, as the real one may."""

    clock: FakeClock
    messages: list[Undelivered] = field(default_factory=list)
    down: bool = False
    source: str = INTENTS

    def arrive(self, body: bytes, deliveries: int | None = None) -> None:
        """The broker gives a message up."""
        number = str(uuid4())
        self.messages.append(Undelivered(Message(number, body), deliveries, f"receipt-{number}"))

    def pull(self, *, limit: int, timeout: float) -> Sequence[Undelivered]:
        """See the port."""
        if self.down:
            self.clock.later(timeout)
            return []
        return self.messages[:limit]

    def acknowledge(self, receipts: Sequence[str], *, timeout: float) -> None:
        """See the port."""
        self.messages = [each for each in self.messages if each.receipt not in receipts]
