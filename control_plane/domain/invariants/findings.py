"""What judgements say, and what becomes of it: a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from control_plane.domain.invariants.catalogue import INVARIANTS, Invariant, Part


@dataclass(frozen=True)
class Finding:
    """An invariant does not hold, as far as was seen.

    `after_pass`: it is reconcile's to set right, so it counts only once a pass had its chance.
    """

    invariant: str
    subject: str  # "store ID", or what else it is about
    seen: str
    expected: str
    store_id: UUID | None = None
    after_pass: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What is the same in a second look."""
        return self.invariant, self.subject


class Verdict(StrEnum):
    """What can be said of an invariant."""

    HOLDS = "holds"
    VIOLATED = "violated"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Problem:
    """A part that could not be looked at, why, and what to do."""

    part: Part
    reason: str
    advice: str


@dataclass(frozen=True)
class Judged:
    """One invariant with its verdict. `more` findings of the first look are not in the evidence."""

    invariant: Invariant
    verdict: Verdict
    evidence: Sequence[Finding] = ()
    more: int = 0
    reason: str = ""  # why it is unknown, where that is not for want of a part


@dataclass(frozen=True)
class Report:
    """What an examination came to. `attention` is for an operator, and breaks nothing."""

    checked_at: datetime
    stores: int
    invariants: Sequence[Judged]
    attention: Sequence[str] = ()
    problems: Sequence[Problem] = ()

    @property
    def holds(self) -> bool:
        """Whether every invariant was looked at and holds."""
        return all(each.verdict is Verdict.HOLDS for each in self.invariants)

    @property
    def violated(self) -> frozenset[str]:
        """The names of those that do not hold."""
        return frozenset(each.invariant.name for each in self.invariants if each.verdict is Verdict.VIOLATED)

    @property
    def by_store(self) -> Mapping[UUID, frozenset[str]]:
        """Which invariants do not hold of which store."""
        found: dict[UUID, set[str]] = {}
        for judged in self.invariants:
            for each in judged.evidence:
                if each.store_id:
                    found.setdefault(each.store_id, set()).add(each.invariant)
        return {store_id: frozenset(names) for store_id, names in found.items()}


def report_of(
    findings: Sequence[Finding],
    *,
    checked_at: datetime,
    stores: int,
    more: Mapping[str, int],
    unsettled: frozenset[str],
    problems: Sequence[Problem],
    attention: Sequence[str],
) -> Report:
    """The verdict on each invariant.

    `more` counts findings that were not kept, `unsettled` are invariants with suspicions that nobody
    could confirm or dispel in the time there was.
    """
    judged = []
    for name, invariant in INVARIANTS.items():
        evidence = [each for each in findings if each.invariant == name]
        missing = any(each.part in invariant.needs for each in problems)
        verdict, reason = Verdict.HOLDS, ""
        if evidence:
            verdict = Verdict.VIOLATED
        elif missing:
            verdict = Verdict.UNKNOWN
        elif name in unsettled or more.get(name):
            verdict, reason = Verdict.UNKNOWN, "suspected, and not settled in the time there was: look again"
        judged.append(Judged(invariant, verdict, evidence, more.get(name, 0), reason))
    return Report(checked_at, stores, judged, attention, problems)
