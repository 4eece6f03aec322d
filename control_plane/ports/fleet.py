"""All rows of one cell, and what happens in it, as reconcile sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from control_plane.domain.rollout import Observation, Standing, Verdict
from control_plane.domain.store import Actor


@dataclass(frozen=True)
class Watermark:
    """Up to where the cluster's changes were seen: a resourceVersion for each watched kind."""

    versions: Mapping[str, str]


@dataclass(frozen=True)
class PassLease:
    """The right to run the pass of one cell."""

    cell: UUID
    token: int
    watermark: Watermark | None  # None: look at everything


class Fleet(Protocol):
    """All rows of one cell, as reconcile sees them."""

    def begin_pass(self, cell: str, *, seconds: float, full_every: float) -> PassLease | None:
        """Take the cell's pass lease; None while another pass has it.

        The watermark is withheld when the last full pass is `full_every` seconds ago.
        """

    def renew_pass(self, lease: PassLease, *, seconds: float) -> bool:
        """Keep the pass lease; False when another pass has taken over."""

    def end_pass(self, lease: PassLease, watermark: Watermark | None) -> None:
        """Let go of the pass lease. A watermark says that the cluster was seen up to there."""

    def wake_due(self, lease: PassLease, *, every: float, limit: int) -> int:
        """Announce again what is unfinished, due and in nobody's hand, each at most every `every` seconds."""

    def in_motion(self, lease: PassLease) -> Sequence[Standing]:
        """Stores that provision has put in motion and that have not arrived."""

    def standings(self, lease: PassLease, store_ids: Iterable[UUID] | None) -> Sequence[Standing]:
        """The rows of these stores, or of all that should be in the cluster now."""

    def record(self, lease: PassLease, verdicts: Sequence[Verdict], actor: Actor) -> int:
        """Write each verdict whose row is of the cell and still as it was judged; returns how many were.

        Raises LeaseLostError, and writes none, when the pass lease has ended or was taken over: what
        was seen under it may be hours old.
        """

    def excuse_outage(self, lease: PassLease, *, longer_than: float) -> None:
        """If the cell was not seen for `longer_than` seconds, move all deadlines on by that time."""

    def overdue(self, lease: PassLease, *, limit: int) -> Sequence[Standing]:
        """Stores whose pods have had their time."""


class Changes(Protocol):
    """What happens in the cluster while a pass looks."""

    def wait(self, seconds: float) -> frozenset[UUID] | None:
        """Stores of which something changed; waits at most that long. Raises CellUnreachableError.

        None: everything was looked at anew, so that any store may have changed.
        """

    def look(self, store_ids: Sequence[UUID]) -> Mapping[UUID, Observation]:
        """What is there now. Raises CellUnreachableError."""

    @property
    def watermark(self) -> Watermark:
        """Up to where changes were handed out."""

    @property
    def namespaces(self) -> frozenset[UUID]:
        """Stores whose namespaces are there. After everything was looked at: all of the cell."""


class Workloads(Protocol):
    """One cell, as reconcile reads it."""

    def changes(self, since: Watermark | None) -> AbstractContextManager[Changes]:
        """Everything that changes from `since` on; from None, or one too old, everything that is."""

    def diagnose(self, store_id: UUID) -> str:
        """Why the store's pods are not ready, for people."""


class Clock(Protocol):
    """Time as this process feels it: for budgets, never for what is written."""

    def monotonic(self) -> float:
        """Seconds since some moment."""

    def stopping(self) -> bool:
        """Whether this process was told to end."""
