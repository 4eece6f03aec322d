"""What each function is asked for in the cloud."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import httpx
import stripe

from tests.functions_image.cloud_run import Instance

SECRET = "whsec_of_the_tests"
_EVENTS = Path(__file__).resolve().parents[1] / "events"
_NOBODY = "urumi_nobody"
_STORE = {"name": "teapots", "title": "Teapots", "admin_email": "owner@example.com"}
_FACT = {
    "schema_version": 1,
    "event_id": "e1",
    "kind": "past_due",
    "subscription": "sub_1",
    "occurred_at": "2026-11-24T05:15:41.894Z",
}


def create(api: Instance, token: str = _NOBODY) -> httpx.Response:
    """A store, asked for by somebody who shows a token."""
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "1"}
    return api.ask("POST", "/v1/stores", json=_STORE, headers=headers)


def sign_in(console: Instance, secret: str = _NOBODY) -> httpx.Response:
    """A browser with a one-time address."""
    return console.ask("GET", f"/signin/once?token={secret}")


def push_intent(provision: Instance) -> httpx.Response:
    """A message of Pub/Sub's about a store."""
    return _push(provision, json.loads((_EVENTS / "cloud.push.json").read_text()))


def push_fact(billing: Instance) -> httpx.Response:
    """A message of Pub/Sub's about a subscription."""
    data = base64.b64encode(json.dumps(_FACT).encode()).decode()
    message = {"data": data, "messageId": "1", "publishTime": "2026-11-24T05:15:41.894Z"}
    return _push(billing, {"subscription": "projects/p/subscriptions/s", "message": message})


def tick(reconcile: Instance) -> httpx.Response:
    """Cloud Scheduler's minute."""
    return reconcile.ask("POST", "/")


def notify(webhook: Instance) -> httpx.Response:
    """An event of Stripe's, signed."""
    event = json.loads((_EVENTS / "stripe/event.json").read_text())
    subscription = json.loads((_EVENTS / "stripe/subscription.json").read_text())
    event |= {"type": "customer.subscription.updated", "data": {"object": subscription}}
    body = json.dumps(event)
    signature = stripe.WebhookSignature.generate_signature_header(body, SECRET, int(time.time()))
    headers = {"Stripe-Signature": signature, "Content-Type": "application/json; charset=utf-8"}
    return webhook.ask("POST", "/", content=body, headers=headers)


def _push(function: Instance, body: object) -> httpx.Response:
    return function.ask("POST", "/projects/p/topics/t", json=body)


ASKED = {
    "create_store": create,
    "console": sign_in,
    "provision": push_intent,
    "reconcile": tick,
    "billing_event": push_fact,
    "stripe_webhook": notify,
}
"""By target."""
