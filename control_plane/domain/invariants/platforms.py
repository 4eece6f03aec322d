"""What must hold of what the database says about all stores together."""

from __future__ import annotations

from collections.abc import Iterator

from control_plane.domain.invariants import catalogue
from control_plane.domain.invariants.evidence import Announcement, Ledger, Letter
from control_plane.domain.invariants.findings import Finding
from control_plane.domain.invariants.limits import Limits


def judge_ledger(ledger: Ledger, limits: Limits) -> Iterator[Finding]:
    """What does not hold of it."""
    if ledger.unseen is not None and ledger.unseen > limits.waiting:
        seen = f"no pass has seen the cell for {ledger.unseen:.0f} s"
        yield Finding(catalogue.NOTHING_WAITS_FOR_EVER, "the cell", seen, "a pass every minute")
    for store_id in ledger.unrecorded:
        yield Finding(
            catalogue.ACCEPTED_IS_RECORDED, f"store {store_id}", "accepted, and no row", "a row", store_id
        )
    for announcement in ledger.announcements:
        yield from _announced(announcement, limits)
    for letter in ledger.letters:
        yield from _parked(letter, limits)


def attention(ledger: Ledger) -> tuple[str, ...]:
    """What waits for an operator without breaking anything."""
    return tuple(
        f"{count} dead letters of the kind {kind} wait for an answer: `urumi queue list`"
        for kind, count in sorted(ledger.waiting_letters.items())
    )


def _announced(said: Announcement, limits: Limits) -> Iterator[Finding]:
    subject = f"store {said.store_id}"
    if said.unknown:
        seen, expected = "announced, and no row", "a row"
        yield Finding(catalogue.ACCEPTED_IS_RECORDED, subject, seen, expected, said.store_id)
    if said.waiting > limits.waiting:
        seen = f"its announcement is neither taken up nor repeated after {said.waiting:.0f} s"
        expected = "taken up, or published again"
        yield Finding(catalogue.NOTHING_WAITS_FOR_EVER, subject, seen, expected, said.store_id)
    if said.lately > limits.announcements:
        seen = f"announced {said.lately} times in an hour"
        expected = f"at most {limits.announcements} times"
        yield Finding(catalogue.POISON_IS_PARKED, subject, seen, expected, said.store_id)


def _parked(letter: Letter, limits: Limits) -> Iterator[Finding]:
    if letter.unknown_store:
        seen = "announced before it was recorded" if letter.recorded else "announced, and never recorded"
        yield Finding(
            catalogue.ACCEPTED_IS_RECORDED, letter.subject, seen, "recorded, then announced", letter.store_id
        )
    if letter.deliveries > limits.deliveries:
        seen = f"parked, and delivered {letter.deliveries} times"
        expected = f"at most {limits.deliveries} times"
        yield Finding(catalogue.POISON_IS_PARKED, letter.subject, seen, expected, letter.store_id)
