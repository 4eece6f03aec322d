"""What an examination reads, written down by a test: the ports of `control_plane/ports/examination.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from control_plane.domain.invariants.evidence import Attempt, InCell, Ledger, Policy, Row, Step, Stray
from control_plane.domain.invariants.isolation import POLICIES
from control_plane.ports.examination import Passes

_PAGE = 2  # small, so that tests have several


@dataclass
class FakeDatabaseExamination:
    """The `DatabaseExamination` port. `error` is what every question is answered with."""

    stores: dict[UUID, Row] = field(default_factory=dict)
    other_cells: dict[UUID, Row] = field(default_factory=dict)
    history: list[Step] = field(default_factory=list)
    tried: list[Attempt] = field(default_factory=list)
    told: Ledger = field(default_factory=lambda: Ledger(stores=0, unseen=1.0))
    passing: Passes = field(default_factory=lambda: Passes(1, False, None))
    error: Exception | None = None
    asked: list[Sequence[UUID] | None] = field(default_factory=list)  # for which rows

    def ledger(self, store_ids: Sequence[UUID] | None, accepted: Sequence[UUID]) -> Ledger:
        """See the port."""
        self._answer()
        unrecorded = [*self.told.unrecorded, *(each for each in accepted if each not in self.stores)]
        return replace(self.told, stores=len(self.stores), unrecorded=unrecorded)

    def passes(self) -> Passes:
        """See the port."""
        self._answer()
        return self.passing

    def rows(self, store_ids: Sequence[UUID] | None) -> Iterator[Sequence[Row]]:
        """See the port."""
        self._answer()
        self.asked.append(store_ids)
        elsewhere = {} if store_ids is None else self.other_cells
        known = self.stores | {each: replace(row, here=False) for each, row in elsewhere.items()}
        rows = [known[each] for each in sorted(known) if store_ids is None or each in store_ids]
        for start in range(0, len(rows), _PAGE):
            yield rows[start : start + _PAGE]

    def steps(self, store_ids: Sequence[UUID]) -> Sequence[Step]:
        """See the port."""
        return [each for each in self.history if set(each.stores) & set(store_ids)]

    def attempts(self, store_ids: Sequence[UUID]) -> Sequence[Attempt]:
        """See the port."""
        return [each for each in self.tried if set(each.stores) & set(store_ids)]

    def _answer(self) -> None:
        if self.error:
            raise self.error


@dataclass
class FakeCellExamination:
    """The `CellExamination` port."""

    there: dict[UUID, InCell] = field(default_factory=dict)
    strays: list[Stray] = field(default_factory=list)
    error: Exception | None = None
    error_after: int = 0  # stores that are told before
    rights: list[Policy] = field(
        default_factory=lambda: [
            Policy(name, fails_closed=True, denies=True, validations=1) for name in POLICIES
        ]
    )

    def stores(self, store_ids: Sequence[UUID] | None) -> Iterator[InCell | Stray]:
        """See the port."""
        wanted = [each for each in sorted(self.there) if store_ids is None or each in store_ids]
        for number, each in enumerate(wanted):
            if self.error and number >= self.error_after:
                break
            yield self.there[each]
        if self.error:
            raise self.error
        yield from (each for each in self.strays if store_ids is None or each.store_id in store_ids)

    def policies(self) -> Sequence[Policy]:
        """See the port."""
        if self.error:
            raise self.error
        return self.rights


@dataclass
class FakePauses:
    """The `Pauses` port. `during` is what happens in each pause, in turn."""

    during: list[object] = field(default_factory=list)
    now: float = 0.0

    def monotonic(self) -> float:
        """See the port."""
        return self.now

    def sleep(self, seconds: float, /) -> None:
        """See the port."""
        self.now += seconds
        if self.during and callable(happens := self.during.pop(0)):
            happens()
