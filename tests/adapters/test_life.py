"""Changes of stores, terms that end and events that are told, on the fakes and on Postgres."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text

from control_plane import bootstrap
from control_plane.adapters.postgres_database import Database
from control_plane.adapters.postgres_stores import _INTENT
from control_plane.domain.errors import (
    DatabaseUnavailableError,
    HostnameTakenError,
    NameTakenError,
    NotNowError,
    StaleError,
)
from control_plane.domain.life import (
    Delete,
    EndRetention,
    ForgetFormerHostname,
    Move,
    Rename,
    Resume,
    Retry,
    Suspend,
    Together,
    Undelete,
)
from control_plane.domain.store import Actor, Desired, Hold, Store, StoreState
from control_plane.domain.store_events import StoreEventType
from tests.adapters.backends import Backend, PostgresBackend, pass_over
from tests.builders import ACTOR, BASE_DOMAIN, CELL, CUSTOMER, PLANS, STANDARD, Gone, a_new_store

_S = StoreState
DAY = 86400.0
ENDED = Together([EndRetention(), ForgetFormerHostname()])


def made(backend: Backend, **columns: Any) -> Store:
    """A store, past the table of moves."""
    store = backend.stores.add(a_new_store(), None, ACTOR).store
    if columns:
        backend.put(store.id, **columns)
    return backend.stores.get(CUSTOMER, store.id)


def ready(backend: Backend) -> Store:
    """A store that is READY at its first generation."""
    store = made(backend)
    now = store.created_at
    backend.put(
        store.id, state="READY", ready_at=now, applied_generation=1, observed_generation=1, made_with="p1"
    )
    return backend.stores.get(CUSTOMER, store.id)


class TestChange:
    def test_it_is_the_next_generation_announced_and_audited(self, backend: Backend) -> None:
        store = ready(backend)
        accepted = backend.stores.change(CUSTOMER, store.id, Suspend(Hold.OWNER), Actor("a", "b"))
        assert (accepted.store.holds, accepted.store.generation) == ({Hold.OWNER}, 2)
        assert (accepted.store.state, accepted.store.failures) == (_S.READY, 0)
        assert accepted.announcement
        assert accepted.announcement.intent.generation == 2
        assert backend.said(store.id) == [(1, False), (2, False)]
        entry = backend.stores.history(CUSTOMER, store.id)[-1]
        assert (entry.actor, entry.cause, entry.action, entry.generation) == ("a", "b", "suspend asked", 2)
        assert backend.stores.get(CUSTOMER, store.id) == accepted.store

    def test_what_changes_nothing_is_not_written(self, backend: Backend) -> None:
        store = ready(backend)
        assert backend.stores.change(CUSTOMER, store.id, Rename(store.title), ACTOR).announcement is None
        assert backend.said(store.id) == [(1, False)]

    def test_every_field_that_verbs_change_is_kept(self, backend: Backend) -> None:
        store = ready(backend)
        move = Move("anew", "anew-1234")
        for verb in (Suspend(Hold.OPERATOR), Rename("Anew"), move, Delete(PLANS)):
            backend.stores.change(CUSTOMER, store.id, verb, ACTOR)
        after = backend.stores.get(CUSTOMER, store.id)
        assert (after.generation, after.title, after.name, after.hostname) == (
            5, "Anew", "anew", f"anew-1234.{BASE_DOMAIN}",
        )  # fmt: skip
        assert (after.holds, after.former_hostname) == ({Hold.OPERATOR}, store.hostname)
        assert after.former_until
        assert after.removal_at
        kept = timedelta(days=STANDARD.retention_days)
        assert timedelta(0) <= after.removal_at - store.created_at - kept < timedelta(minutes=5)
        back = backend.stores.change(CUSTOMER, store.id, Undelete(), ACTOR).store
        assert (back.removal_at, back.holds) == (None, {Hold.OPERATOR})

    def test_only_at_the_generation_that_was_read(self, backend: Backend) -> None:
        store = ready(backend)
        with pytest.raises(StaleError):
            backend.stores.change(CUSTOMER, store.id, Suspend(Hold.OWNER), ACTOR, generation=2)
        backend.stores.change(CUSTOMER, store.id, Suspend(Hold.OWNER), ACTOR, generation=1)

    def test_a_verb_that_is_refused_leaves_everything(self, backend: Backend) -> None:
        store = made(backend, state="DELETING", desired="deleted")
        with pytest.raises(NotNowError):
            backend.stores.change(CUSTOMER, store.id, Rename("Anew"), ACTOR)
        assert backend.said(store.id) == [(1, False)]

    def test_a_name_that_is_taken_is_refused(self, backend: Backend) -> None:
        other, store = ready(backend), ready(backend)
        with pytest.raises(NameTakenError):
            backend.stores.change(CUSTOMER, store.id, Move(other.name, "x-1234"), ACTOR)

    def test_a_former_host_name_is_nobody_elses_until_it_is_over(self, backend: Backend) -> None:
        store, other = ready(backend), ready(backend)
        former = store.hostname
        backend.stores.change(CUSTOMER, store.id, Move("anew", "anew-1234"), ACTOR)
        with pytest.raises(HostnameTakenError):
            backend.stores.change(CUSTOMER, other.id, Move("another", former.partition(".")[0]), ACTOR)
        with pytest.raises(HostnameTakenError):
            backend.stores.add(a_new_store(hostname=former), None, ACTOR)
        backend.put(store.id, former_hostname=None, former_until=None)
        backend.stores.change(CUSTOMER, other.id, Move("another", former.partition(".")[0]), ACTOR)

    def test_two_at_once_follow_each_other(self, backend: Backend) -> None:
        store, start = ready(backend), Barrier(2)

        def ask(verb: Any) -> None:
            start.wait()
            backend.stores.change(CUSTOMER, store.id, verb, ACTOR)

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(ask, [Suspend(Hold.OWNER), Rename("Anew")]))
        after = backend.stores.get(CUSTOMER, store.id)
        assert (after.generation, after.holds, after.title) == (3, {Hold.OWNER}, "Anew")

    def test_what_verbs_write_are_columns(self, real: PostgresBackend) -> None:
        names = {
            row["name"]
            for row in real.database.rows(
                text(
                    "SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'stores'"
                ),
                {},
            )
        }
        assert set(_INTENT) <= names


class TestLocks:
    def test_who_stops_between_two_statements_lets_go_of_the_row(self, real: PostgresBackend) -> None:
        store = ready(real)
        url = real.functions["reconcile"]._engine.url.render_as_string(hide_password=False)
        stopped = Database(url, connections=1, parameters=bootstrap._OF_A_WORKER)
        with suppress(DatabaseUnavailableError), stopped.transaction("SELECT 1") as (_, session):
            session.rows(text("SELECT FROM stores WHERE id = :id FOR UPDATE"), {"id": store.id})
            began = time.monotonic()
            real.stores.change(CUSTOMER, store.id, Suspend(Hold.OWNER), ACTOR)  # waits for it
            assert 2 < time.monotonic() - began < 9
            session.rows(text("SELECT 1"), {})
            pytest.fail("it goes on as if nothing had been")


class TestTerms:
    def test_a_retention_that_is_over_removes_the_store(self, backend: Backend) -> None:
        store = ready(backend)
        backend.stores.change(CUSTOMER, store.id, Delete(PLANS), ACTOR)
        lease = backend.fleet.begin_pass(CELL, seconds=1e9, full_every=600)
        assert lease
        backend.later(STANDARD.retention_days * DAY - 60)
        assert backend.terms.ended(lease, limit=9) == []
        backend.later(120)
        assert backend.terms.ended(lease, limit=9) == [store.id]
        backend.terms.change(store.id, ENDED, Actor("reconcile", "tick"))
        after = backend.stores.get(CUSTOMER, store.id)
        assert (after.desired, after.state, after.generation) == (Desired.DELETED, _S.DELETING, 3)
        entry = backend.stores.history(CUSTOMER, store.id)[-1]
        assert (entry.actor, entry.action) == ("reconcile", "retention ended, former host name ended")
        assert backend.terms.ended(lease, limit=9) == []

    def test_a_former_host_name_is_forgotten_in_time(self, backend: Backend) -> None:
        store = ready(backend)
        backend.stores.change(CUSTOMER, store.id, Move("anew", "anew-1234"), ACTOR)
        lease = backend.fleet.begin_pass(CELL, seconds=1e9, full_every=600)
        assert lease
        backend.later(31 * DAY)
        assert backend.terms.ended(lease, limit=9) == [store.id]
        backend.terms.change(store.id, ENDED, ACTOR)
        after = backend.stores.get(CUSTOMER, store.id)
        assert (after.former_hostname, after.former_until, after.state) == (None, None, _S.READY)
        assert backend.terms.ended(lease, limit=9) == []

    def test_a_changed_plan_reaches_stores_a_few_at_a_time(self, backend: Backend) -> None:
        several = [ready(backend) for _ in range(5)]
        failed = made(backend, state="FAILED", reason="because", made_with="p1")
        lease = backend.fleet.begin_pass(CELL, seconds=1e9, full_every=600)
        assert lease
        assert backend.terms.refresh(lease, {"standard": "p1"}, ACTOR, at_once=2) == 0
        assert backend.terms.refresh(lease, {"standard": "p2"}, ACTOR, at_once=2) == 2
        assert backend.terms.refresh(lease, {"standard": "p2"}, ACTOR, at_once=2) == 0  # two are on their way
        asked = [each.id for each in several if backend.value(each.id, "generation") == 2]
        assert len(asked) == 2
        assert backend.said(asked[0]) == [(1, False), (2, False)]
        entry = backend.stores.history(CUSTOMER, asked[0])[-1]
        assert (entry.action, entry.generation) == ("refreshed", 2)
        backend.put(asked[0], applied_generation=2, made_with="p2")
        assert backend.terms.refresh(lease, {"standard": "p2"}, ACTOR, at_once=2) == 1
        assert backend.value(failed.id, "generation") == 1

    def test_a_store_that_stays_another_is_not_asked_again(self, backend: Backend) -> None:
        store = ready(backend)
        lease = backend.fleet.begin_pass(CELL, seconds=1e9, full_every=600)
        assert lease
        assert backend.terms.refresh(lease, {"standard": "p2"}, ACTOR, at_once=2) == 1
        backend.put(store.id, applied_generation=2, made_with="p3")  # provision thinks otherwise
        assert backend.terms.refresh(lease, {"standard": "p2"}, ACTOR, at_once=2) == 0
        assert backend.terms.refresh(lease, {"standard": "p4"}, ACTOR, at_once=2) == 1

    def test_a_change_that_stores_fail_of_stops(self, backend: Backend) -> None:
        several = [ready(backend) for _ in range(5)]
        lease = backend.fleet.begin_pass(CELL, seconds=1e9, full_every=600)
        assert lease
        assert backend.terms.refresh(lease, {"standard": "p2"}, ACTOR, at_once=2) == 2
        for store in several:
            if backend.value(store.id, "generation") == 2:
                backend.put(store.id, state=_S.FAILED, reason="pods not ready")
        assert backend.terms.refresh(lease, {"standard": "p2"}, ACTOR, at_once=2) == 0
        for store in several:
            if backend.value(store.id, "state") == "FAILED":  # their owners try again
                backend.stores.change(CUSTOMER, store.id, Retry(), ACTOR)
        assert backend.terms.refresh(lease, {"standard": "p2"}, ACTOR, at_once=2) == 0
        assert backend.terms.refresh(lease, {"standard": "p3"}, ACTOR, at_once=2) == 2  # a better one


class TestStoreEvents:
    def told(self, backend: Backend, store: Store) -> list[str]:
        return [
            each.type
            for each in backend.store_events.untold(pass_over(backend), limit=99)
            if each.subject == store.id
        ]

    def test_what_happens_is_told_in_order_until_it_is_ticked_off(self, real: PostgresBackend) -> None:
        store = real.stores.add(a_new_store(), None, ACTOR).store
        going = [("PROVISIONING", None), ("READY", None), ("DEGRADED", "0 of 1"), ("READY", None)]
        going += [("UPDATING", None), ("SUSPENDED", None), ("UPDATING", None), ("READY", None)]
        going += [("DELETING", None), ("DELETED", None)]
        for state, reason in going:
            real.database.rows(
                text("UPDATE stores SET state = :state, reason = :reason WHERE id = :id"),
                {"state": state, "reason": reason, "id": store.id},
            )
        events = real.store_events.untold(pass_over(real), limit=99)
        assert [each.type for each in events] == [
            "store.created", "store.ready", "store.degraded", "store.ready", "store.suspended",
            "store.resumed", "store.deleting", "store.deleted",
        ]  # fmt: skip
        assert [each.sequence for each in events] == sorted(each.sequence for each in events)
        assert events[2].data.reason == "0 of 1"
        assert {each.data.account_id for each in events} == {CUSTOMER}
        real.store_events.mark_told([each.id for each in events[:3]])
        assert real.store_events.untold(pass_over(real), limit=99) == events[3:]
        assert real.store_events.untold(pass_over(real), limit=2) == events[3:5]

    def test_a_creation_and_a_removal_are_told(self, backend: Backend) -> None:
        store = backend.stores.add(a_new_store(), None, ACTOR).store
        assert self.told(backend, store) == [StoreEventType.CREATED]
        backend.stores.change(CUSTOMER, store.id, Gone(), ACTOR)
        assert self.told(backend, store) == [StoreEventType.CREATED, StoreEventType.DELETING]

    def test_each_pass_tells_of_the_stores_of_its_own_cell(self, backend: Backend) -> None:
        ours = backend.stores.add(a_new_store(), None, ACTOR).store
        theirs = backend.stores.add(a_new_store(cell="other"), None, ACTOR).store
        for cell, store in ((CELL, ours), ("other", theirs)):
            told = backend.store_events.untold(pass_over(backend, cell), limit=99)
            assert [each.subject for each in told] == [store.id]

    def test_a_hold_alone_is_no_event(self, backend: Backend) -> None:
        store = ready(backend)
        backend.stores.change(CUSTOMER, store.id, Suspend(Hold.OWNER), ACTOR)
        backend.stores.change(CUSTOMER, store.id, Resume(Hold.OWNER), ACTOR)
        assert self.told(backend, store) == [StoreEventType.CREATED]


class TestPlatformTime:
    def test_it_is_the_clock_until_the_owner_moves_it(self, real: PostgresBackend) -> None:
        ahead = text("SELECT platform_time() - clock_timestamp() AS ahead")
        assert abs(real.database.rows(ahead, {})[0]["ahead"]) < timedelta(seconds=1)
        real.database.rows(text("INSERT INTO time_offset (ahead) VALUES (interval '365 days')"), {})
        for login in real.functions.values():
            seen = login.rows(ahead, {})[0]["ahead"]
            assert abs(seen - timedelta(days=365)) < timedelta(seconds=1)
