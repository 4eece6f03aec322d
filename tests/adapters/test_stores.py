"""The contract of the `Stores` port, on the fake and on Postgres."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import uuid4

import pytest

from control_plane.adapters.postgres_stores import PostgresStores
from control_plane.domain.accounts import Role, Scope, TokenShown
from control_plane.domain.billing import Subscription, SubscriptionStatus
from control_plane.domain.errors import (
    HostnameTakenError,
    IdempotencyMismatchError,
    NameTakenError,
    StoreNotFoundError,
)
from control_plane.domain.store import MOVES, Actor, Desired, StoreState
from control_plane.ports.billing import SubscriptionRow
from control_plane.ports.customers import IdempotencyKey, Page, Paying, Position
from tests.builders import ACTOR, CUSTOMER, STRANGER, a_new_store

KEY = IdempotencyKey("key-1", "digest-of-a-body")
DAY = 24 * 3600


def all_stores(backend, **page):
    return list(backend.stores.page(CUSTOMER, Page(**{"limit": 100, **page})))


def everywhere(backend, limit):
    """All pages of a customer, as a client walks through them."""
    pages, after = [], None
    while found := all_stores(backend, limit=limit, after=after):
        pages.append([store.id for store in found])
        after = Position(found[-1].created_at, found[-1].id)
    return pages


def gone(backend, store_id):
    """Bring a store to its end as deletion does."""
    backend.stores.remove(CUSTOMER, store_id, ACTOR)
    backend.put(store_id, state=StoreState.DELETED)


class TestLook:
    SINCE = datetime(2026, 3, 1, tzinfo=UTC)
    STATE = Subscription(
        SubscriptionStatus.TRIALING, SINCE, "business", trial_ends_at=SINCE + timedelta(days=3)
    )

    def row(self, store, **changes):
        given = {"id": "sub_1", "account": store.customer_id, "state": self.STATE, "store_id": store.id}
        return SubscriptionRow(**{**given, **changes})

    def test_a_store_that_is_nobodys_subscription_has_none(self, backend):
        store = backend.stores.add(a_new_store(), None, ACTOR).store
        other = backend.stores.add(a_new_store(), None, ACTOR).store
        backend.bill(self.row(other))
        looked = backend.stores.look(CUSTOMER, store.id)
        assert (looked.store, looked.paying) == (store, None)
        assert store.created_at < looked.now < store.created_at + timedelta(minutes=1)

    def test_its_subscription_comes_with_it(self, backend):
        store = backend.stores.add(a_new_store(plan="standard"), None, ACTOR).store
        backend.bill(self.row(store, note="too small"))
        looked = backend.stores.look(CUSTOMER, store.id)
        assert (looked.store, looked.paying) == (store, Paying("sub_1", self.STATE, "too small"))

    def test_of_an_end_it_is_told_when_the_platform_learned_of_it(self, backend):
        store = backend.stores.add(a_new_store(), None, ACTOR).store
        known_at = self.SINCE + timedelta(days=90)
        state = Subscription(SubscriptionStatus.EXPIRED, self.SINCE, known_at=known_at)
        backend.bill(self.row(store, state=state))
        paying = backend.stores.look(CUSTOMER, store.id).paying
        assert (paying.state, paying.state.known_at) == (state, known_at)

    def test_a_strangers_store_is_not_found_nor_is_their_subscription(self, backend):
        store = backend.stores.add(a_new_store(), None, ACTOR).store
        theirs = backend.stores.add(a_new_store(customer_id=STRANGER), None, ACTOR).store
        backend.bill(self.row(theirs))
        backend.bill(self.row(store, id="sub_2", account=STRANGER))
        with pytest.raises(StoreNotFoundError):
            backend.stores.look(CUSTOMER, theirs.id)
        assert backend.stores.look(CUSTOMER, store.id).paying is None

    def test_it_is_not_without_the_wall_either(self, real):
        store = real.stores.add(a_new_store(), None, ACTOR).store
        real.bill(self.row(store, account=STRANGER))
        with real.database.transaction("SELECT 1 AS one") as (_, session):
            of = {reach: PostgresStores(session, reach, wake_seconds=1.0) for reach in (CUSTOMER, None)}
            assert of[CUSTOMER].look(store.id).paying is None
            assert of[None].look(store.id).paying.id == "sub_1"

    @pytest.mark.parametrize("role", [Role.SUPPORT, Role.OPERATOR])
    def test_staff_see_it(self, backend, role):
        store = backend.stores.add(a_new_store(), None, ACTOR).store
        backend.bill(self.row(store))
        backend.let_in(STRANGER, "ab" * 32, role=role)
        with backend.accounts.enter(TokenShown("ab" * 32), Scope.READ) as transaction:
            assert transaction.stores.look(store.id).paying.id == "sub_1"


class TestAdd:
    def test_a_new_store_is_queued_at_generation_one(self, backend):
        order = a_new_store()
        store = backend.stores.add(order, None, ACTOR).store
        assert (store.id, store.name, store.title) == (order.id, order.name, order.title)
        assert (store.admin_email, store.plan, store.hostname) == (
            order.admin_email,
            order.plan,
            order.hostname,
        )
        assert (store.state, store.desired, store.generation) == (StoreState.QUEUED, Desired.RUNNING, 1)
        assert (store.applied_generation, store.observed_generation, store.failures) == (0, 0, 0)
        assert (store.reason, store.ready_at, store.release_revision, store.chart_version) == (None,) * 4
        assert store.created_at.tzinfo is not None
        assert backend.stores.get(CUSTOMER, order.id) == store

    def test_the_announcement_and_the_audit_are_there_with_the_row(self, backend):
        accepted = backend.stores.add(a_new_store(), None, Actor("customer c", "request r"))
        assert accepted.announcement.intent.store_id == accepted.store.id
        assert accepted.announcement.intent.generation == 1
        assert backend.said(accepted.store.id) == [(1, False)]
        (entry,) = backend.stores.history(CUSTOMER, accepted.store.id)
        assert (entry.actor, entry.cause, entry.action) == ("customer c", "request r", "created")
        assert (entry.from_state, entry.to_state) == (None, StoreState.QUEUED)
        assert (entry.generation, entry.reason) == (1, None)
        assert abs((entry.at - accepted.store.created_at).total_seconds()) < 5

    @pytest.mark.parametrize(
        "title", ["Größe 😀 \u202e", "'; DROP TABLE stores; --", " %s :name {{x}} \\ ", "\t\n"]
    )
    def test_a_title_is_kept_as_it_is(self, backend, title):
        order = a_new_store(title=title)
        backend.stores.add(order, None, ACTOR)
        assert backend.stores.get(CUSTOMER, order.id).title == title

    def test_a_customers_live_stores_have_different_names(self, backend):
        backend.stores.add(a_new_store(name="pottery"), None, ACTOR)
        with pytest.raises(NameTakenError) as error:
            backend.stores.add(a_new_store(name="pottery"), None, ACTOR)
        assert error.value.field == "name"
        assert len(all_stores(backend)) == 1

    def test_a_refused_order_leaves_nothing_behind(self, backend):
        backend.stores.add(a_new_store(name="pottery"), None, ACTOR)
        refused = a_new_store(name="pottery")
        with pytest.raises(NameTakenError):
            backend.stores.add(refused, KEY, ACTOR)
        assert backend.said(refused.id) == []
        # The key was not used up by it either.
        assert backend.stores.add(a_new_store(), KEY, ACTOR).announcement

    def test_two_customers_may_use_one_name(self, backend):
        backend.stores.add(a_new_store(name="pottery"), None, ACTOR)
        backend.stores.add(a_new_store(name="pottery", customer_id=STRANGER), None, ACTOR)

    def test_two_live_stores_never_share_a_host_name(self, backend):
        taken = a_new_store()
        backend.stores.add(taken, None, ACTOR)
        with pytest.raises(HostnameTakenError):
            backend.stores.add(a_new_store(hostname=taken.hostname, customer_id=STRANGER), None, ACTOR)

    def test_name_and_host_name_are_free_again_after_the_end(self, backend):
        first = a_new_store(name="pottery")
        backend.stores.add(first, None, ACTOR)
        backend.stores.remove(CUSTOMER, first.id, ACTOR)
        with pytest.raises(NameTakenError):  # it is still there, being removed
            backend.stores.add(a_new_store(name="pottery"), None, ACTOR)
        gone(backend, first.id)
        backend.stores.add(a_new_store(name="pottery", hostname=first.hostname), None, ACTOR)

    def test_a_cell_that_nobody_registered_is_refused(self, backend):
        with pytest.raises(LookupError):
            backend.stores.add(a_new_store(cell="nowhere"), None, ACTOR)
        with pytest.raises(LookupError):
            backend.stores.add(a_new_store(cell="nowhere"), KEY, ACTOR)
        assert backend.stores.add(a_new_store(), KEY, ACTOR).announcement


class TestIdempotency:
    def test_the_same_key_and_body_give_the_same_store(self, backend):
        first = backend.stores.add(a_new_store(name="pottery"), KEY, ACTOR)
        again = backend.stores.add(a_new_store(name="pottery"), KEY, ACTOR)
        assert again.store == first.store
        assert again.announcement is None
        assert backend.said(first.store.id) == [(1, False)]
        assert len(backend.stores.history(CUSTOMER, first.store.id)) == 1

    def test_the_store_is_given_as_it_is_now(self, backend):
        first = backend.stores.add(a_new_store(), KEY, ACTOR).store
        gone(backend, first.id)
        assert backend.stores.add(a_new_store(), KEY, ACTOR).store.state is StoreState.DELETED

    def test_another_body_under_the_same_key_is_refused(self, backend):
        backend.stores.add(a_new_store(), KEY, ACTOR)
        with pytest.raises(IdempotencyMismatchError) as error:
            backend.stores.add(a_new_store(), IdempotencyKey(KEY.key, "another"), ACTOR)
        assert error.value.field == "Idempotency-Key"
        assert len(all_stores(backend)) == 1

    def test_a_key_is_free_after_a_day(self, backend):
        first = backend.stores.add(a_new_store(), KEY, ACTOR).store
        backend.later(DAY - 60)
        assert backend.stores.add(a_new_store(), KEY, ACTOR).store.id == first.id
        backend.later(120)
        other = IdempotencyKey(KEY.key, "another body")
        second = backend.stores.add(a_new_store(), other, ACTOR)
        assert second.store.id != first.id
        assert second.announcement
        assert backend.stores.add(a_new_store(), other, ACTOR).store.id == second.store.id

    def test_two_customers_may_use_one_key(self, backend):
        mine = backend.stores.add(a_new_store(), KEY, ACTOR).store
        theirs = backend.stores.add(
            a_new_store(customer_id=STRANGER), IdempotencyKey(KEY.key, "another"), ACTOR
        ).store
        assert mine.id != theirs.id

    def test_twenty_at_once_make_one_store(self, backend):
        start = Barrier(20)

        def post(_):
            start.wait()
            return backend.stores.add(a_new_store(name="pottery"), KEY, ACTOR)

        with ThreadPoolExecutor(20) as threads:
            accepted = list(threads.map(post, range(20)))
        assert len({each.store.id for each in accepted}) == 1
        assert sum(each.announcement is not None for each in accepted) == 1
        assert len(all_stores(backend)) == 1
        assert backend.said(accepted[0].store.id) == [(1, False)]

    def test_twenty_names_at_once_make_one_store(self, backend):
        start = Barrier(20)

        def post(number):
            start.wait()
            try:
                return backend.stores.add(
                    a_new_store(name="pottery"), IdempotencyKey(str(number), "x"), ACTOR
                )
            except NameTakenError:
                return None

        with ThreadPoolExecutor(20) as threads:
            accepted = [each for each in threads.map(post, range(20)) if each]
        assert len(accepted) == 1


class TestLooking:
    def test_a_strangers_store_does_not_exist(self, backend):
        theirs = a_new_store(customer_id=STRANGER)
        backend.stores.add(theirs, None, ACTOR)
        for store_id in (theirs.id, uuid4()):
            with pytest.raises(StoreNotFoundError):
                backend.stores.get(CUSTOMER, store_id)
            with pytest.raises(StoreNotFoundError):
                backend.stores.history(CUSTOMER, store_id)
            with pytest.raises(StoreNotFoundError):
                backend.stores.remove(CUSTOMER, store_id, ACTOR)
        assert all_stores(backend) == []
        assert backend.stores.get(STRANGER, theirs.id).state is StoreState.QUEUED

    def test_pages_are_newest_first_and_have_everything_once(self, backend):
        made = [backend.stores.add(a_new_store(), None, ACTOR).store.id for _ in range(7)]
        pages = everywhere(backend, limit=3)
        assert [len(page) for page in pages] == [3, 3, 1]
        assert [each for page in pages for each in page] == made[::-1]

    def test_stores_made_between_two_pages_neither_hide_nor_repeat_any(self, backend):
        made = [backend.stores.add(a_new_store(), None, ACTOR).store.id for _ in range(6)]
        seen, after = [], None
        while found := all_stores(backend, limit=2, after=after):
            seen += [store.id for store in found]
            after = Position(found[-1].created_at, found[-1].id)
            backend.stores.add(a_new_store(), None, ACTOR)
        assert seen == made[::-1]

    def test_stores_of_one_moment_are_told_apart_by_id(self, backend):
        made = [backend.stores.add(a_new_store(), None, ACTOR).store for _ in range(5)]
        for store in made:
            backend.put(store.id, created_at=made[0].created_at)
        seen = [each for page in everywhere(backend, limit=2) for each in page]
        assert seen == sorted((store.id for store in made), reverse=True)

    def test_a_page_may_ask_for_one_state(self, backend):
        queued = backend.stores.add(a_new_store(), None, ACTOR).store
        going = backend.stores.add(a_new_store(), None, ACTOR).store
        backend.stores.remove(CUSTOMER, going.id, ACTOR)
        assert [store.id for store in all_stores(backend, state=StoreState.QUEUED)] == [queued.id]
        assert [store.id for store in all_stores(backend, state=StoreState.DELETING)] == [going.id]
        assert all_stores(backend, state=StoreState.READY) == []

    @pytest.mark.parametrize(
        ("text", "found"),
        [("POTT", True), ("töpf", True), ("TÖPF", True), ("shops.example", True), ("50%", True),
         ("100", False),
         ("_", False), ("%", True), ("'", False), ("\\", False)],
    )  # fmt: skip
    def test_a_page_may_ask_for_text_in_name_title_or_host_name(self, backend, text, found):
        backend.stores.add(a_new_store(name="pottery", title="Töpferei 50%"), None, ACTOR)
        assert bool(all_stores(backend, text=text)) is found


class TestAskDeletion:
    def test_a_deletion_is_a_new_intent(self, backend):
        store = backend.stores.add(a_new_store(), None, ACTOR).store
        accepted = backend.stores.remove(CUSTOMER, store.id, Actor("customer c", "request d"))
        assert (accepted.store.state, accepted.store.desired) == (StoreState.DELETING, Desired.DELETED)
        assert (accepted.store.generation, accepted.store.reason) == (2, None)
        assert accepted.announcement.intent.generation == 2
        assert backend.said(store.id) == [(1, False), (2, False)]
        entry = backend.stores.history(CUSTOMER, store.id)[-1]
        assert (entry.actor, entry.cause, entry.action) == ("customer c", "request d", "purge asked")
        assert (entry.from_state, entry.to_state) == (StoreState.QUEUED, StoreState.DELETING)
        assert entry.generation == 2

    def test_asking_again_changes_nothing(self, backend):
        store = backend.stores.add(a_new_store(), None, ACTOR).store
        first = backend.stores.remove(CUSTOMER, store.id, ACTOR)
        again = backend.stores.remove(CUSTOMER, store.id, ACTOR)
        assert again.store == first.store
        assert again.announcement is None
        assert len(backend.stores.history(CUSTOMER, store.id)) == 2
        assert len(backend.said(store.id)) == 2

    @pytest.mark.parametrize("state", [state for state in MOVES if StoreState.DELETING in MOVES[state]])
    def test_it_works_from_every_state(self, backend, state):
        store = backend.stores.add(a_new_store(), None, ACTOR).store
        backend.put(store.id, state=state, reason="because", failures=7)
        after = backend.stores.remove(CUSTOMER, store.id, ACTOR).store
        assert (after.state, after.failures, after.reason) == (StoreState.DELETING, 0, None)
        assert backend.stores.history(CUSTOMER, store.id)[-1].from_state is state

    def test_what_is_deleted_stays_so(self, backend):
        store = backend.stores.add(a_new_store(), None, ACTOR).store
        gone(backend, store.id)
        accepted = backend.stores.remove(CUSTOMER, store.id, ACTOR)
        assert (accepted.store.state, accepted.announcement) == (StoreState.DELETED, None)

    def test_ten_at_once_make_one_intent(self, backend):
        store = backend.stores.add(a_new_store(), None, ACTOR).store
        start = Barrier(10)

        def delete(_):
            start.wait()
            return backend.stores.remove(CUSTOMER, store.id, ACTOR)

        with ThreadPoolExecutor(10) as threads:
            accepted = list(threads.map(delete, range(10)))
        assert sum(each.announcement is not None for each in accepted) == 1
        assert {each.store.generation for each in accepted} == {2}
        assert len(backend.said(store.id)) == 2
