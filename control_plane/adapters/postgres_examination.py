"""What an examination reads in Postgres: bounded pages, and long histories as a few kinds of steps.

Each statement is a read-only transaction with a time limit: a database that is busy with customers is
left alone rather than held up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import DBAPIError

from control_plane.adapters.postgres_database import Database, sqlstate
from control_plane.adapters.postgres_rows import RUNS
from control_plane.domain.errors import MisconfiguredError
from control_plane.domain.events import OF_AN_ORPHAN
from control_plane.domain.invariants.evidence import Announcement, Attempt, Entry, Ledger, Letter, Row, Step
from control_plane.domain.retention import ATTEMPTS, PUBLISHED
from control_plane.domain.store import StoreState
from control_plane.ports.examination import Passes

PAGE = 500  # stores
SOME = 20  # stores of each kind of step
_MOST = 100  # rows of anything else that is wrong
# What a connection of an examination is opened with.
READ_ONLY = {"default_transaction_read_only": "on", "statement_timeout": "20000"}

_IDS = "CAST(:ids AS uuid[])"
_NOW = "clock_timestamp()"
_WANTED = f"({_IDS} IS NULL OR {{}} = ANY({_IDS}))"


def _ago(moment: str) -> str:
    return f"CAST(extract(epoch FROM {_NOW} - {moment}) AS float)"


_HERE = "cell = (SELECT id FROM cells WHERE name = :cell)"
# A store of another cell is for the doctor of that one to tell of.
_NOT_ELSEWHERE = f"NOT EXISTS (SELECT FROM stores e WHERE e.id = store_id AND NOT e.{_HERE})"


def _rows(which: str) -> TextClause:
    return text(f"""
SELECT s.id, s.{_HERE} AS here, s.state, s.reason, s.generation, s.applied_generation,
    s.observed_generation, s.plan, s.made_with, {RUNS} AS runs,
    s.release_revision, s.release_digest, s.credentials_uid, s.failures, s.lease_token,
    {_ago("greatest(s.next_attempt_at, s.quiet_until, s.lease_until)")} AS idle,
    {_ago("s.deadline_at")} AS overdue, {_ago("s.updated_at")} AS settled,
    (SELECT max(a.lease_token) FROM attempts a WHERE a.store_id = s.id) AS newest_attempt,
    (SELECT count(*) FROM dead_letters d WHERE d.store_id = s.id AND d.kind = 'refused') AS letters,
    COALESCE(told.handed_over, 0) AS handed_over, told.freed,
    entry.action, entry.to_state, entry.generation AS entry_generation, entry.leased,
    {_ago("entry.at")} AS entry_seconds
FROM (SELECT * FROM stores WHERE {which}) AS s
LEFT JOIN LATERAL (
    SELECT action, to_state, generation, at, lease_token IS NOT NULL AS leased FROM audit
    WHERE store_id = s.id ORDER BY position DESC LIMIT 1
) AS entry ON TRUE
CROSS JOIN LATERAL (
    SELECT max(generation) FILTER (WHERE action IN ('release applied', 'removal begun')) AS handed_over,
        count(*) FILTER (WHERE action = 'release freed') AS freed
    FROM audit WHERE store_id = s.id
) AS told
ORDER BY s.id
""")


_PAGE = _rows(f"{_HERE} AND id > :after ORDER BY id LIMIT :limit")
_THESE = _rows(f"id = ANY({_IDS})")

# An entry's token must be that of the newest attempt that had begun by then.
_STEPS = text(f"""
WITH steps AS (
    SELECT a.store_id, a.position, a.from_state, a.to_state, lag(a.to_state) OVER w AS before,
        COALESCE(a.generation < lag(a.generation) OVER w, FALSE) AS generation_fell,
        a.generation > COALESCE(lag(a.generation) OVER w, 0)
            AND a.at > {_NOW} - CAST(:announcements_kept AS interval) AND o.transaction IS NULL
            AS unannounced,
        COALESCE(a.lease_token < max(a.lease_token) OVER earlier, FALSE)
            OR COALESCE(a.actor = 'provision' AND a.at > {_NOW} - CAST(:attempts_kept AS interval)
                AND newest.token IS DISTINCT FROM a.lease_token AND newest.token IS NOT NULL, FALSE)
            AS fenced_off,
        a.to_state = 'FAILED' AND a.reason IS NULL AS unexplained
    FROM audit a
    LEFT JOIN (SELECT DISTINCT store_id, transaction FROM outbox WHERE store_id = ANY({_IDS})) AS o
        ON o.store_id = a.store_id AND o.transaction = a.transaction
    LEFT JOIN LATERAL (
        SELECT max(t.lease_token) AS token FROM attempts t
        WHERE t.store_id = a.store_id AND t.began_at <= a.at
    ) AS newest ON a.actor = 'provision'
    WHERE a.store_id = ANY({_IDS})
    WINDOW w AS (PARTITION BY a.store_id ORDER BY a.position),
        earlier AS (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
)
SELECT before, from_state, to_state, generation_fell, unannounced, fenced_off, unexplained,
    count(*) AS count, (array_agg(DISTINCT store_id))[1:{SOME}] AS stores
FROM steps GROUP BY 1, 2, 3, 4, 5, 6, 7
""")

_ATTEMPTS = text(f"""
WITH steps AS (
    SELECT store_id, COALESCE(free_since > began_at, FALSE) AS overlapping,
        COALESCE(lease_token - lag(lease_token) OVER (PARTITION BY store_id ORDER BY lease_token) > 1, FALSE)
            AS skips
    FROM attempts WHERE store_id = ANY({_IDS})
)
SELECT overlapping, skips, count(*) AS count, (array_agg(DISTINCT store_id))[1:{SOME}] AS stores
FROM steps GROUP BY 1, 2
""")

_PASSES = text("""
SELECT pass_token AS token, COALESCE(pass_until > clock_timestamp(), FALSE) AS running, seen_at
FROM cells WHERE name = :cell
""")
_CELL = text(f"""
SELECT {_ago("c.seen_at")} AS unseen, (SELECT count(*) FROM stores s WHERE s.cell = c.id) AS stores
FROM cells c WHERE c.name = :cell
""")
_ANNOUNCEMENTS = text(f"""
WITH said AS (
    SELECT store_id, max({_ago("created_at")}) FILTER (WHERE published_at IS NULL) AS waiting,
        count(*) FILTER (WHERE created_at > {_NOW} - interval '1 hour') AS lately,
        bool_or(generation <> {OF_AN_ORPHAN}) AS meant
    FROM outbox WHERE {_WANTED.format("store_id")} AND {_NOT_ELSEWHERE} GROUP BY store_id
), told AS (
    SELECT store_id, COALESCE(waiting, 0) AS waiting, lately,
        meant AND NOT EXISTS (SELECT FROM stores WHERE id = store_id) AS unknown
    FROM said
)
SELECT * FROM told WHERE unknown OR waiting > :waiting OR lately > :lately ORDER BY store_id LIMIT :most
""")
_LETTERS = text(f"""
SELECT source || ' ' || message_id AS subject, store_id, kind = 'unknown-store' AS unknown_store, deliveries,
    EXISTS (SELECT FROM stores WHERE id = store_id) AS recorded
FROM dead_letters
WHERE answer IS NULL AND (store_id IS NULL OR {_WANTED.format("store_id")}) AND {_NOT_ELSEWHERE}
    AND (kind = 'unknown-store' OR deliveries > :deliveries)
ORDER BY parked_at LIMIT :most
""")
_WAITING_LETTERS = text("SELECT kind, count(*) AS n FROM dead_letters WHERE answer IS NULL GROUP BY kind")
_UNRECORDED = text(f"""
SELECT told.store_id FROM (
    SELECT store_id FROM idempotency_keys UNION SELECT store_id FROM audit
    UNION SELECT store_id FROM unnest(CAST(:accepted AS uuid[])) AS accepted (store_id)
) AS told
WHERE {_WANTED.format("told.store_id")} AND NOT EXISTS (SELECT FROM stores WHERE id = told.store_id)
ORDER BY 1 LIMIT :most
""")


class PostgresExamination:
    """The `DatabaseExamination` port."""

    def __init__(
        self, database: Database, cell: str, *, waiting: float, deliveries: int, announcements: int
    ) -> None:
        """What is within these limits is not fetched: an announcement may be unpublished for `waiting`
        seconds, a letter come `deliveries` times, a store be announced `announcements` times an hour."""
        self._database = database
        self._cell = cell
        self._limits = {"waiting": waiting, "deliveries": deliveries, "lately": announcements}

    def ledger(self, store_ids: Sequence[UUID] | None, accepted: Sequence[UUID]) -> Ledger:
        """See the port. Raises LookupError for a cell that is not registered."""
        cell = self._one(_CELL, {"cell": self._cell})
        if cell is None:
            raise LookupError(f"the cell {self._cell!r} is not registered")
        told: dict[str, Any] = {"ids": _array(store_ids), "most": _MOST, "accepted": _array(accepted)}
        asked: dict[str, Any] = {"ids": _array(store_ids), "most": _MOST, "cell": self._cell}
        said = {**asked, "waiting": self._limits["waiting"], "lately": self._limits["lately"]}
        parked = {**asked, "deliveries": self._limits["deliveries"]}
        return Ledger(
            stores=cell["stores"],
            unseen=cell["unseen"],
            announcements=[Announcement(**row) for row in self._rows(_ANNOUNCEMENTS, said)],
            letters=[Letter(**row) for row in self._rows(_LETTERS, parked)],
            unrecorded=[row["store_id"] for row in self._rows(_UNRECORDED, told)],
            waiting_letters={row["kind"]: row["n"] for row in self._rows(_WAITING_LETTERS, {})},
        )

    def passes(self) -> Passes:
        """See the port. Raises LookupError for a cell that is not registered."""
        row = self._one(_PASSES, {"cell": self._cell})
        if row is None:
            raise LookupError(f"the cell {self._cell!r} is not registered")
        return Passes(**row)

    def rows(self, store_ids: Sequence[UUID] | None) -> Iterator[Sequence[Row]]:
        """See the port."""
        if store_ids is not None:
            for start in range(0, len(store_ids), PAGE):
                asked = {"ids": _array(store_ids[start : start + PAGE]), "cell": self._cell}
                yield [_row_of(row) for row in self._rows(_THESE, asked)]
            return
        after = UUID(int=0)
        while True:
            page = self._rows(_PAGE, {"cell": self._cell, "after": after, "limit": PAGE})
            if page:
                yield [_row_of(row) for row in page]
            if len(page) < PAGE:
                return
            after = page[-1]["id"]

    def steps(self, store_ids: Sequence[UUID]) -> Sequence[Step]:
        """See the port."""
        asked = {"ids": _array(store_ids), "announcements_kept": PUBLISHED, "attempts_kept": ATTEMPTS}
        return [_step_of(row) for row in self._rows(_STEPS, asked)]

    def attempts(self, store_ids: Sequence[UUID]) -> Sequence[Attempt]:
        """See the port."""
        return [Attempt(**row) for row in self._rows(_ATTEMPTS, {"ids": _array(store_ids)})]

    def _one(self, statement: TextClause, parameters: Mapping[str, Any]) -> RowMapping | None:
        rows = self._rows(statement, parameters)
        return rows[0] if rows else None

    def _rows(self, statement: TextClause, parameters: Mapping[str, Any]) -> Sequence[RowMapping]:
        try:
            return self._database.rows(statement, parameters)
        except DBAPIError as error:
            # No such role, no right to read, no such table: nothing that passes by itself.
            raise MisconfiguredError(f"the database refuses to be read ({sqlstate(error)})") from error


def _array(ids: Sequence[UUID] | None) -> list[str] | None:
    return None if ids is None else [str(each) for each in ids]


def _row_of(row: RowMapping) -> Row:
    entry = None
    if row["action"] is not None:
        generation, seconds = row["entry_generation"], row["entry_seconds"]
        entry = Entry(row["action"], StoreState(row["to_state"]), generation, seconds, row["leased"])
    plain = {each.name: row[each.name] for each in fields(Row) if each.name not in ("state", "entry")}
    return Row(state=StoreState(row["state"]), entry=entry, **plain)


def _step_of(row: RowMapping) -> Step:
    states: Mapping[str, StoreState | None] = {
        name: StoreState(row[name]) if row[name] else None for name in ("before", "from_state")
    }
    return Step(**{**row, **states, "to_state": StoreState(row["to_state"])})
