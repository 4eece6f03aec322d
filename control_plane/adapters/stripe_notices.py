"""Stripe's webhooks: who signed them, and which fact each of them is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from control_plane.adapters.stripe_subscriptions import id_of, moment, order_in, snapshot_of
from control_plane.domain.billing import STRIPE, Fact, FactKind, NotSignedError
from control_plane.domain.errors import RequestError
from control_plane.ports.billing import SubscriptionSnapshot, SubscriptionSource, UnknownEvent

log = structlog.get_logger()

_TOLERANCE = 300  # seconds; an older call is a replay
_LONGEST_ID = 255


@dataclass(frozen=True)
class _Reading:
    """What an event says by itself. `begins`: an active subscription has begun by it."""

    subscription: str
    snapshot: SubscriptionSnapshot
    begins: bool = False


def _checkout(session: Mapping[str, Any]) -> _Reading:
    details = session.get("customer_details")
    email = details.get("email") if isinstance(details, Mapping) else None
    store, remark = order_in(session.get("metadata"), email or session.get("customer_email"))
    # Without a payment it may be a trial or a gift: `customer.subscription.created` says which.
    kind = FactKind.RECOVERED if session.get("payment_status") == "paid" else FactKind.PLAN_CHANGED
    snapshot = SubscriptionSnapshot(kind, id_of(session.get("customer")), store=store, remark=remark)
    return _Reading(id_of(session.get("subscription")), snapshot, begins=True)


def _subscription(subscription: Mapping[str, Any]) -> _Reading:
    return _Reading(id_of(subscription), snapshot_of(subscription))


def _created(subscription: Mapping[str, Any]) -> _Reading:
    return replace(_subscription(subscription), begins=True)


def _paid(invoice: Mapping[str, Any]) -> _Reading:
    begins = invoice.get("billing_reason") == "subscription_create"
    # The first invoice of a trial is paid with nothing.
    kind = None if begins and not invoice.get("amount_paid") else FactKind.RECOVERED
    return _Reading(_billed(invoice), SubscriptionSnapshot(kind, id_of(invoice.get("customer"))), begins)


def _not_paid(invoice: Mapping[str, Any]) -> _Reading:
    begins = invoice.get("billing_reason") == "subscription_create"
    kind = None if begins else FactKind.PAST_DUE  # without its first payment nothing has begun
    return _Reading(_billed(invoice), SubscriptionSnapshot(kind, id_of(invoice.get("customer"))))


def _billed(invoice: Mapping[str, Any]) -> str:
    """The subscription that an invoice is for, in each of the places where Stripe had it."""
    parent = invoice.get("parent")
    details = parent.get("subscription_details") if isinstance(parent, Mapping) else None
    said = details.get("subscription") if isinstance(details, Mapping) else None
    return id_of(said or invoice.get("subscription"))


_READERS: Mapping[str, Callable[[Mapping[str, Any]], _Reading]] = {
    "checkout.session.completed": _checkout,
    "customer.subscription.created": _created,
    "customer.subscription.updated": _subscription,
    "customer.subscription.deleted": _subscription,
    "customer.subscription.paused": _subscription,
    "customer.subscription.resumed": _subscription,
    "customer.subscription.trial_will_end": _subscription,
    "invoice.paid": _paid,
    "invoice.payment_failed": _not_paid,
}


@dataclass(frozen=True)
class StripeNotices:
    """The `Notices` port. Without a `source` each event is believed by itself."""

    secret: str
    source: SubscriptionSource | None

    def read(self, body: bytes, signature: str) -> Fact | UnknownEvent:
        """See the port."""
        self._verify(body, signature)
        event = _Event.parse(body)
        reader = _READERS.get(event.type)
        reading = reader(event.object) if reader else None
        if reading is None or not reading.subscription or not reading.snapshot.customer:
            return event.unknown(event.type)
        occurred_at, snapshot = event.created, reading.snapshot
        if self.source:
            occurred_at, snapshot = self._asked(self.source, reading, event)
        if snapshot.kind is None:
            return event.unknown(f"{event.type}: says nothing of {reading.subscription} yet")
        begun = reading.begins and snapshot.kind is FactKind.RECOVERED
        return Fact(
            source=STRIPE,
            event_id=event.id,
            kind=FactKind.ACTIVATED if begun else snapshot.kind,
            subscription_id=reading.subscription,
            customer=snapshot.customer,
            occurred_at=occurred_at,
            fingerprint=event.fingerprint,
            plan=snapshot.plan,
            trial_ends_at=snapshot.trial_ends_at if snapshot.kind is FactKind.TRIAL_STARTED else None,
            store=snapshot.store,
            remark=snapshot.remark,
        )

    def _verify(self, body: bytes, signature: str) -> None:
        """Raises NotSignedError, which says nothing of why: whoever may know has the secret."""
        import stripe  # noqa: PLC0415 - loaded at the first call

        try:
            stripe.WebhookSignature.verify_header(body, signature, self.secret, _TOLERANCE)
        except (stripe.SignatureVerificationError, UnicodeDecodeError, TypeError) as error:
            log.warning("stripe_signature_refused", reason=str(error)[:100])
            raise NotSignedError("the Stripe-Signature is missing, wrong or too old") from None

    @staticmethod
    def _asked(
        source: SubscriptionSource, reading: _Reading, event: _Event
    ) -> tuple[datetime, SubscriptionSnapshot]:
        """What Stripe says now, and since when: an answer that says something else is newer than the event.

        It counts from the moment before Stripe was asked: what happens while the answer is on its way, the
        answer knows nothing of. In whole seconds, as Stripe's own times, so that an event of the same second
        does not seem older.
        """
        said = reading.snapshot
        asked_at = max(event.created, datetime.now(UTC).replace(microsecond=0))
        now = source.snapshot(reading.subscription)
        if now is None:
            log.warning("stripe_subscription_not_there", subscription=reading.subscription)
            return event.created, said
        if now.kind is None and said.kind is FactKind.PLAN_CHANGED:
            now = replace(now, kind=said.kind)  # nothing has begun, but what the store should be is known
        snapshot = replace(
            now,
            customer=now.customer or said.customer,
            store=said.store or now.store,
            remark=said.remark or now.remark,
        )
        if now.kind is said.kind:
            return event.created, snapshot
        return asked_at, snapshot


@dataclass(frozen=True)
class _Event:
    """What all events of Stripe's have."""

    id: str
    type: str
    created: datetime
    object: Mapping[str, Any]

    @classmethod
    def parse(cls, body: bytes) -> _Event:
        """Raises RequestError for what is no event."""
        try:
            event = json.loads(body)
            found, created = event["data"]["object"], moment(event["created"])
            event_id, kind = event["id"], event["type"]
        except (ValueError, RecursionError, KeyError, TypeError) as error:
            raise RequestError("the body is not an event of Stripe's") from error
        texts = all(isinstance(each, str) and 0 < len(each) <= _LONGEST_ID for each in (event_id, kind))
        if not texts or created is None or not isinstance(found, dict):
            raise RequestError("the body is not an event of Stripe's")
        return cls(event_id, kind, created, found)

    @property
    def fingerprint(self) -> str:
        """The same for each delivery, whatever the subscription has come to meanwhile."""
        said = [self.type, self.created.isoformat(), id_of(self.object)]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def unknown(self, remark: str) -> UnknownEvent:
        """This event, where it is no fact."""
        return UnknownEvent(STRIPE, self.id, self.created, self.fingerprint, remark)
