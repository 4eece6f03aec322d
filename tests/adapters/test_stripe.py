"""Stripe's events become facts: by themselves, and by asking a stand-in of its API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from control_plane.adapters.postgres_billing import PostgresBilling
from control_plane.adapters.stripe_notices import StripeNotices
from control_plane.adapters.stripe_subscriptions import StripeSubscriptions
from control_plane.domain.billing import Fact, FactKind, SubscriptionStatus, fold
from control_plane.domain.errors import MisconfiguredError, TemporaryError
from control_plane.ports.billing import SubscriptionSnapshot, SubscriptionSource, UnknownEvent
from control_plane.use_cases.receive_billing_notice import ReceiveBillingNotice
from tests.adapters import stripe_stand_in
from tests.adapters.backends import PostgresBackend
from tests.adapters.stripe_stand_in import KEY, StripeStandIn, an_example
from tests.adapters.test_billing import Book

K = FactKind
SECRET = "whsec_of-a-test"
CREATED = 1772362800
SUBSCRIPTION = an_example("subscription")["id"]
CUSTOMER = an_example("subscription")["customer"]
METADATA = {"urumi_store_name": "teapots", "urumi_title": "Teapots & more"}


@pytest.fixture
def stand_in() -> Iterator[StripeStandIn]:
    with stripe_stand_in.running() as running:
        yield running


def an_event(
    kind: str, found: dict[str, Any], *, number: int = 1, created: float = CREATED
) -> dict[str, Any]:
    return an_example("event", id=f"evt_{number}", type=kind, created=int(created), data={"object": found})


def a_price(**changes: Any) -> dict[str, Any]:
    items = an_example("subscription")["items"]
    items["data"][0]["price"] |= changes
    return dict(items)


def a_session(**changes: Any) -> dict[str, Any]:
    return an_example(
        "checkout.session",
        **{
            "mode": "subscription",
            "status": "complete",
            "payment_status": "paid",
            "subscription": SUBSCRIPTION,
            "customer": CUSTOMER,
            "metadata": METADATA,
            **changes,
        },
    )


def an_invoice(**changes: Any) -> dict[str, Any]:
    parent = {"type": "subscription_details", "subscription_details": {"subscription": SUBSCRIPTION}}
    return an_example(
        "invoice",
        **{"parent": parent, "billing_reason": "subscription_cycle", "amount_paid": 2000, **changes},
    )


def signed(event: dict[str, Any]) -> tuple[bytes, str]:
    body = json.dumps(event)
    return body.encode(), stripe.WebhookSignature.generate_signature_header(body, SECRET, int(time.time()))


def read(event: dict[str, Any], source: SubscriptionSource | None = None) -> Fact | UnknownEvent:
    return StripeNotices(SECRET, source).read(*signed(event))


def a_fact(event: dict[str, Any], source: SubscriptionSource | None = None) -> Fact:
    found = read(event, source)
    assert isinstance(found, Fact)
    return found


@pytest.mark.parametrize(
    ("kind", "status", "fact"),
    [
        ("created", "active", K.ACTIVATED),
        ("created", "trialing", K.TRIAL_STARTED),
        ("updated", "trialing", K.TRIAL_STARTED),
        ("trial_will_end", "trialing", K.TRIAL_STARTED),
        ("updated", "active", K.RECOVERED),
        ("resumed", "active", K.RECOVERED),
        ("updated", "past_due", K.PAST_DUE),
        ("updated", "unpaid", K.PAST_DUE),
        ("paused", "paused", K.PAUSED),
        ("deleted", "canceled", K.CANCELED),
        ("updated", "incomplete_expired", K.EXPIRED),
    ],
)
def test_a_subscription_is_what_its_status_says(kind: str, status: str, fact: FactKind) -> None:
    found = a_fact(an_event(f"customer.subscription.{kind}", an_example("subscription", status=status)))
    assert (found.kind, found.subscription_id, found.customer) == (fact, SUBSCRIPTION, CUSTOMER)
    assert (found.source, found.event_id) == ("stripe", "evt_1")
    assert found.occurred_at == datetime.fromtimestamp(CREATED, UTC)
    ends_at = datetime.fromtimestamp(1234567890, UTC)  # as in the example
    assert found.trial_ends_at == (ends_at if fact is K.TRIAL_STARTED else None)


@pytest.mark.parametrize(
    ("price", "plan"),
    [
        ({"metadata": {"urumi_plan": "business"}, "lookup_key": "other"}, "business"),
        ({"lookup_key": "business"}, "business"),
        ({}, None),
        ({"metadata": None}, None),
    ],
)
def test_the_plan_is_what_the_price_names(price: dict[str, Any], plan: str | None) -> None:
    subscription = an_example("subscription", items=a_price(**price))
    assert a_fact(an_event("customer.subscription.updated", subscription)).plan == plan


def test_a_checkout_orders_the_store() -> None:
    found = a_fact(an_event("checkout.session.completed", a_session()))
    assert (found.kind, found.subscription_id, found.customer) == (K.ACTIVATED, SUBSCRIPTION, CUSTOMER)
    assert found.store
    assert (found.store.name, found.store.title) == ("teapots", "Teapots & more")
    assert found.store.admin_email == "example@example.com"


def test_a_checkout_without_a_payment_orders_the_store_and_says_nothing_of_the_status() -> None:
    found = a_fact(an_event("checkout.session.completed", a_session(payment_status="no_payment_required")))
    assert found.kind is K.PLAN_CHANGED
    assert found.store


def test_a_subscription_may_order_the_store_itself() -> None:
    metadata = {"urumi_store_name": "cups", "urumi_admin_email": "anna@example.com"}
    subscription = an_example("subscription", status="active", metadata=metadata)
    store = a_fact(an_event("customer.subscription.created", subscription)).store
    assert store
    assert (store.name, store.title, store.admin_email) == ("cups", "cups", "anna@example.com")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metadata": {"urumi_store_name": "No!"}}, "name: use 3 to 40"),
        ({"customer_details": None}, "admin_email: "),
        ({"metadata": {**METADATA, "urumi_admin_email": "me"}}, "admin_email: this is not an e-mail address"),
    ],
)
def test_an_order_that_cannot_be_used_is_told(changes: dict[str, Any], said: str) -> None:
    found = a_fact(an_event("checkout.session.completed", a_session(**changes)))
    assert (found.kind, found.store) == (K.ACTIVATED, None)
    assert said in found.remark


@pytest.mark.parametrize(
    ("kind", "changes", "fact"),
    [
        ("paid", {}, K.RECOVERED),
        ("paid", {"billing_reason": "subscription_create"}, K.ACTIVATED),
        ("paid", {"parent": None, "subscription": SUBSCRIPTION}, K.RECOVERED),
        ("payment_failed", {}, K.PAST_DUE),
    ],
)
def test_an_invoice_is_paid_or_not(kind: str, changes: dict[str, Any], fact: FactKind) -> None:
    found = a_fact(an_event(f"invoice.{kind}", an_invoice(**changes)))
    assert (found.kind, found.subscription_id) == (fact, SUBSCRIPTION)


@pytest.mark.parametrize(
    "event",
    [
        an_event("invoice.paid", an_invoice(billing_reason="subscription_create", amount_paid=0)),
        an_event("invoice.payment_failed", an_invoice(billing_reason="subscription_create")),
        an_event("invoice.paid", an_example("invoice", parent=None)),
        an_event("checkout.session.completed", an_example("checkout.session")),
        an_event("customer.subscription.created", an_example("subscription", status="incomplete")),
        an_event("customer.subscription.updated", an_example("subscription", status="of the future")),
        an_event("customer.subscription.pending_update_applied", an_example("subscription")),
        an_event("charge.succeeded", {"id": "ch_1", "object": "charge"}),
    ],
)
def test_what_says_nothing_of_a_subscription_is_noted_by_its_type(event: dict[str, Any]) -> None:
    found = read(event)
    assert isinstance(found, UnknownEvent)
    assert found.remark.startswith(event["type"])


@dataclass
class SlowStripe:
    """Reads what a subscription is, and is long in saying it."""

    kind: FactKind
    read_at: float = 0.0

    def snapshot(self, subscription_id: str) -> SubscriptionSnapshot:
        """See the port."""
        self.read_at = time.time()
        time.sleep(2.0)
        return SubscriptionSnapshot(self.kind, CUSTOMER)


class TestAsked:
    """Where a key is set, the subscription is asked for, and that answer is the fact."""

    @pytest.fixture
    def source(self, stand_in: StripeStandIn) -> StripeSubscriptions:
        return StripeSubscriptions(KEY, stand_in.url)

    def test_the_answer_decides_and_not_the_event(
        self, stand_in: StripeStandIn, source: StripeSubscriptions
    ) -> None:
        stand_in.subscriptions[SUBSCRIPTION] = an_example(
            "subscription", status="active", items=a_price(lookup_key="business")
        )
        failed = an_event("invoice.payment_failed", an_invoice())
        found = a_fact(failed, source)
        assert (found.kind, found.plan) == (K.RECOVERED, "business")
        assert stand_in.asked == [f"/v1/subscriptions/{SUBSCRIPTION}"]

    def test_an_answer_that_agrees_is_of_the_events_time_and_another_of_now(
        self, stand_in: StripeStandIn, source: StripeSubscriptions
    ) -> None:
        stand_in.subscriptions[SUBSCRIPTION] = an_example("subscription", status="past_due")
        agreed = an_event("customer.subscription.updated", an_example("subscription", status="past_due"))
        assert a_fact(agreed, source).occurred_at == datetime.fromtimestamp(CREATED, UTC)
        other = an_event("customer.subscription.updated", an_example("subscription", status="active"))
        found = a_fact(other, source)
        assert found.kind is K.PAST_DUE
        assert timedelta(0) <= datetime.now(UTC) - found.occurred_at < timedelta(minutes=1)
        assert found.occurred_at.microsecond == 0

    def test_what_happens_while_stripe_answers_is_newer_than_the_answer(self) -> None:
        slow = SlowStripe(K.PAST_DUE)
        stale = a_fact(an_event("customer.subscription.updated", an_example("subscription")), slow)
        paid = a_fact(an_event("invoice.paid", an_invoice(), number=2, created=slow.read_at + 1))
        assert stale.kind is K.PAST_DUE
        assert fold([stale, paid]).status is SubscriptionStatus.ACTIVE

    def test_an_answer_is_no_older_than_the_event_that_it_contradicts_where_our_clock_is_behind(
        self, stand_in: StripeStandIn, source: StripeSubscriptions
    ) -> None:
        stand_in.subscriptions[SUBSCRIPTION] = an_example("subscription", status="canceled")
        ahead = time.time() + 90
        found = a_fact(an_event("invoice.paid", an_invoice(), created=ahead), source)
        assert (found.kind, found.occurred_at) == (K.CANCELED, datetime.fromtimestamp(int(ahead), UTC))

    def test_a_checkout_still_orders_the_store(
        self, stand_in: StripeStandIn, source: StripeSubscriptions
    ) -> None:
        for status, kind in (("trialing", K.TRIAL_STARTED), ("incomplete", K.PLAN_CHANGED)):
            stand_in.subscriptions[SUBSCRIPTION] = an_example("subscription", status=status)
            session = a_session(payment_status="no_payment_required")
            found = a_fact(an_event("checkout.session.completed", session), source)
            assert found.kind is kind
            assert found.store

    def test_the_same_event_has_the_same_fingerprint_whatever_has_happened_since(
        self, stand_in: StripeStandIn, source: StripeSubscriptions
    ) -> None:
        event = an_event("invoice.paid", an_invoice())
        prints = set()
        for status in ("active", "canceled"):
            stand_in.subscriptions[SUBSCRIPTION] = an_example("subscription", status=status)
            prints.add(a_fact(event, source).fingerprint)
        assert len(prints) == 1

    def test_a_subscription_that_is_not_there_leaves_the_event_to_be_believed(
        self, source: StripeSubscriptions
    ) -> None:
        deleted = an_event("customer.subscription.deleted", an_example("subscription", status="canceled"))
        assert a_fact(deleted, source).kind is K.CANCELED

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_an_api_that_does_not_answer_is_asked_again_later(
        self, stand_in: StripeStandIn, source: StripeSubscriptions, status: int
    ) -> None:
        stand_in.status = status
        with pytest.raises(TemporaryError, match="Stripe does not answer"):
            source.snapshot(SUBSCRIPTION)
        assert len(stand_in.asked) == 1

    def test_an_api_that_is_not_there_is_asked_again_later(self) -> None:
        with pytest.raises(TemporaryError):
            StripeSubscriptions(KEY, "http://127.0.0.1:1").snapshot(SUBSCRIPTION)

    def test_a_wrong_key_is_nobodys_fault_but_ours_and_is_not_told(self, stand_in: StripeStandIn) -> None:
        with pytest.raises(MisconfiguredError) as refused:
            StripeSubscriptions("sk_live_secret", stand_in.url).snapshot(SUBSCRIPTION)
        assert "secret" not in str(refused.value)

    def test_a_fact_that_could_not_be_asked_for_is_not_read(
        self, stand_in: StripeStandIn, source: StripeSubscriptions
    ) -> None:
        stand_in.status = 500
        with pytest.raises(TemporaryError):
            read(an_event("invoice.paid", an_invoice()), source)


class TestRecorded:
    """Through the database: what Stripe sends in any order ends in what Stripe says last."""

    @pytest.fixture
    def book(self, real: PostgresBackend) -> Book:
        return Book(real)

    def deliver(self, book: Book, event: dict[str, Any], source: StripeSubscriptions | None = None) -> str:
        billing = PostgresBilling(book.real.functions["billing_event"])
        receive = ReceiveBillingNotice(StripeNotices(SECRET, source), billing, book.record)
        return receive(*signed(event))

    def test_a_checkout_makes_the_store_and_a_replay_changes_nothing(self, book: Book) -> None:
        event = an_event("checkout.session.completed", a_session())
        assert [self.deliver(book, event) for _ in range(2)] == ["recorded", "known"]
        assert (book.store(SUBSCRIPTION)["name"], len(book.stores())) == ("teapots", 1)
        assert book.real.accounts_of(CUSTOMER) == [book.store(SUBSCRIPTION)["customer_id"]]

    def test_events_of_one_second_in_any_order(self, book: Book) -> None:
        """Paid again in the second when its end was told: the end counts."""
        created = time.time()
        events = [
            an_event("checkout.session.completed", a_session(), number=1, created=created - 9),
            an_event("customer.subscription.deleted", an_example("subscription", status="canceled"),
                     number=2, created=created),
            an_event("invoice.payment_failed", an_invoice(), number=3, created=created),
            an_event("invoice.paid", an_invoice(), number=4, created=created),
        ]  # fmt: skip
        for number in (1, 3, 0, 2):
            self.deliver(book, events[number])
        assert book.row(SUBSCRIPTION)["status"] == "canceled"
        assert book.store(SUBSCRIPTION)["holds"] == ["billing"]

    def test_a_late_payment_of_what_was_canceled_brings_no_store_back(self, book: Book) -> None:
        created = time.time() - 90
        canceled = an_example("subscription", status="canceled")
        for number, (kind, found) in enumerate(
            [
                ("checkout.session.completed", a_session()),
                ("customer.subscription.deleted", canceled),
                ("invoice.paid", an_invoice()),
            ]
        ):
            self.deliver(book, an_event(kind, found, number=number, created=created + 10 * number))
        assert book.row(SUBSCRIPTION)["status"] == "canceled"
        assert book.store(SUBSCRIPTION)["holds"] == ["billing"]

    def test_late_events_are_answered_with_what_is(self, book: Book, stand_in: StripeStandIn) -> None:
        """Stripe's last word was that it is paid; the failure that comes after it is an old one."""
        source = StripeSubscriptions(KEY, stand_in.url)
        stand_in.subscriptions[SUBSCRIPTION] = an_example("subscription", status="active")
        ago = time.time() - 3600
        for number, (kind, found) in enumerate(
            [
                ("invoice.paid", an_invoice()),
                ("checkout.session.completed", a_session()),
                ("invoice.payment_failed", an_invoice()),
            ]
        ):
            self.deliver(book, an_event(kind, found, number=number, created=ago - number), source)
        assert book.row(SUBSCRIPTION)["status"] == "active"
        time.sleep(1.1)  # in one second a payment counts more
        stand_in.subscriptions[SUBSCRIPTION] = an_example("subscription", status="past_due")
        late = an_event("customer.subscription.trial_will_end", an_example("subscription", status="trialing"),
                        number=9, created=ago - 9 * 86400)  # fmt: skip
        self.deliver(book, late, source)
        assert book.row(SUBSCRIPTION)["status"] == "past-due"
        assert datetime.now(UTC) - book.row(SUBSCRIPTION)["since"] < timedelta(minutes=1)
        assert book.store(SUBSCRIPTION)["notice"] == "past-due"

    def test_another_type_is_kept_where_it_can_be_seen(self, book: Book) -> None:
        event = an_event("charge.succeeded", {"id": "ch_1", "receipt_email": "anna@example.com"})
        assert [self.deliver(book, event) for _ in range(2)] == ["noted", "noted"]
        rows = book.real.back_door.run("SELECT kind, remark FROM billing_facts")
        assert rows == [["unknown", "charge.succeeded"]]
