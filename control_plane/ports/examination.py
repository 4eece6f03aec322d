"""What an examination reads. Nothing here writes, and nothing holds more than a page of stores at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from control_plane.domain.invariants.evidence import Attempt, InCell, Ledger, Policy, Row, Step, Stray


@dataclass(frozen=True)
class Passes:
    """How far reconcile's passes over the cell have come."""

    token: int  # of the pass that runs, or was the last to
    running: bool
    seen_at: datetime | None  # when one last ended that had seen the cell

    def whole_pass_since(self, earlier: Passes) -> bool:
        """Whether a pass that saw the cell has both begun and ended since then."""
        finished = self.token - self.running
        return finished > earlier.token and self.seen_at != earlier.seen_at


class DatabaseExamination(Protocol):
    """The database, as an operator of one cell reads it. Raises DatabaseUnavailableError, also for lack of
    time."""

    def ledger(self, store_ids: Sequence[UUID] | None, accepted: Sequence[UUID]) -> Ledger:
        """What it says about all stores of the cell together; of these alone where some are named.

        What belongs to no store that it knows is in it, too.

        `accepted` are stores of which somebody was told that they are accepted.
        """

    def passes(self) -> Passes:
        """How far the passes are."""

    def rows(self, store_ids: Sequence[UUID] | None) -> Iterator[Sequence[Row]]:
        """The rows of these stores, in any cell, or all of this cell: pages, in order of id."""

    def steps(self, store_ids: Sequence[UUID]) -> Sequence[Step]:
        """The kinds of steps in the audit of these stores."""

    def attempts(self, store_ids: Sequence[UUID]) -> Sequence[Attempt]:
        """The kinds of attempts at these stores."""


class CellExamination(Protocol):
    """The cell, as an operator reads it: no Secret's content but that of releases that failed.

    Raises CellUnreachableError, MisconfiguredError.
    """

    def stores(self, store_ids: Sequence[UUID] | None) -> Iterator[InCell | Stray]:
        """What is in the namespaces of these stores, or of all, in order of id; strays at the end.

        A store of which nothing at all is there is left out.
        """

    def policies(self) -> Sequence[Policy]:
        """The admission policies of ours."""
