"""Billing's functions, through the framework: what is recorded, parked, refused, and what comes again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import functions_framework
import pytest
import stripe
from werkzeug.test import Client, TestResponse

from control_plane import bootstrap
from control_plane.adapters.stripe_notices import StripeNotices
from control_plane.domain.billing import ContradictionError, Fact, FactKind
from control_plane.domain.errors import DatabaseUnavailableError, TemporaryError
from control_plane.ports.billing import UnknownEvent
from control_plane.use_cases.receive_billing_event import ReceiveBillingEvent
from control_plane.use_cases.receive_billing_notice import ReceiveBillingNotice
from dev.machine.place import CHECKOUT
from tests.fakes.dead_letters import FakeParking
from tests.functions.test_provision_and_reconcile import a_push, bear_errors
from tests.use_cases.platform import Platform

SOURCE = str(CHECKOUT / "functions" / "billing_event" / "main.py")
PATH = "/projects/test-project/topics/billing-events"
SECRET = "whsec_of-a-test"


@dataclass
class Recorder:
    """Stands for `RecordBillingFact`, and for the `Billing` port as far as it notes."""

    facts: list[Fact] = field(default_factory=list)
    noted: list[UnknownEvent] = field(default_factory=list)
    error: Exception | None = None

    def __call__(self, fact: Fact) -> bool:
        if self.error:
            raise self.error
        new = fact not in self.facts
        if new:
            self.facts.append(fact)
        return new

    def note(self, event: UnknownEvent) -> None:
        self.noted.append(event)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def billing_event(
    environment: None, platform: Platform, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> Client:
    receive = ReceiveBillingEvent(recorder, platform.parking)  # type: ignore[arg-type]
    monkeypatch.setattr(bootstrap, "receive_billing_event", lambda _settings: receive)
    return _client("billing_event")


@pytest.fixture
def webhook(environment: None, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> Client:
    receive = ReceiveBillingNotice(StripeNotices(SECRET, None), recorder, recorder)  # type: ignore[arg-type]
    monkeypatch.setattr(bootstrap, "receive_stripe_notice", lambda _settings: receive)
    return _client("stripe_webhook")


def _client(target: str) -> Client:
    client: Client = functions_framework.create_app(target, SOURCE).test_client(use_cookies=False)
    return client


def an_event(kind: str = "subscription.activated", **data: Any) -> dict[str, Any]:
    said = {
        "subscription_id": "sub_1",
        "customer": "cus_1",
        "occurred_at": "2026-03-01T12:00:00+01:00",
        "store": {"name": "teapots", "title": "Teapots & more", "admin_email": "anna@example.com"},
        **data,
    }
    return {
        "specversion": "1.0",
        "id": "evt_1",
        "source": "https://billing.example.com",
        "type": kind,
        "data": {key: value for key, value in said.items() if value is not None},
    }


def send(client: Client, event: object) -> TestResponse:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return client.post(PATH, json=a_push(body))


@pytest.mark.parametrize("kind", [each for each in FactKind if each is not FactKind.PLAN_CHANGED])
def test_each_event_is_recorded_as_a_fact(billing_event: Client, recorder: Recorder, kind: FactKind) -> None:
    assert send(billing_event, an_event(f"subscription.{kind}")).status_code == 200
    (fact,) = recorder.facts
    assert (fact.kind, fact.subscription_id, fact.customer) == (kind, "sub_1", "cus_1")
    assert fact.occurred_at.isoformat() == "2026-03-01T11:00:00+00:00"
    begins = kind in (FactKind.ACTIVATED, FactKind.TRIAL_STARTED)
    assert (fact.store is not None) == begins


def test_a_plan_and_a_trials_end_come_with_it(billing_event: Client, recorder: Recorder) -> None:
    send(billing_event, an_event("subscription.plan_changed", plan="business"))
    send(billing_event, an_event("subscription.trial_started", trial_ends_at="2026-04-01T00:00:00Z"))
    changed, started = recorder.facts
    assert changed.plan == "business"
    assert started.trial_ends_at
    assert started.trial_ends_at.isoformat() == "2026-04-01T00:00:00+00:00"


def test_fields_that_we_do_not_read_and_other_attributes_do_no_harm(
    billing_event: Client, recorder: Recorder
) -> None:
    more = {**an_event("subscription.refunded", amount=500), "time": "whenever", "traceparent": "00-1"}
    send(billing_event, more)
    send(billing_event, an_event("subscription.refunded", amount=700))
    assert len(recorder.facts) == 1


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (b"not JSON", "the message is not JSON"),
        (b"\xff\x00", "the message is not JSON"),
        (b"[" * 100_000, "the message is not JSON"),
        ([1], "the event"),
        ({}, "the event has no type"),
        (an_event("subscription.exploded"), "no event of that type is known"),
        ({**an_event(), "specversion": "0.3"}, "specversion"),
        ({**an_event(), "id": ""}, "id: "),
        ({**an_event(), "id": "a\x00b"}, "U+0000"),
        (an_event(customer=None), "data.customer: Field required"),
        (an_event(subscription_id=7), "data.subscription_id"),
        (an_event(store=None), "data.store: Field required"),
        (an_event(store={"name": "No!", "title": "t", "admin_email": "a@example.com"}), "data.store.name"),
        (an_event(store={"name": "nono", "title": "t", "admin_email": "me"}), "data.store.admin_email"),
        (an_event(occurred_at="2026-03-01T12:00:00"), "timezone"),
        (an_event(occurred_at=1772362800), "data.occurred_at"),
        (an_event(occurred_at="9999-12-31T23:59:59-10:00"), "2200"),
        (an_event("subscription.plan_changed"), "data.plan: Field required"),
    ],
)
def test_what_can_never_be_read_is_parked_and_acknowledged(
    billing_event: Client, platform: Platform, recorder: Recorder, event: object, reason: str
) -> None:
    assert send(billing_event, event).status_code == 200
    (letter,) = platform.letters.letters(answered=False, limit=9)
    assert (letter.kind, letter.source) == ("malformed", "billing-events")
    assert reason in letter.reason
    assert "anna" not in letter.reason
    assert not recorder.facts


def test_a_contradiction_is_parked(billing_event: Client, platform: Platform, recorder: Recorder) -> None:
    recorder.error = ContradictionError("the event evt_1 says something else now")
    assert send(billing_event, an_event()).status_code == 200
    (letter,) = platform.letters.letters(answered=False, limit=9)
    assert "something else" in letter.reason


def away(*_: object) -> None:
    raise DatabaseUnavailableError("the database does not answer")


def test_a_fact_that_could_not_be_recorded_comes_again(
    billing_event: Client, platform: Platform, recorder: Recorder
) -> None:
    """Nobody but the broker has it: unlike an intent, it must not be acknowledged."""
    bear_errors(billing_event)
    recorder.error = DatabaseUnavailableError("the database does not answer")
    assert send(billing_event, an_event()).status_code == 500
    recorder.error = None
    assert send(billing_event, an_event()).status_code == 200
    assert len(recorder.facts) == 1
    assert not platform.tables.dead_letters


def test_poison_that_cannot_be_parked_comes_again(
    billing_event: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    bear_errors(billing_event)
    monkeypatch.setattr(FakeParking, "park", away)
    assert send(billing_event, b"poison").status_code == 500


def a_stripe_event(kind: str = "customer.subscription.updated", **changes: Any) -> dict[str, Any]:
    folder = CHECKOUT / "tests" / "events" / "stripe"
    event = json.loads((folder / "event.json").read_text())
    found = json.loads((folder / "subscription.json").read_text())
    event |= {"type": kind, "data": {"object": {**found, **changes}}}
    return dict(event)


def signed(body: bytes, *, secret: str = SECRET, age: int = 0) -> dict[str, str]:
    header = stripe.WebhookSignature.generate_signature_header(
        body.decode(errors="replace"), secret, int(time.time()) - age
    )
    return {"Stripe-Signature": header, "Content-Type": "application/json; charset=utf-8"}


def test_a_signed_call_is_recorded_once(webhook: Client, recorder: Recorder) -> None:
    body = json.dumps(a_stripe_event(status="past_due")).encode()
    answers = [webhook.post("/", data=body, headers=signed(body)) for _ in range(2)]
    assert [(each.status_code, each.get_json()) for each in answers] == [
        (200, {"outcome": "recorded"}),
        (200, {"outcome": "known"}),
    ]
    assert [fact.kind for fact in recorder.facts] == [FactKind.PAST_DUE]


BODY = json.dumps(a_stripe_event()).encode()


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        signed(BODY, secret="whsec_of-another"),
        signed(BODY, age=301),
        signed(BODY + b" "),
        {**signed(BODY), "Stripe-Signature": "t=now,v1=no"},
        {**signed(BODY), "Stripe-Signature": f"t={int(time.time())},v1=\xe9"},
        {**signed(BODY), "Stripe-Signature": f"t={int(time.time())},v0={'0' * 64}"},
    ],
    ids=["none", "another's", "old", "of another body", "nonsense", "not ASCII", "another scheme"],
)
def test_who_did_not_sign_is_refused_and_nothing_is_recorded(
    webhook: Client, recorder: Recorder, headers: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = webhook.post("/", data=BODY, headers=headers)
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert answer.get_json()["type"].endswith("/not-signed")
    assert not recorder.facts
    assert SECRET not in capsys.readouterr().out


def test_a_call_of_five_minutes_ago_is_not_old(webhook: Client, recorder: Recorder) -> None:
    assert webhook.post("/", data=BODY, headers=signed(BODY, age=290)).status_code == 200


def test_a_type_that_is_not_known_is_acknowledged_and_noted(webhook: Client, recorder: Recorder) -> None:
    body = (CHECKOUT / "tests" / "events" / "stripe" / "event.json").read_bytes()
    answer = webhook.post("/", data=body, headers=signed(body))
    assert (answer.status_code, answer.get_json()) == (200, {"outcome": "noted"})
    assert [(event.source, event.remark) for event in recorder.noted] == [("stripe", "plan.created")]


def test_a_contradiction_is_noted_and_not_asked_for_again(webhook: Client, recorder: Recorder) -> None:
    recorder.error = ContradictionError("it is another customer's")
    assert webhook.post("/", data=BODY, headers=signed(BODY)).get_json() == {"outcome": "noted"}
    assert [event.remark for event in recorder.noted] == ["refused: it is another customer's"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"id": 1}', json.dumps({**a_stripe_event(), "created": "now"}).encode()]
)
def test_what_is_no_event_is_refused(webhook: Client, body: bytes) -> None:
    answer = webhook.post("/", data=body, headers=signed(body))
    assert answer.status_code == 400
    assert answer.get_json()["type"].endswith("/invalid-request")


@pytest.mark.parametrize(
    ("send", "status"),
    [
        (lambda client: client.get("/"), 405),
        (lambda client: client.post("/", data=BODY, headers={**signed(BODY), "Content-Type": "text/a"}), 415),
        (lambda client: client.post("/", data=b"x" * 1048577, content_type="application/json"), 413),
    ],
)
def test_other_requests_are_refused(
    webhook: Client, send: Callable[[Client], TestResponse], status: int
) -> None:
    answer = send(webhook)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")


def test_stripe_is_asked_to_call_again_when_something_is_away(webhook: Client, recorder: Recorder) -> None:
    recorder.error = TemporaryError("the database does not answer")
    assert webhook.post("/", data=BODY, headers=signed(BODY)).status_code == 503


def test_without_a_secret_there_is_no_webhook(
    environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("URUMI_STRIPE_WEBHOOK_SECRET", raising=False)
    answer = _client("stripe_webhook").post("/", data=BODY, headers=signed(BODY))
    assert answer.status_code == 404
