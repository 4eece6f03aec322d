"""One pass over a cell: relay, judge, watch what is in motion, give up what is overdue.

Woken every minute, and by provision when it has put something in motion. One pass of a cell at a
time: its verdicts are written only under its lease, and only to rows that are still as they were
judged, so that a pass which was stopped and goes on does no harm. Passes of several cells run side by
side: what is no cell's own (billing's deadlines, dead letters, cleaning) each of them does, a row at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import structlog

from control_plane.domain.errors import CellUnreachableError, LeaseLostError, TemporaryError
from control_plane.domain.rollout import Standing
from control_plane.domain.store import Actor
from control_plane.ports.fleet import Changes, Clock, Fleet, PassLease, Watermark, Workloads
from control_plane.ports.orphans import OrphanRecords
from control_plane.use_cases.clean_up import CleanUp
from control_plane.use_cases.drain_dead_letters import DrainDeadLetters
from control_plane.use_cases.end_terms import EndTerms
from control_plane.use_cases.judge_rollouts import JudgeRollouts
from control_plane.use_cases.relay_outbox import RelayOutbox
from control_plane.use_cases.tell_events import TellEvents

log = structlog.get_logger()

LEASE_SECONDS = 30.0
FULL_PASS_SECONDS = 600.0  # everything is looked at this often, whatever the changes say
YOUNG_SECONDS = 120.0  # what has been in motion for longer is judged once a pass, not waited for
OUTAGE_SECONDS = 180.0  # a cell not seen for this long: nobody's deadline ran meanwhile
DELETED_SECONDS = 60.0  # a namespace that is there for so long after its store was DELETED is an orphan
_ROUND_SECONDS = 0.25  # how long to wait for a change before looking what else was put in motion
_QUIET_ROUNDS = 2  # what happened since the last pass has come in when nothing has for so long
_RELAY_SECONDS = 1.0


@dataclass(frozen=True)
class Summary:
    """What a pass did."""

    ran: bool
    published: int = 0
    judged: int = 0
    given_up: int = 0
    parked: int = 0
    cell_answered: bool = True


@dataclass(frozen=True)
class Reconcile:
    """The verb, with what it needs."""

    fleet: Fleet
    relay: RelayOutbox
    tell: TellEvents
    end_terms: EndTerms
    settle: Callable[[], int]  # `SettleSubscriptions`
    judge: JudgeRollouts
    workloads: Workloads
    drain: DrainDeadLetters
    clean_up: CleanUp
    orphans: OrphanRecords
    clock: Clock
    cell: str
    budget: float  # seconds that a pass may last
    lease_seconds: float = LEASE_SECONDS

    def __call__(self, *, cause: str) -> Summary:
        """Run a pass, unless one is running.

        Raises DatabaseUnavailableError. A cell that does not answer ends the pass in
        good order: nothing is judged that was not seen.
        """
        running = _Pass(self, Actor("reconcile", cause))
        while running.once():
            pass  # a wake-up that came as the pass was ending found it still running: look again
        running.tidy_up()
        return running.summary


class _Pass:
    """One pass in the making."""

    def __init__(self, parts: Reconcile, actor: Actor) -> None:
        self._parts = parts
        self._fleet = parts.fleet
        self._actor = actor
        self._end = parts.clock.monotonic() + parts.budget
        self._relay_due = 0.0
        self._full = False
        self.summary = Summary(ran=False)

    def once(self) -> bool:
        """Take the lease, go round until nothing young is in motion; whether to do it again."""
        lease = self._fleet.begin_pass(
            self._parts.cell, seconds=self._parts.lease_seconds, full_every=FULL_PASS_SECONDS
        )
        if lease is None:
            return False
        self._full = self._full or lease.watermark is None
        watermark: Watermark | None = None
        try:
            watermark = self._go_round(lease)
        except LeaseLostError:
            log.warning("pass_lease_lost")
            return False
        finally:
            self._fleet.end_pass(lease, watermark)
        self.summary = replace(self.summary, ran=True, cell_answered=watermark is not None)
        if watermark is None or not self._has_time():
            return False
        return _any_young(self._fleet.in_motion(lease))

    def tidy_up(self) -> None:
        """What nobody waits for: park what could not be delivered; after a full pass, clean up."""
        if not self.summary.ran or self._parts.clock.stopping():
            return
        try:
            self.summary = replace(self.summary, parked=self._parts.drain())
            if self._full:
                self._parts.clean_up()
        except TemporaryError as error:
            log.warning("not_tidied_up", error=str(error))

    def _go_round(self, lease: PassLease) -> Watermark | None:
        """All rounds; returns up to where the cell was seen, None if it does not answer."""
        self._do_what_is_due(lease)
        self._relay(lease)
        try:
            with self._parts.workloads.changes(lease.watermark) as changes:
                self._fleet.excuse_outage(lease, longer_than=OUTAGE_SECONDS)
                quiet, introduced = 0, set[Standing]()
                motion = self._fleet.in_motion(lease)
                while self._has_time() and (quiet < _QUIET_ROUNDS or _any_young(motion)):
                    if not self._keep(lease):
                        break
                    arrived = {replace(row, seconds=0) for row in motion} - introduced
                    introduced |= arrived
                    self._judge(lease, arrived, changes)
                    changed = changes.wait(_ROUND_SECONDS)
                    if changed is None or changed:
                        self._judge(lease, self._fleet.standings(lease, changed), changes)
                    quiet = quiet + 1 if changed == frozenset() else 0
                    motion = self._fleet.in_motion(lease)
                self._give_up_overdue(lease)
                if lease.watermark is None:
                    self._find_orphans(lease, changes)
                self._tell(lease)
                return changes.watermark
        except CellUnreachableError as error:
            log.warning("cell_unreachable", error=str(error))
            return None

    def _has_time(self) -> bool:
        return not self._parts.clock.stopping() and self._parts.clock.monotonic() < self._end

    def _keep(self, lease: PassLease) -> bool:
        """Once a second: relay, and keep the lease. False when another pass has taken over."""
        if self._parts.clock.monotonic() < self._relay_due:
            return True
        self._relay(lease)
        return self._fleet.renew_pass(lease, seconds=self._parts.lease_seconds)

    def _relay(self, lease: PassLease) -> None:
        self._relay_due = self._parts.clock.monotonic() + _RELAY_SECONDS
        try:
            published = self._parts.relay(lease)
        except TemporaryError as error:
            log.warning("relay_failed", error=str(error))
        else:
            self.summary = replace(self.summary, published=self.summary.published + published)
        self._tell(lease)

    def _tell(self, lease: PassLease) -> None:
        try:
            self._parts.tell(lease)
        except TemporaryError as error:
            log.warning("events_not_told", error=str(error))

    def _do_what_is_due(self, lease: PassLease) -> None:
        end_terms = partial(self._parts.end_terms, lease, self._actor)
        for do_what_is_due in (end_terms, self._parts.settle):
            try:
                do_what_is_due()
            except Exception:  # what goes wrong here keeps no store from being looked at
                log.warning("not_done_what_is_due", exc_info=True)

    def _judge(self, lease: PassLease, rows: Iterable[Standing], changes: Changes) -> None:
        judged = self._parts.judge(lease, rows, changes, self._actor)
        self.summary = replace(self.summary, judged=self.summary.judged + judged)

    def _give_up_overdue(self, lease: PassLease) -> None:
        given_up = self._parts.judge.give_up_overdue(lease, self._actor)
        self.summary = replace(self.summary, given_up=self.summary.given_up + given_up)

    def _find_orphans(self, lease: PassLease, changes: Changes) -> None:
        found = self._parts.orphans.record(lease, changes.namespaces, deleted_for=DELETED_SECONDS)
        if found:
            log.warning("orphans_found", count=found)


def _any_young(rows: Iterable[Standing]) -> bool:
    return any(row.seconds < YOUNG_SECONDS for row in rows)
