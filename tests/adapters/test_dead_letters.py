"""The contracts of the `Parking`, `DeadLetters` and `Cleaning` ports, on the fakes and on Postgres."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from control_plane.adapters import postgres_dead_letters
from control_plane.domain import retention
from control_plane.domain.accounts import Scope
from control_plane.domain.dead_letters import (
    BODY_LIMIT,
    AlreadyAnsweredError,
    Answer,
    Kind,
    LetterError,
    Message,
    Operator,
    Poison,
)
from control_plane.domain.events import INTENTS, StoreIntent
from control_plane.domain.people import ONE_TIME_LIFE, SESSION_LIFE, OnceShown
from control_plane.domain.store import StoreState
from control_plane.ports.customers import IdempotencyKey
from control_plane.use_cases.create_token import digest_of
from tests.adapters.backends import Backend, PostgresBackend, pass_over
from tests.builders import ACTOR, CUSTOMER, a_new_store

OPERATOR = Operator("anna@desk", "looked at it")
_S = StoreState


def poison(body: bytes = b"poison", number: str = "1", kind: Kind = Kind.MALFORMED) -> Poison:
    return Poison(INTENTS, Message(number, body), kind, "the message is not JSON")


def waiting(backend: Backend):
    return list(backend.letters.letters(answered=False, limit=100))


def parked(backend: Backend, *bodies: bytes):
    """The letters of these bodies."""
    backend.parking.park(poison(body) for body in bodies)
    return waiting(backend)[-len(bodies) :]


def refused(backend: Backend):
    """The letter of a store that was given up."""
    store = backend.stores.add(a_new_store(), None, ACTOR).store
    leased = backend.work.take(store.id, seconds=30)
    backend.work.begin(leased, ACTOR)
    backend.work.fail(leased, "the chart was refused", ACTOR)
    backend.work.finish(leased, seconds=30)
    return waiting(backend)[-1]


def test_what_is_parked_comes_back_with_all_that_was_known(backend: Backend):
    body = StoreIntent(UUID(int=7), 3).encode()
    backend.parking.park([poison(body, kind=Kind.UNKNOWN_STORE)])
    (letter,) = waiting(backend)
    assert (letter.source, letter.body, letter.kind) == (INTENTS, body, "unknown-store")
    assert (letter.store_id, letter.generation, letter.reason) == (UUID(int=7), 3, "the message is not JSON")
    assert (letter.deliveries, letter.answer, letter.answered_at) == (1, None, None)
    assert (letter.store_name, letter.store_state, letter.cut) == (None, None, False)
    assert 0 <= letter.age < 60
    assert backend.letters.find(str(letter.id)).body == body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\xff",
        b'"text"',
        b'{"store_id": "\\u0000", "generation": true}',
        b'{"store_id": 7, "generation": 9223372036854775808}',
        b'{"generation": 1e999}',
        b"[" * 100_000,
    ],
)
def test_whatever_the_body_is_it_is_parked(backend: Backend, body: bytes):
    (letter,) = parked(backend, body)
    assert (letter.body, letter.store_id, letter.generation) == (body[:BODY_LIMIT], None, None)
    assert letter.cut == (len(body) >= BODY_LIMIT)


def test_the_same_message_counts_once_more_and_another_with_its_number_does_not(backend: Backend):
    backend.parking.park([poison(), poison()])
    backend.parking.park([poison()])
    backend.parking.park([poison(b"another after the broker forgot where it was")])
    assert [each.deliveries for each in waiting(backend)] == [3, 1]


def test_an_answered_letter_that_comes_again_waits_again(backend: Backend):
    (letter,) = parked(backend, b"poison")
    backend.letters.answer(letter.id, Answer.DISCARDED, OPERATOR)
    backend.parking.park([poison()])
    (again,) = waiting(backend)
    assert (again.id, again.deliveries, again.answered_at) == (letter.id, 2, None)


def test_letters_are_told_newest_last_and_answered_ones_only_if_wanted(backend: Backend):
    first, second, third = parked(backend, b"1", b"2", b"3")
    assert [each.body for each in waiting(backend)] == [b"1", b"2", b"3"]
    backend.letters.answer(second.id, Answer.DISCARDED, OPERATOR)
    assert [each.id for each in waiting(backend)] == [first.id, third.id]
    assert [each.id for each in backend.letters.letters(answered=False, limit=1)] == [third.id]
    every = backend.letters.letters(answered=True, limit=2)
    assert [(each.id, each.answer) for each in every] == [(second.id, "discarded"), (third.id, None)]


def test_a_letter_is_found_by_how_its_id_begins(backend: Backend):
    letters = parked(backend, b"1", b"2")
    assert [backend.letters.find(str(each.id)[:13]).id for each in letters] == [each.id for each in letters]
    with pytest.raises(LetterError):
        backend.letters.find(str(uuid4()))


def test_an_id_that_begins_like_several_is_refused(real: PostgresBackend):
    for number in (1, 2):
        real.back_door.run(
            "INSERT INTO dead_letters (id, source, message_id, body, kind, reason)"
            " VALUES (:id, 't', :number, '', 'malformed', 'r')",
            id=UUID(int=0xABCD << 112 | number),
            number=str(number),
        )
    with pytest.raises(LetterError, match="several"):
        real.letters.find("abcd")
    assert real.letters.find("abcd0000-0000-0000-0000-000000000002").message_id == "2"


def test_an_answer_is_given_once_and_recorded(backend: Backend):
    (letter,) = parked(backend, b"poison")
    backend.letters.answer(letter.id, Answer.DISCARDED, OPERATOR)
    with pytest.raises(AlreadyAnsweredError):
        backend.letters.answer(letter.id, Answer.REQUEUED, Operator("ben@desk"))
    with pytest.raises(AlreadyAnsweredError):
        backend.letters.retry(letter.id, Operator("ben@desk"))
    found = backend.letters.find(str(letter.id))
    assert (found.answer, found.answered_at is not None) == ("discarded", True)
    assert backend.operations() == [("anna@desk", "dead letter discarded", str(letter.id), "looked at it")]


def test_a_retry_begins_the_failed_store_anew_in_one_step(backend: Backend):
    letter = refused(backend)
    assert (letter.kind, letter.store_state) == ("refused", _S.FAILED)
    backend.put(letter.store_id, failures=9)
    assert backend.letters.retry(letter.id, OPERATOR)

    store = backend.stores.get(CUSTOMER, letter.store_id)
    assert (store.state, store.generation, store.failures, store.reason) == (_S.QUEUED, 2, 0, None)
    assert backend.said(store.id)[-1] == (2, False)
    told = backend.stores.history(CUSTOMER, store.id)[-1]
    assert (told.actor, told.action, told.from_state, told.to_state, told.generation) == (
        "operator", "retried", _S.FAILED, _S.QUEUED, 2,
    )  # fmt: skip
    assert not waiting(backend)
    assert backend.operations() == [("anna@desk", "dead letter requeued", str(letter.id), "looked at it")]

    again = backend.work.take(store.id, seconds=30)
    assert again
    assert again.store.generation == 2


def test_a_store_that_is_not_failed_is_not_retried_and_nothing_is_answered(backend: Backend):
    letter = refused(backend)
    backend.stores.remove(CUSTOMER, letter.store_id, ACTOR)
    said = backend.said(letter.store_id)
    assert not backend.letters.retry(letter.id, OPERATOR)
    assert backend.said(letter.store_id) == said
    assert [each.store_state for each in waiting(backend)] == [_S.DELETING]
    assert backend.operations() == []


def test_a_letter_without_a_store_is_not_retried(backend: Backend):
    (letter,) = parked(backend, b"poison")
    assert not backend.letters.retry(letter.id, OPERATOR)
    assert len(waiting(backend)) == 1


def test_of_many_who_retry_at_once_one_does(real: PostgresBackend):
    letter = refused(real)

    def retry(_: int) -> int:
        try:
            return int(real.letters.retry(letter.id, OPERATOR))
        except AlreadyAnsweredError:
            return 0

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(retry, range(16))) == 1
    assert real.value(letter.store_id, "generation") == 2
    assert len(real.said(letter.store_id)) == 2
    assert len(real.operations()) == 1


def test_a_letter_that_is_being_retried_cannot_be_discarded_meanwhile(real: PostgresBackend):
    letter = refused(real)
    real.back_door.run("BEGIN")
    real.back_door.run("SELECT 1 FROM stores WHERE id = :id FOR UPDATE", id=letter.store_id)
    with ThreadPoolExecutor(2) as threads:
        retried = threads.submit(real.letters.retry, letter.id, OPERATOR)
        waiting_for_locks(real, 1)
        discarded = threads.submit(real.letters.answer, letter.id, Answer.DISCARDED, OPERATOR)
        waiting_for_locks(real, 2)
        real.back_door.run("COMMIT")
        assert retried.result()
        with pytest.raises(AlreadyAnsweredError):
            discarded.result()
    assert [operation[1] for operation in real.operations()] == ["dead letter requeued"]


def waiting_for_locks(real: PostgresBackend, count: int) -> None:
    """Until so many statements wait, or one that was to wait has not."""
    give_up = time.monotonic() + 5
    sql = text(
        "SELECT count(*) AS n FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    while real.database.rows(sql, {})[0]["n"] < count and time.monotonic() < give_up:
        time.sleep(0.02)


def everything(backend: Backend) -> UUID:
    """A row in each table that is cleaned, all of them having done their work."""
    key = IdempotencyKey(uuid4().hex, "digest")
    accepted = backend.stores.add(a_new_store(), key, ACTOR)
    backend.outbox.mark_published([accepted.announcement.id])
    backend.store_events.mark_told(
        [each.id for each in backend.store_events.untold(pass_over(backend), limit=9)]
    )
    leased = backend.work.take(accepted.store.id, seconds=30)
    assert leased
    backend.vault.keep(leased, 1, "a password")
    backend.parking.park([poison(uuid4().bytes)])
    backend.letters.answer(waiting(backend)[0].id, Answer.DISCARDED, OPERATOR)
    backend.let_sign_in(CUSTOMER, address := digest_of(uuid4().hex))
    with backend.console.enter(OnceShown(address), Scope.READ) as transaction:
        transaction.people.open(digest_of(uuid4().hex), "Firefox", instead_of=None, actor=ACTOR)
    return accepted.store.id


@pytest.mark.parametrize(
    ("table", "kept"),
    [
        ("outbox", retention.PUBLISHED),
        ("store_events", retention.PUBLISHED),
        ("idempotency_keys", retention.IDEMPOTENCY_KEYS),
        ("attempts", retention.ATTEMPTS),
        ("unclaimed", retention.UNCLAIMED),
        ("dead_letters", retention.ANSWERED_LETTERS),
        ("sessions", SESSION_LIFE + retention.SESSIONS),
        ("sign_ins", ONE_TIME_LIFE + retention.SIGN_INS),
    ],
)
def test_what_has_done_its_work_is_removed_after_its_time_and_not_before(
    backend: Backend, table: str, kept: timedelta
):
    everything(backend)
    backend.later(kept.total_seconds() - 60)
    assert backend.cleaning.clean(limit=100)[table] == 0
    backend.later(120)
    assert backend.cleaning.clean(limit=100)[table] == 1
    assert backend.cleaning.clean(limit=100)[table] == 0


def test_what_waits_for_somebody_is_never_removed(backend: Backend):
    (letter,) = parked(backend, b"poison")
    store = backend.stores.add(a_new_store(), None, ACTOR).store
    backend.later(10 * 365 * 86400)
    assert set(backend.cleaning.clean(limit=100).values()) == {0}
    assert [each.id for each in waiting(backend)] == [letter.id]
    assert backend.said(store.id) == [(1, False)]


def test_a_cleaning_is_bounded_and_takes_the_oldest(backend: Backend):
    stores = []
    for _ in range(3):
        stores.append(everything(backend))
        backend.later(1)
    backend.later(retention.ANSWERED_LETTERS.total_seconds())
    assert set(backend.cleaning.clean(limit=2).values()) == {2}
    assert [bool(backend.said(each)) for each in stores] == [False, False, True]
    assert set(backend.cleaning.clean(limit=2).values()) == {1}


def test_a_key_is_free_when_its_row_has_been_cleaned(backend: Backend):
    key = IdempotencyKey("a-key", "digest")
    first = backend.stores.add(a_new_store(), key, ACTOR).store
    backend.later(retention.IDEMPOTENCY_KEYS.total_seconds() + 1)
    backend.cleaning.clean(limit=100)
    assert backend.stores.add(a_new_store(), key, ACTOR).store.id != first.id


def test_what_waits_is_found_by_its_index_beside_many_that_are_answered(real: PostgresBackend):
    real.back_door.run(
        "INSERT INTO dead_letters (source, message_id, body, kind, reason, answer, answered_at)"
        " SELECT 't', n::text, '', 'malformed', 'r', 'discarded', now() FROM generate_series(1, 5000) n"
    )
    real.back_door.run("ANALYZE dead_letters")
    plan = real.database.rows(text(f"EXPLAIN {postgres_dead_letters._WAITING.text}"), {"limit": 9})
    assert "waiting_dead_letters" in "\n".join(row["QUERY PLAN"] for row in plan)
