"""One look at the platform: rows and cell side by side, in order of id, a page at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from control_plane.domain.errors import MisconfiguredError, PermanentError, TemporaryError
from control_plane.domain.invariants import platforms
from control_plane.domain.invariants.catalogue import Part
from control_plane.domain.invariants.evidence import InCell, Row, Stray
from control_plane.domain.invariants.findings import Finding, Problem
from control_plane.domain.invariants.histories import judge_attempts, judge_steps
from control_plane.domain.invariants.isolation import judge_rights
from control_plane.domain.invariants.limits import Limits
from control_plane.domain.invariants.rows import judge_row
from control_plane.domain.invariants.stores import judge_store, judge_stray, judge_unknown
from control_plane.domain.plans import Plan
from control_plane.ports.examination import CellExamination, DatabaseExamination, Passes

KEPT = 50  # findings of one invariant that are kept; the rest is counted
_BATCH = 200  # namespaces without a row of this cell, looked up at once
_UNSEEN = (TemporaryError, PermanentError, MisconfiguredError, LookupError)
_SEE_CELL = "see that the API server answers, and that URUMI_OPERATOR_KUBECONFIG leads to it with its rights"
_ADVICE = {
    Part.DATABASE: "see that Postgres runs, and that URUMI_OPERATOR_DATABASE_URL leads to it with its rights",
    Part.STORES_IN_CELL: _SEE_CELL,
    Part.RIGHTS_IN_CELL: _SEE_CELL,
}

Key = tuple[str, str]


@dataclass
class Seen:
    """What one look came to."""

    passes: Passes | None = None
    stores: int = 0
    found: dict[Key, Finding] = field(default_factory=dict)
    versions: dict[UUID, tuple[object, ...]] = field(default_factory=dict)  # of rows with a finding
    kept: Counter[str] = field(default_factory=Counter)
    more: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    attention: tuple[str, ...] = ()

    def note(self, findings: Iterable[Finding], row: Row | None = None) -> None:
        """Keep findings about this row, or about anything else."""
        for each in findings:
            if each.key in self.found:
                continue
            if self.kept[each.invariant] >= KEPT:
                self.more[each.invariant] += 1
                continue
            self.kept[each.invariant] += 1
            self.found[each.key] = each
            if row:
                self.versions[row.id] = row.version

    def miss(self, part: Part, error: Exception) -> None:
        """A part could not be looked at."""
        self.problems.append(Problem(part, str(error) or type(error).__name__, _ADVICE[part]))


@dataclass(frozen=True)
class Look:
    """The verb, with what it needs."""

    database: DatabaseExamination
    cell: CellExamination
    limits: Limits
    plans: Mapping[str, Plan]

    def __call__(self, store_ids: Iterable[UUID] | None, accepted: Sequence[UUID]) -> Seen:
        """Judge these stores, or all, and what is around them. What cannot be looked at is a problem."""
        ids = None if store_ids is None else sorted(set(store_ids))
        seen = Seen()
        try:
            seen.passes = self.database.passes()
            ledger = self.database.ledger(ids, accepted)
            seen.stores, seen.attention = ledger.stores, platforms.attention(ledger)
            seen.note(platforms.judge_ledger(ledger, self.limits))
            self._stores(ids, seen)
        except _UNSEEN as error:
            seen.miss(Part.DATABASE, error)
        try:
            seen.note(judge_rights({each.name: each for each in self.cell.policies()}))
        except _UNSEEN as error:
            seen.miss(Part.RIGHTS_IN_CELL, error)
        return seen

    def _stores(self, ids: Sequence[UUID] | None, seen: Seen) -> None:
        cell = _Cell(self.cell, ids, seen)
        strangers = _Strangers(self.database, self.plans, seen)
        for page in self.database.rows(ids):
            rows = {row.id: row for row in page}
            ours = [row.id for row in page if row.here]  # of the others, their own cell's doctor tells
            histories = [*judge_steps(self.database.steps(ours))]
            histories += judge_attempts(self.database.attempts(ours))
            for each in histories:
                seen.note([each], rows[each.store_id] if each.store_id else None)
            for row in page:
                if row.here:
                    seen.note(judge_row(row, self.limits), row)
                for stranger in cell.before(row.id):
                    strangers.add(stranger)
                if there := cell.of(row.id):
                    seen.note(judge_store(row, there, self.plans), row)
        for stranger in cell.before(None):
            strangers.add(stranger)
        strangers.judge()
        seen.note(judge_stray(each) for each in cell.strays)


class _Strangers:
    """Namespaces that no row was read for: made since, another cell's, or nobody's."""

    def __init__(self, database: DatabaseExamination, plans: Mapping[str, Plan], seen: Seen) -> None:
        self._database = database
        self._plans = plans
        self._seen = seen
        self._waiting: list[InCell] = []

    def add(self, stranger: InCell) -> None:
        """One more."""
        self._waiting.append(stranger)
        if len(self._waiting) >= _BATCH:
            self.judge()

    def judge(self) -> None:
        """Ask the database about those that wait."""
        if not self._waiting:
            return
        pages = self._database.rows([each.store_id for each in self._waiting])
        rows = {row.id: row for page in pages for row in page}
        for each in self._waiting:
            row = rows.get(each.store_id)
            self._seen.note(judge_store(row, each, self._plans) if row else judge_unknown(each), row)
        self._waiting.clear()


class _Cell:
    """What is in the cell, in order of id; nothing any more once it does not answer."""

    def __init__(self, cell: CellExamination, store_ids: Sequence[UUID] | None, seen: Seen) -> None:
        self.strays: list[Stray] = []
        self._seen = seen
        self._answers = True
        self._stream = self._read(cell, store_ids)
        self._next = next(self._stream, None)

    def before(self, store_id: UUID | None) -> Iterator[InCell]:
        """All that comes before this store; with None, all that is left."""
        while self._next and (store_id is None or self._next.store_id < store_id):
            yield self._next
            self._next = next(self._stream, None)

    def of(self, store_id: UUID) -> InCell | None:
        """What there is of this store, maybe nothing; None if that cannot be known."""
        if self._next and self._next.store_id == store_id:
            found, self._next = self._next, next(self._stream, None)
            return found
        return InCell(store_id) if self._answers else None

    def _read(self, cell: CellExamination, store_ids: Sequence[UUID] | None) -> Iterator[InCell]:
        try:
            for each in cell.stores(store_ids):
                if isinstance(each, Stray):
                    self.strays.append(each)
                else:
                    yield each
        except _UNSEEN as error:
            self._answers = False
            self._seen.miss(Part.STORES_IN_CELL, error)
