"""Dead letters in Postgres: parked by the functions, answered by an operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.engine import RowMapping

from control_plane.adapters.postgres_database import Database
from control_plane.adapters.postgres_rows import AUDIT_CHANGED
from control_plane.domain.dead_letters import (
    AlreadyAnsweredError,
    Answer,
    DeadLetter,
    Kind,
    LetterError,
    Operator,
    Poison,
    id_range,
)
from control_plane.domain.store import StoreState

_PARK = text("""
INSERT INTO dead_letters AS known
    (source, message_id, body, store_id, generation, kind, reason, deliveries)
VALUES (:source, :message_id, :body, :store_id, :generation, :kind, :reason, :deliveries)
ON CONFLICT (source, message_id) DO UPDATE
    SET deliveries = known.deliveries + EXCLUDED.deliveries, answer = NULL, answered_at = NULL
""")

_LETTER = """
SELECT l.id, l.source, l.message_id, l.body, l.store_id, l.generation, l.kind, l.reason, l.deliveries,
    l.parked_at, l.answer, l.answered_at, extract(epoch FROM clock_timestamp() - l.parked_at) AS age,
    s.name AS store_name, s.state AS store_state
FROM dead_letters l LEFT JOIN stores s ON s.id = l.store_id
"""
_NEWEST = "ORDER BY l.parked_at DESC, l.id DESC LIMIT :limit"
_WAITING = text(f"{_LETTER} WHERE l.answer IS NULL {_NEWEST}")
_ALL = text(f"{_LETTER} {_NEWEST}")
_FIND = text(f"{_LETTER} WHERE l.id BETWEEN :first AND :last LIMIT 2")

_ANSWER = text("""
WITH answered AS (
    UPDATE dead_letters SET answer = :answer, answered_at = clock_timestamp()
    WHERE id = :letter AND answer IS NULL RETURNING id
), told AS (
    INSERT INTO operations (operator, action, subject, reason)
    SELECT :operator, :action, CAST(id AS text), :operator_reason FROM answered
)
SELECT 1 FROM answered
""")
# Row, outbox, audit, answer and operation: all of it is there, or none. Reconcile's relay says it.
_RETRY = text(f"""
WITH letter AS (
    SELECT id AS letter_id, store_id FROM dead_letters WHERE id = :letter AND answer IS NULL FOR UPDATE
), target AS (
    SELECT stores.id AS target_id, stores.state AS from_state FROM stores JOIN letter ON id = letter.store_id
    WHERE stores.state = 'FAILED' FOR UPDATE OF stores
), changed AS (
    UPDATE stores SET state = 'QUEUED', reason = NULL, generation = generation + 1, failures = 0,
        next_attempt_at = clock_timestamp(), quiet_until = clock_timestamp() + interval '30 seconds',
        deadline_at = NULL, updated_at = clock_timestamp()
    FROM target WHERE id = target_id
    RETURNING id, state, generation, reason, from_state
), announced AS (
    INSERT INTO outbox (id, store_id, generation) SELECT :announcement, id, generation FROM changed
), audited AS ({AUDIT_CHANGED}
), answered AS (
    UPDATE dead_letters SET answer = 'requeued', answered_at = clock_timestamp()
    FROM letter WHERE id = letter_id AND EXISTS (SELECT FROM changed) RETURNING id
), told AS (
    INSERT INTO operations (operator, action, subject, reason)
    SELECT :operator, :operation, CAST(id AS text), :operator_reason FROM answered
)
SELECT EXISTS (SELECT FROM changed) AS retried FROM letter
""")


class PostgresParking:
    """The `Parking` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def park(self, poison: Iterable[Poison]) -> None:
        """See the port. A statement each: there is rarely more than one."""
        for each, deliveries in Counter(poison).items():
            store_id, generation = each.names
            self._database.rows(
                _PARK,
                {
                    "source": each.source,
                    "message_id": each.message.id,
                    "body": each.kept,
                    "store_id": store_id,
                    "generation": generation,
                    "kind": each.kind.value,
                    "reason": each.reason,
                    "deliveries": deliveries,
                },
            )


class PostgresDeadLetters:
    """The `DeadLetters` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def letters(self, *, answered: bool, limit: int) -> Sequence[DeadLetter]:
        """See the port."""
        rows = self._database.rows(_ALL if answered else _WAITING, {"limit": limit})
        return [_letter_of(row) for row in reversed(rows)]

    def find(self, prefix: str) -> DeadLetter:
        """See the port."""
        first, last = id_range(prefix)
        rows = self._database.rows(_FIND, {"first": first, "last": last})
        if not rows:
            raise LetterError(f"there is no dead letter {prefix}: `urumi queue list --all` shows all")
        if len(rows) > 1:
            raise LetterError(f"several dead letters begin with {prefix}: give more digits")
        return _letter_of(rows[0])

    def answer(self, letter_id: UUID, answer: Answer, operator: Operator) -> None:
        """See the port."""
        parameters = {"answer": answer.value, "action": f"dead letter {answer}", **_by(letter_id, operator)}
        if not self._database.rows(_ANSWER, parameters):
            raise _already_answered(letter_id)

    def retry(self, letter_id: UUID, operator: Operator) -> bool:
        """See the port."""
        row = self._database.one(
            _RETRY,
            {
                "announcement": uuid4(),
                "actor": "operator",  # customers read the audit: who it was stands in `operations`
                "cause": f"dead letter {letter_id}",
                "action": "retried",
                "operation": f"dead letter {Answer.REQUEUED}",
                **_by(letter_id, operator),
            },
        )
        if row is None:
            raise _already_answered(letter_id)
        return bool(row["retried"])


def _by(letter_id: UUID, operator: Operator) -> dict[str, Any]:
    return {"letter": letter_id, "operator": operator.name, "operator_reason": operator.reason}


def _already_answered(letter_id: UUID) -> AlreadyAnsweredError:
    return AlreadyAnsweredError(f"the dead letter {letter_id} has been answered already")


def _letter_of(row: RowMapping) -> DeadLetter:
    state = row["store_state"]
    return DeadLetter(
        **{
            **row,
            "body": bytes(row["body"]),
            "kind": Kind(row["kind"]),
            "answer": Answer(row["answer"]) if row["answer"] else None,
            "age": float(row["age"]),
            "store_state": StoreState(state) if state else None,
        }
    )
