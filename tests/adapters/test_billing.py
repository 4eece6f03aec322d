"""Facts of billing on a real database: recorded once, folded, and the store made what they mean."""

from __future__ import annotations

import base64
import json
import random
import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import functions_framework
import pytest
import stripe
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from werkzeug.test import Client

from control_plane.adapters.postgres_billing import PostgresBilling
from control_plane.adapters.postgres_database import sqlstate
from control_plane.adapters.postgres_registry import PostgresRegistry
from control_plane.domain.accounts import Scope, TokenShown
from control_plane.domain.billing import (
    Consequence,
    ContradictionError,
    Fact,
    FactKind,
    NextStep,
    StoreOrder,
)
from control_plane.domain.dead_letters import Operator
from control_plane.domain.registry import ERASED_ADDRESS
from control_plane.domain.store import Actor
from control_plane.plan_file import plans
from control_plane.ports.billing import UnknownEvent
from control_plane.use_cases.announce import Announce
from control_plane.use_cases.bill_store import BillStore, next_of
from control_plane.use_cases.hostnames import Hostnames
from control_plane.use_cases.record_billing_fact import RecordBillingFact
from control_plane.use_cases.settle_subscriptions import SettleSubscriptions
from dev.machine.place import CHECKOUT
from tests.adapters.backends import PostgresBackend
from tests.adapters.test_accounts import an_identity, ask
from tests.builders import BASE_DOMAIN, CELL
from tests.fakes.clock import FakeClock
from tests.fakes.events import FakeEvents
from tests.postgres_server import Server

K = FactKind
ORDER = StoreOrder("teapots", "Teapots & more", "anna@example.com")
GRACE, RETENTION, TRIAL = (
    timedelta(days=getattr(plans().stores["standard"], f"{each}_days"))
    for each in ("grace", "retention", "trial")
)


class Book:
    """A billing system, a control plane and a database, as the functions have them."""

    def __init__(self, real: PostgresBackend) -> None:
        self.real = real
        bill = BillStore(plans().stores, Hostnames(BASE_DOMAIN), CELL)
        function, reconcile = real.functions["billing_event"], real.functions["reconcile"]
        self.billing = PostgresBilling(function)
        self.events = FakeEvents(FakeClock())
        self.record = RecordBillingFact(self.billing, bill, Announce(self.events))
        self.settle = SettleSubscriptions(PostgresBilling(reconcile), bill)
        self._number = 0

    def fact(self, kind: FactKind, at: datetime | None = None, **more: Any) -> Fact:
        """A new event; activations order a store."""
        self._number += 1
        fact = Fact(
            source="https://billing.example.com",
            event_id=f"evt_{self._number}",
            kind=kind,
            subscription_id="sub_1",
            customer="cus_1",
            occurred_at=at or datetime.now(UTC),
            fingerprint=f"f{self._number}",
            store=ORDER if kind is K.ACTIVATED else None,
        )
        return replace(fact, **more)

    def say(self, kind: FactKind, at: datetime | None = None, **more: Any) -> Fact:
        """Record a new event."""
        fact = self.fact(kind, at, **more)
        assert self.record(fact)
        return fact

    def move_time(self, by: timedelta) -> None:
        """Move the platform's time."""
        self.real.back_door.run(
            "INSERT INTO time_offset (ahead) VALUES (CAST(:by AS interval))"
            " ON CONFLICT (only_row) DO UPDATE SET ahead = time_offset.ahead + EXCLUDED.ahead",
            by=f"{by.total_seconds()} seconds",
        )

    def row(self, subscription: str = "sub_1") -> dict[str, Any]:
        """A subscription's row."""
        return self._one("SELECT * FROM subscriptions WHERE id = :id", id=subscription)

    def store(self, subscription: str = "sub_1") -> dict[str, Any]:
        """The row of a subscription's store."""
        return self._one("SELECT * FROM stores WHERE id = :id", id=self.row(subscription)["store_id"])

    def next_step(self) -> NextStep | None:
        """What the API says that becomes of the subscription's store."""
        store = self.store()
        self.real.let_in(store["customer_id"], digest := secrets.token_hex(32))
        with self.real.accounts.enter(TokenShown(digest), Scope.READ) as transaction:
            looked = transaction.stores.look(store["id"])
        assert looked.paying
        return next_of(looked.store, looked.paying.state, plans().stores, looked.now)

    def stores(self) -> list[UUID]:
        """All stores, oldest first."""
        return [row[0] for row in self.real.back_door.run("SELECT id FROM stores ORDER BY created_at")]

    def audit(self) -> list[tuple[str, str, str]]:
        """Who did what to the subscription's store and why, oldest first."""
        rows = self.real.back_door.run(
            "SELECT actor, cause, action FROM audit WHERE store_id = :id ORDER BY position",
            id=self.row()["store_id"],
        )
        return [tuple(row) for row in rows]

    def _one(self, statement: str, **parameters: Any) -> dict[str, Any]:
        connection = self.real.back_door
        (row,) = connection.run(statement, **parameters)
        return dict(zip((each["name"] for each in connection.columns), row, strict=True))


@pytest.fixture
def book(real: PostgresBackend) -> Book:
    return Book(real)


def test_an_activation_makes_the_store_that_it_orders_and_says_so(book: Book) -> None:
    fact = book.say(K.ACTIVATED, plan="business")
    store = book.store()
    assert (store["name"], store["title"], store["admin_email"]) == (
        "teapots",
        ORDER.title,
        ORDER.admin_email,
    )
    assert (store["state"], store["plan"], store["holds"], store["notice"]) == ("QUEUED", "business", [], "")
    assert book.audit() == [("billing", f"billing event {fact.event_id}", "created")]
    assert [(each.store_id, each.generation) for each in book.events.published] == [(store["id"], 1)]
    assert book.real.said(store["id"]) == [(1, False)]
    row = book.row()
    assert (row["status"], row["note"], row["due_at"]) == ("active", "", None)


def test_the_account_is_that_of_the_billing_systems_customer(book: Book) -> None:
    book.say(K.ACTIVATED)
    book.say(K.ACTIVATED, subscription_id="sub_2", store=replace(ORDER, name="cups"))
    book.say(K.ACTIVATED, subscription_id="sub_3", customer="cus_2")
    first, second, third = (book.store(each)["customer_id"] for each in ("sub_1", "sub_2", "sub_3"))
    assert first == second != third
    assert book.real.told_of(first) == [("billing", "billing event evt_1", "account made", "billing")]


def test_an_account_that_was_linked_before_is_used(book: Book) -> None:
    account = UUID(int=7)
    book.real.let_in(account, "00" * 32)
    book.real.back_door.run(
        "INSERT INTO links (kind, issuer, customer, account_id)"
        " VALUES ('billing', 'https://billing.example.com', 'cus_1', :id)",
        id=account,
    )
    book.say(K.ACTIVATED)
    assert book.store()["customer_id"] == account


def test_the_same_event_again_changes_nothing(book: Book) -> None:
    fact = book.say(K.ACTIVATED)
    before = (book.row(), book.store(), book.audit())
    assert not book.record(fact)
    assert (book.row(), book.store(), book.audit()) == before
    assert len(book.stores()) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": K.CANCELED, "fingerprint": "another"}, "says something else now"),
        ({"event_id": "evt_new", "fingerprint": "n", "customer": "cus_9"}, "another customer's"),
        ({"event_id": "evt_new", "fingerprint": "n", "source": "stripe"}, "another billing system's"),
        (
            {"event_id": "evt_new", "fingerprint": "n", "source": "stripe", "customer": "cus_9"},
            "another billing system's",
        ),
    ],
)
def test_what_contradicts_changes_nothing(book: Book, changes: dict[str, Any], said: str) -> None:
    fact = book.say(K.ACTIVATED)
    before = (book.row(), book.store(), book.audit())
    with pytest.raises(ContradictionError, match=said):
        book.record(replace(fact, **changes))
    assert (book.row(), book.store(), book.audit()) == before
    assert book.real.back_door.run("SELECT count(*) FROM billing_facts") == [[1]]
    assert book.real.accounts_of("cus_9") == []
    assert len(book.real.accounts_of("cus_1")) == 1


def test_two_billing_systems_may_use_one_event_id(book: Book) -> None:
    book.say(K.ACTIVATED, event_id="1")
    book.say(K.ACTIVATED, event_id="1", source="stripe", subscription_id="sub_2", fingerprint="another")
    assert len(book.stores()) == 2


def test_unpaid_runs_with_a_notice_then_is_held_and_paying_brings_it_back(book: Book) -> None:
    begun = datetime.now(UTC)
    book.say(K.ACTIVATED, begun)
    late = book.say(K.PAST_DUE, begun + timedelta(hours=1))
    assert (book.store()["notice"], book.store()["holds"]) == ("past-due", [])
    assert book.row()["due_at"] == late.occurred_at + GRACE
    assert book.settle() == 0

    book.move_time(GRACE)
    assert book.settle() == 0
    book.move_time(timedelta(hours=2))
    assert book.settle() == 1
    assert (book.store()["notice"], book.store()["holds"]) == ("", ["billing"])
    assert book.audit()[-1][:2] == ("reconcile", "deadline of subscription sub_1")
    assert book.settle() == 0

    paid = book.say(K.RECOVERED, late.occurred_at + GRACE + timedelta(hours=3))
    assert (book.store()["notice"], book.store()["holds"]) == ("", [])
    assert book.audit()[-1][:2] == ("billing", f"billing event {paid.event_id}")


def test_what_the_api_says_comes_next_is_what_reconcile_does(book: Book) -> None:
    book.say(K.ACTIVATED)
    assert book.next_step() is None
    book.say(K.PAST_DUE)
    suspension = NextStep(book.row()["known_at"] + GRACE, Consequence.SUSPENDED)
    assert (book.next_step(), book.row()["due_at"]) == (suspension, suspension.at)
    book.say(K.PLAN_CHANGED, plan="tomorrows")  # which is tried again each minute
    assert book.row()["due_at"] < suspension.at
    assert book.next_step() == suspension
    book.say(K.PLAN_CHANGED, plan="standard")
    book.move_time(GRACE + timedelta(minutes=1))
    assert book.next_step() is None
    assert book.settle() == 1
    assert (book.store()["holds"], book.next_step()) == (["billing"], None)

    book.say(K.CANCELED)
    assert book.next_step() == NextStep(book.row()["due_at"], Consequence.REMOVED)
    book.move_time(RETENTION + timedelta(minutes=1))
    assert book.settle() == 1
    assert (book.store()["state"], book.next_step()) == ("DELETING", None)


def test_paying_lifts_billings_hold_only(book: Book) -> None:
    book.say(K.ACTIVATED)
    book.say(K.PAUSED)
    book.real.put(book.row()["store_id"], holds=["billing", "operator"])
    book.say(K.RECOVERED, datetime.now(UTC) + timedelta(seconds=1))
    assert book.store()["holds"] == ["operator"]


def test_a_canceled_store_is_kept_through_its_retention_then_removed(book: Book) -> None:
    book.say(K.ACTIVATED)
    book.say(K.CANCELED)
    assert (book.store()["state"], book.store()["holds"]) == ("QUEUED", ["billing"])
    book.move_time(RETENTION - timedelta(minutes=1))
    assert book.settle() == 0
    book.move_time(timedelta(minutes=2))
    assert book.settle() == 1
    assert (book.store()["state"], book.store()["desired"]) == ("DELETING", "deleted")
    assert (book.row()["store_removed"], book.row()["due_at"], book.row()["note"]) == (True, None, "")


def test_a_store_is_kept_as_long_when_its_end_came_late(book: Book) -> None:
    """Nobody's shop is removed by a message that was late."""
    ago = datetime.now(UTC) - 3 * RETENTION
    book.say(K.ACTIVATED, ago)
    book.say(K.CANCELED, ago + timedelta(days=1))
    assert (book.store()["desired"], book.store()["holds"]) == ("running", ["billing"])
    left = book.row()["due_at"] - datetime.now(UTC)
    assert RETENTION - timedelta(minutes=1) < left <= RETENTION
    book.say(K.EXPIRED)
    assert book.row()["due_at"] - datetime.now(UTC) < left
    book.say(K.RECOVERED)
    assert (book.store()["desired"], book.store()["holds"]) == ("running", [])


def test_a_payment_that_failed_long_ago_suspends_nobody_before_they_could_know(book: Book) -> None:
    ago = datetime.now(UTC) - 3 * GRACE
    book.say(K.ACTIVATED, ago)
    book.say(K.PAST_DUE, ago + timedelta(days=1))
    assert (book.store()["notice"], book.store()["holds"]) == ("past-due", [])
    known_at, due_at = book.row()["known_at"], book.row()["due_at"]
    assert timedelta(0) <= datetime.now(UTC) - known_at < timedelta(minutes=1)
    assert due_at == known_at + GRACE
    assert book.next_step() == NextStep(due_at, Consequence.SUSPENDED)
    book.say(K.PAST_DUE)
    assert (book.row()["known_at"], book.row()["due_at"]) == (known_at, due_at)
    book.move_time(GRACE + timedelta(minutes=1))
    assert book.settle() == 1
    assert (book.store()["notice"], book.store()["holds"]) == ("", ["billing"])


def test_a_trial_that_was_told_of_after_its_end_has_all_of_its_grace(book: Book) -> None:
    book.say(K.TRIAL_STARTED, datetime.now(UTC) - TRIAL - 2 * GRACE, store=ORDER)
    assert (book.store()["notice"], book.store()["holds"]) == ("past-due", [])
    assert book.row()["due_at"] == book.row()["known_at"] + GRACE


def test_whoever_pays_again_gets_another_store_when_billing_removed_the_first(book: Book) -> None:
    book.say(K.ACTIVATED)
    book.say(K.CANCELED)
    book.move_time(RETENTION + timedelta(days=1))
    assert book.settle() == 1
    first = book.row()["store_id"]

    book.say(K.ACTIVATED, datetime.now(UTC) + RETENTION + timedelta(days=2))
    assert book.row()["store_id"] == first
    assert "still being removed" in book.row()["note"]
    book.move_time(timedelta(minutes=2))
    assert book.settle() == 1
    assert book.row()["store_id"] == first

    book.real.put(first, state="DELETED")
    book.move_time(timedelta(minutes=2))
    assert book.settle() == 1
    assert book.row()["store_id"] != first
    assert (book.store()["name"], book.store()["state"], book.row()["note"]) == ("teapots", "QUEUED", "")
    assert (book.row()["due_at"], book.row()["store_removed"]) == (None, False)
    assert book.settle() == 0


def test_a_store_that_its_owner_deleted_stays_deleted(book: Book) -> None:
    book.say(K.ACTIVATED)
    book.real.put(book.row()["store_id"], desired="deleted", state="DELETING")
    book.say(K.RECOVERED)
    assert "deleted for good" in book.row()["note"]
    assert len(book.stores()) == 1
    book.real.put(book.row()["store_id"], state="DELETED")
    book.say(K.ACTIVATED)
    assert len(book.stores()) == 1


def test_a_smaller_plan_whose_storage_does_not_fit_is_refused_with_the_numbers(book: Book) -> None:
    book.say(K.ACTIVATED, plan="business")
    book.real.put(book.row()["store_id"], applied_plan="business")
    book.say(K.PLAN_CHANGED, datetime.now(UTC) + timedelta(seconds=1), plan="standard")
    assert book.store()["plan"] == "business"
    assert "40Gi" in book.row()["note"]
    assert "10Gi" in book.row()["note"]
    book.say(K.PLAN_CHANGED, datetime.now(UTC) + timedelta(seconds=2), plan="business")
    assert book.row()["note"] == ""


def test_a_plan_that_was_never_applied_is_taken_back(book: Book) -> None:
    book.say(K.ACTIVATED, plan="business")
    book.say(K.PLAN_CHANGED, datetime.now(UTC) + timedelta(seconds=1), plan="standard")
    assert (book.store()["plan"], book.row()["note"]) == ("standard", "")


def test_a_larger_plan_is_the_stores_next_generation(book: Book) -> None:
    book.say(K.ACTIVATED)
    book.say(K.PLAN_CHANGED, plan="business")
    assert (book.store()["plan"], book.store()["generation"]) == ("business", 2)


def test_a_plan_that_nobody_knows_waits_for_the_file_that_has_it(book: Book) -> None:
    book.say(K.ACTIVATED, plan="tomorrows")
    assert book.stores() == []
    assert "tomorrows" in book.row()["note"]
    assert book.row()["due_at"] is not None
    book.settle = replace(
        book.settle,
        bill=replace(book.settle.bill, plans={**plans().stores, "tomorrows": plans().stores["standard"]}),
    )
    book.move_time(timedelta(minutes=2))
    assert book.settle() == 1
    assert (book.store()["plan"], book.row()["note"], book.row()["due_at"]) == ("tomorrows", "", None)


def test_without_an_order_there_is_no_store_and_a_note_says_so(book: Book) -> None:
    book.say(K.RECOVERED)
    assert (book.stores(), book.row()["status"]) == ([], "active")
    assert book.row()["note"] == "no event has said yet what the store should be"
    book.say(K.ACTIVATED, datetime.now(UTC) - timedelta(days=1))
    assert (len(book.stores()), book.row()["note"]) == (1, "")


def test_a_name_that_the_account_uses_gets_a_suffix(book: Book) -> None:
    long = replace(ORDER, name="a" * 40)
    for number in (1, 2):
        book.say(K.ACTIVATED, subscription_id=f"sub_{number}")
        book.say(K.ACTIVATED, subscription_id=f"sub_{number}{number}", store=long)
    assert book.store("sub_1")["name"] == "teapots"
    assert book.store("sub_2")["name"].startswith("teapots-")
    assert len(book.store("sub_22")["name"]) == 40
    assert book.store("sub_22")["name"].startswith("a" * 35 + "-")


def test_a_trial_that_ends_without_news_is_past_due_from_then_on(book: Book) -> None:
    begun = book.say(K.TRIAL_STARTED, store=ORDER)
    assert book.row()["due_at"] == begun.occurred_at + TRIAL
    book.move_time(TRIAL + timedelta(minutes=1))
    assert book.settle() == 1
    assert (book.store()["notice"], book.store()["holds"]) == ("past-due", [])
    assert book.row()["due_at"] == begun.occurred_at + TRIAL + GRACE
    book.move_time(GRACE)
    assert book.settle() == 1
    assert book.store()["holds"] == ["billing"]
    book.say(K.ACTIVATED, begun.occurred_at + TRIAL)
    assert (book.store()["notice"], book.store()["holds"]) == ("", [])


HISTORY = (
    (K.TRIAL_STARTED, 0, {"store": ORDER}),
    (K.TRIAL_WILL_END, 11, {}),
    (K.ACTIVATED, 14, {"plan": "standard"}),
    (K.PAST_DUE, 44, {}),
    (K.RECOVERED, 46, {}),
    (K.PLAN_CHANGED, 50, {"plan": "business"}),
    (K.REFUNDED, 52, {}),
    (K.CANCELED, 80, {}),
    (K.ACTIVATED, 82, {}),
    (K.PAST_DUE, 112, {}),
)


@pytest.mark.parametrize("seed", range(4))
def test_any_order_ends_where_the_sorted_one_does(book: Book, seed: int) -> None:
    begun = datetime.now(UTC) - timedelta(days=113)
    facts = [book.fact(kind, begun + timedelta(days=day), **more) for kind, day, more in HISTORY]
    mixed = [*facts, *facts[::2]]
    random.Random(seed).shuffle(mixed)  # noqa: S311 - the same in every run
    for fact in mixed:
        book.record(fact)
    assert len(book.stores()) == 1
    store, row = book.store(), book.row()
    assert (store["plan"], store["holds"], store["notice"]) == ("business", [], "past-due")
    assert (row["status"], row["since"]) == ("past-due", begun + timedelta(days=112))
    assert (row["note"], row["due_at"]) == ("", row["known_at"] + timedelta(days=14))
    assert timedelta(0) <= datetime.now(UTC) - row["known_at"] < timedelta(minutes=1)


def test_many_at_once_make_one_account_and_one_store(book: Book) -> None:
    begun = datetime.now(UTC) - timedelta(days=113)
    facts = [book.fact(kind, begun + timedelta(days=day), **more) for kind, day, more in HISTORY]
    ready = threading.Barrier(5)

    def deliver(number: int) -> None:
        ready.wait()
        for fact in random.Random(number).sample(facts, len(facts)):  # noqa: S311
            book.record(fact)

    with ThreadPoolExecutor(5) as threads:
        list(threads.map(deliver, range(5)))
    assert len(book.stores()) == 1
    assert len(book.real.accounts_of("cus_1")) == 1
    assert (book.store()["plan"], book.store()["notice"]) == ("business", "past-due")


def test_one_bad_subscription_holds_up_no_other(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        book.say(
            K.TRIAL_STARTED, subscription_id=f"sub_{number}", store=replace(ORDER, name=f"shop-{number}")
        )
    book.move_time(TRIAL + timedelta(minutes=1))
    bill = BillStore.__call__

    def broken(self: BillStore, transaction: Any, actor: Actor, *, attempt: int = 0) -> Sequence[Any]:
        if transaction.kept.id == "sub_0":
            raise ZeroDivisionError
        return bill(self, transaction, actor, attempt=attempt)

    monkeypatch.setattr(BillStore, "__call__", broken)
    assert book.settle() == 2
    assert [book.store(f"sub_{number}")["notice"] for number in range(3)] == ["", "past-due", "past-due"]
    assert book.row("sub_0")["note"] == "its deadline could not be kept yet; it is tried again"
    assert book.settle() == 0
    monkeypatch.undo()
    book.move_time(timedelta(minutes=11))
    assert book.settle() == 1
    assert (book.store("sub_0")["notice"], book.row("sub_0")["note"]) == ("past-due", "")


def test_what_somebody_has_in_their_hands_is_left_to_them(book: Book) -> None:
    book.say(K.TRIAL_STARTED, store=ORDER)
    book.move_time(TRIAL + timedelta(minutes=1))
    with book.settle.billing.settle("sub_1") as mine:
        assert mine is not None
        assert book.settle() == 0
    assert book.settle() == 1


def test_an_event_that_says_nothing_to_us_is_kept_once(book: Book) -> None:
    event = UnknownEvent("stripe", "evt_x", datetime.now(UTC), "f", "charge.succeeded")
    book.billing.note(event)
    book.billing.note(event)
    rows = book.real.back_door.run("SELECT kind, remark, subscription_id FROM billing_facts")
    assert rows == [["unknown", "charge.succeeded", None]]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_facts SET kind = 'canceled'",
        "UPDATE billing_facts SET store_title = 'x'",
        "DELETE FROM billing_facts",
        "TRUNCATE billing_facts",
    ],
)
def test_facts_only_grow_even_for_the_owner(book: Book, statement: str) -> None:
    book.say(K.ACTIVATED)
    with pytest.raises(DBAPIError) as refused:
        book.real.database.rows(text(statement), {})
    assert sqlstate(refused.value) == "42501"


def test_an_erased_person_is_in_no_fact_and_the_facts_still_count(book: Book) -> None:
    fact = book.say(K.ACTIVATED)
    book.say(K.TRIAL_STARTED, subscription_id="sub_2", customer="cus_2", store=ORDER)
    person = ask(book.real, an_identity(subject="s", customer="c", email="Anna@example.com")).person
    account = book.store()["customer_id"]
    book.real.back_door.run(
        "INSERT INTO members (account_id, person_id, role) VALUES (:account, :person, 'owner')",
        account=account,
        person=person,
    )
    PostgresRegistry(book.real.functions["operator"]).erase(person, Operator("ops"))
    found = book.real.back_door.run("SELECT admin_email FROM billing_facts ORDER BY subscription_id")
    assert found == [[ERASED_ADDRESS], ["anna@example.com"]]
    assert not book.record(fact)
    book.say(K.PAST_DUE)
    assert book.store()["notice"] == "past-due"


class TestFunctions:
    """As they are wired: the framework, the settings and the database, with a broker that is away."""

    @pytest.fixture(autouse=True)
    def environment(
        self, real: PostgresBackend, database_url: str, postgres: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        values = {
            "DATABASE_URL": postgres.logins(database_url)["billing_event"],
            "PUBSUB_PROJECT_ID": "p",
            "PUBSUB_EMULATOR_HOST": "127.0.0.1:1",
            "URUMI_NEW_STORES_CELL": CELL,
            "URUMI_BASE_DOMAIN": BASE_DOMAIN,
            "URUMI_STRIPE_WEBHOOK_SECRET": "whsec_x",
        }
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    @staticmethod
    def client(target: str) -> Client:
        source = str(CHECKOUT / "functions" / "billing_event" / "main.py")
        client: Client = functions_framework.create_app(target, source).test_client()
        return client

    def test_an_event_makes_a_store_and_poison_waits_for_an_operator(self, book: Book) -> None:
        example = (CHECKOUT / "docs" / "billing.md").read_text().split("```json\n")[1].split("```")[0]
        client = self.client("billing_event")
        for body in (example, example, "poison", example.replace("evt_7201", "evt_2").replace("_17", "_18")):
            data = base64.b64encode(body.encode()).decode()
            push = {"subscription": "projects/p/subscriptions/s", "message": {"data": data, "messageId": "1"}}
            assert client.post("/projects/p/topics/billing-events", json=push).status_code == 200
        assert (book.store("sub_42")["name"], len(book.stores())) == ("teapots", 1)
        letters = book.real.letters.letters(answered=False, limit=9)
        assert [(each.source, each.reason) for each in letters] == [
            ("billing-events", "the message is not JSON"),
            ("billing-events", "the subscription sub_42 is known as another customer's"),
        ]

    def test_a_call_of_stripes_is_recorded(self, book: Book) -> None:
        folder = CHECKOUT / "tests" / "events" / "stripe"
        event = json.loads((folder / "event.json").read_text())
        event["type"] = "customer.subscription.updated"
        event["data"]["object"] = json.loads((folder / "subscription.json").read_text())
        body = json.dumps(event)
        signature = stripe.WebhookSignature.generate_signature_header(body, "whsec_x")
        headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
        client = self.client("stripe_webhook")
        outcomes = [client.post("/", data=body, headers=headers).get_json() for _ in range(2)]
        assert outcomes == [{"outcome": "recorded"}, {"outcome": "known"}]
        assert book.row(event["data"]["object"]["id"])["status"] == "active"
