"""Billing tells here what happened to subscriptions: over Pub/Sub in our words, over HTTP in Stripe's."""

import flask
import functions_framework
from cloudevents.http.event import CloudEvent
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import MethodNotAllowed, NotFound

from control_plane import bootstrap
from control_plane.adapters.pubsub_events import pushed
from control_plane.bodies import body
from control_plane.entrypoints import event_endpoint, http_endpoint
from control_plane.settings import BillingEventSettings, from_environment

SETTINGS = from_environment(BillingEventSettings)
_MOST = 1024 * 1024  # bytes; an invoice with many lines is long


@functions_framework.cloud_event
@event_endpoint
def billing_event(event: CloudEvent) -> None:
    """Read the message, record what it says. Returning acknowledges it."""
    bootstrap.receive_billing_event(SETTINGS)(pushed(event["id"], event.get_data()))


@functions_framework.http
@http_endpoint
def stripe_webhook(request: flask.Request) -> ResponseReturnValue:
    """Look who signed it, record what it says. Any other answer than 200 has Stripe call again."""
    if request.method != "POST":
        raise MethodNotAllowed(["POST"])
    receive = bootstrap.receive_stripe_notice(SETTINGS)
    if receive is None:
        raise NotFound("there is no webhook here: URUMI_STRIPE_WEBHOOK_SECRET is not set")
    done = receive(body(request, most=_MOST), request.headers.get("Stripe-Signature", ""))
    return {"outcome": done}
