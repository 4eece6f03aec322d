"""The table of moves says what we promise of it."""

from __future__ import annotations

from control_plane.domain.store import BEGINS, MOVES, StoreState

_S = StoreState


def test_the_table_knows_every_state_and_leads_only_to_known_ones() -> None:
    assert set(MOVES) == set(StoreState)
    assert all(after in MOVES for afters in MOVES.values() for after in afters)


def test_deleted_is_the_only_end_and_is_reached_only_through_deleting() -> None:
    assert [state for state in StoreState if not MOVES[state]] == [_S.DELETED]
    assert [state for state in StoreState if _S.DELETED in MOVES[state]] == [_S.DELETING]


def test_deletion_is_possible_from_every_state_that_is_not_deletion() -> None:
    gone = {_S.DELETING, _S.DELETED}
    assert all(_S.DELETING in MOVES[state] for state in set(StoreState) - gone)


def test_every_state_can_be_reached_from_queued() -> None:
    reached = {_S.QUEUED}
    while more := {after for state in reached for after in MOVES[state]} - reached:
        reached |= more
    assert reached == set(StoreState)


def test_what_begins_is_an_allowed_move() -> None:
    assert all(after in MOVES[before] for before, after in BEGINS.items())
