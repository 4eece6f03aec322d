"""Poison is parked, once and with its reason; an operator's answers lead to what they say."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from control_plane.domain.dead_letters import (
    BODY_LIMIT,
    AlreadyAnsweredError,
    Answer,
    DeadLetter,
    LetterError,
    Operator,
    Poison,
    id_range,
)
from control_plane.domain.errors import DatabaseUnavailableError, PermanentError, TemporaryError
from control_plane.domain.events import INTENTS, StoreIntent
from control_plane.domain.store import StoreState
from tests.builders import STORE
from tests.fakes.dead_letters import FakeCleaning, FakeParking
from tests.use_cases.platform import Platform

_S = StoreState
OPERATOR = Operator("anna@desk", "looked at it")


def waiting(platform: Platform) -> list[DeadLetter]:
    return list(platform.letters.letters(answered=False, limit=100))


def a_refused(platform: Platform) -> DeadLetter:
    """The letter of a store that was given up."""
    store = platform.create()
    platform.releases.errors = [PermanentError("the chart was refused")] * 2
    platform.give_up(store.id)
    (letter,) = waiting(platform)
    assert letter.store_state is _S.FAILED
    return letter


def undeliverable(platform: Platform, body: bytes) -> DeadLetter:
    platform.dead_topic.arrive(body, deliveries=10)
    platform.run_pass()
    (letter,) = waiting(platform)
    return letter


def test_what_could_not_be_delivered_is_parked_with_how_often_it_was_tried(platform: Platform) -> None:
    platform.dead_topic.arrive(b"\xff\x00 anything", deliveries=10)
    platform.dead_topic.arrive(StoreIntent(STORE, 7).encode())
    assert platform.run_pass().parked == 2
    first, second = waiting(platform)
    assert (first.kind, first.body, first.store_id) == ("undeliverable", b"\xff\x00 anything", None)
    assert first.reason.startswith("delivered 10 times")
    assert (second.store_id, second.generation) == (STORE, 7)
    assert platform.run_pass().parked == 0


def test_it_is_parked_before_it_is_acknowledged(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_self: FakeParking, _poison: Iterable[Poison]) -> None:
        raise DatabaseUnavailableError("the database does not answer")

    platform.dead_topic.arrive(b"poison")
    with monkeypatch.context() as broken:
        broken.setattr(FakeParking, "park", away)
        summary = platform.run_pass()
    assert (summary.ran, summary.parked) == (True, 0)
    assert len(platform.dead_topic.messages) == 1
    assert platform.run_pass().parked == 1


def test_one_batch_a_pass(platform: Platform) -> None:
    for number in range(150):
        platform.dead_topic.arrive(b"poison %d" % number)
    assert [platform.run_pass().parked for _ in range(3)] == [100, 50, 0]


def test_a_broker_that_is_away_costs_a_pass_one_short_time_limit(platform: Platform) -> None:
    platform.ready()
    platform.dead_topic.down = True
    began = platform.clock.monotonic()
    assert platform.run_pass().ran
    assert platform.clock.monotonic() - began < 3


def test_a_pass_that_is_told_to_stop_leaves_the_topic_alone(platform: Platform) -> None:
    platform.dead_topic.arrive(b"poison")
    platform.clock.told_to_stop = True
    platform.run_pass()
    assert len(platform.dead_topic.messages) == 1


def test_requeueing_the_letter_of_a_failed_store_has_it_tried_again(platform: Platform) -> None:
    letter = a_refused(platform)
    assert letter.store_id
    platform.requeue(letter, OPERATOR)
    row = platform.tables.rows[letter.store_id]
    assert (row.state, row.generation, row.failures, row.reason) == (_S.QUEUED, 2, 0, None)
    assert not waiting(platform)

    platform.clock.later(3)
    platform.run_pass()
    assert platform.events.published[-1] == StoreIntent(letter.store_id, 2)
    platform.deliver(letter.store_id)
    platform.cell.pods(letter.store_id, ready=True)
    platform.run_pass()
    assert platform.state(letter.store_id) is _S.READY


def test_a_letter_whose_store_is_no_longer_failed_says_so_and_what_to_do(platform: Platform) -> None:
    letter = a_refused(platform)
    assert letter.store_id
    platform.purge(letter.store_id)
    with pytest.raises(LetterError, match=r"is DELETING, not FAILED.*`urumi queue discard "):
        platform.requeue(letter, OPERATOR)
    assert [each.id for each in waiting(platform)] == [letter.id]
    assert not platform.tables.operations


def test_a_letter_without_a_known_store_is_published_again_where_it_came_from(platform: Platform) -> None:
    letter = undeliverable(platform, b"not an intent")
    platform.requeue(letter, OPERATOR)
    assert platform.events.republished == [(INTENTS, b"not an intent")]
    assert not waiting(platform)
    assert platform.tables.operations == [
        ("anna@desk", "dead letter requeued", str(letter.id), "looked at it")
    ]


def test_what_the_broker_does_not_take_still_waits(platform: Platform) -> None:
    letter = undeliverable(platform, b"not an intent")
    platform.events.down = True
    with pytest.raises(TemporaryError, match="still waits"):
        platform.requeue(letter, OPERATOR)
    assert len(waiting(platform)) == 1


def test_a_body_that_was_not_kept_whole_is_not_published_again(platform: Platform) -> None:
    letter = undeliverable(platform, b"x" * (BODY_LIMIT + 1))
    assert len(letter.body) == BODY_LIMIT
    with pytest.raises(LetterError, match="too long"):
        platform.requeue(letter, OPERATOR)
    assert not platform.events.republished


def test_an_answered_letter_is_not_requeued(platform: Platform) -> None:
    letter = undeliverable(platform, b"not an intent")
    platform.letters.answer(letter.id, Answer.DISCARDED, OPERATOR)
    with pytest.raises(AlreadyAnsweredError):
        platform.requeue(platform.letters.find(str(letter.id)), OPERATOR)
    assert not platform.events.republished


def test_full_passes_clean_up_and_only_they(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned: list[int] = []
    clean = FakeCleaning.clean

    def note(self: FakeCleaning, *, limit: int) -> object:
        cleaned.append(limit)
        return clean(self, limit=limit)

    monkeypatch.setattr(FakeCleaning, "clean", note)
    for _ in range(12):
        platform.run_pass()
        platform.clock.later(100)
    assert cleaned == [10_000, 10_000]


@pytest.mark.parametrize("prefix", ["", "abc", "xyz1", "%", "0" * 33])
def test_what_begins_no_id_is_refused(prefix: str) -> None:
    with pytest.raises(LetterError):
        id_range(prefix)


def test_an_id_begins_with_its_digits_with_or_without_dashes() -> None:
    first, last = id_range(str(STORE)[:12])
    assert first <= STORE <= last
    assert id_range(str(STORE)) == (STORE, STORE) == id_range(STORE.hex.upper())
