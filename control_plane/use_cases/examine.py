"""Say of each invariant whether it holds.

The database and the cell cannot be read at one moment. So what a first look finds is only suspected:
the suspects alone are looked at again, and what counts is what is found twice with the row unchanged,
and, where reconcile is the one to set it right, with a whole pass in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from control_plane.domain.invariants.catalogue import INVARIANTS
from control_plane.domain.invariants.findings import Finding, Report, report_of
from control_plane.use_cases.look import Key, Look, Seen

_FIRST_PAUSE = 1.0  # seconds before the second look, doubled before each further one
_LONGEST_PAUSE = 5.0


class Pauses(Protocol):
    """Time between two looks."""

    def monotonic(self) -> float:
        """Seconds since some moment."""

    def sleep(self, seconds: float, /) -> None:
        """Wait so long."""


@dataclass(frozen=True)
class Examine:
    """The verb, with what it needs."""

    look: Look
    pauses: Pauses

    def __call__(
        self,
        store_ids: Sequence[UUID] | None = None,
        *,
        accepted: Sequence[UUID] = (),
        patience: float = 0.0,
    ) -> Report:
        """The verdict on every invariant, of these stores or of all, and of the platform around them.

        `accepted` are stores that somebody was told are accepted. With `patience` what is suspected is
        looked at again for up to so many seconds; without, everything must be settled already.
        """
        checked_at = datetime.now(UTC)
        first = self.look(store_ids, accepted)
        confirmed: Mapping[Key, Finding] = first.found
        unsettled: Mapping[Key, Finding] = {}
        if patience:
            confirmed, unsettled = self._confirm(first, accepted, patience)
        return report_of(
            list(confirmed.values()),
            checked_at=checked_at,
            stores=first.stores,
            more=first.more,
            unsettled=frozenset(each.invariant for each in unsettled.values()),
            problems=first.problems,
            attention=first.attention,
        )

    def _confirm(
        self, first: Seen, accepted: Sequence[UUID], patience: float
    ) -> tuple[Mapping[Key, Finding], Mapping[Key, Finding]]:
        """What is found again, and what could not be settled in the time there is."""
        suspected = dict.fromkeys(first.found, first)  # and since which look
        confirmed: dict[Key, Finding] = {}
        give_up, pause = self.pauses.monotonic() + patience, _FIRST_PAUSE
        while suspected and self.pauses.monotonic() < give_up:
            self.pauses.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            ids = {each.store_id for each in _findings(suspected).values() if each.store_id}
            now = self.look(ids, accepted)
            unseen = {each.part for each in now.problems}
            for key, since in list(suspected.items()):
                if key not in now.found:
                    if not INVARIANTS[key[0]].needs & unseen:  # else it is neither there nor gone
                        del suspected[key]
                elif _changed(since.found[key], since, now):
                    suspected[key] = now
                elif not since.found[key].after_pass or _passed(since, now):
                    confirmed[key] = now.found[key]
                    del suspected[key]
        return confirmed, _findings(suspected)


def _findings(suspected: Mapping[Key, Seen]) -> dict[Key, Finding]:
    return {key: since.found[key] for key, since in suspected.items()}


def _changed(finding: Finding, since: Seen, now: Seen) -> bool:
    """Whether somebody has worked on the store meanwhile."""
    store_id = finding.store_id
    return store_id is not None and since.versions.get(store_id) != now.versions.get(store_id)


def _passed(since: Seen, now: Seen) -> bool:
    return bool(since.passes and now.passes and now.passes.whole_pass_since(since.passes))
