"""Stripe's subscriptions: as its events tell them, and as its API does when it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from control_plane.domain.billing import FactKind, StoreOrder
from control_plane.domain.billing_events import Store
from control_plane.domain.errors import MisconfiguredError, TemporaryError
from control_plane.ports.billing import SubscriptionSnapshot

if TYPE_CHECKING:
    from stripe import StripeClient

_SECONDS = 5.0  # Stripe waits for our answer meanwhile
_KINDS: Mapping[str, FactKind] = {
    "trialing": FactKind.TRIAL_STARTED,
    "active": FactKind.RECOVERED,
    "past_due": FactKind.PAST_DUE,
    "unpaid": FactKind.PAST_DUE,
    "paused": FactKind.PAUSED,
    "canceled": FactKind.CANCELED,
    "incomplete_expired": FactKind.EXPIRED,
}  # `incomplete`: its first payment is not made yet, so nothing has begun


class StripeSubscriptions:
    """The `SubscriptionSource` port."""

    def __init__(self, api_key: str, api_base: str | None) -> None:
        """`api_base` as http://HOST:PORT for a stand-in; None for Stripe's own."""
        self._api_key = api_key
        self._api_base = api_base

    @cached_property
    def _client(self) -> StripeClient:
        # Loaded at the first call: half a second, and what an idle instance never needs.
        import stripe  # noqa: PLC0415

        return stripe.StripeClient(
            self._api_key,
            base_addresses={"api": self._api_base} if self._api_base else {},
            max_network_retries=0,  # Stripe calls again, and then it is asked again
            http_client=stripe.RequestsClient(timeout=_SECONDS),
        )

    def snapshot(self, subscription_id: str) -> SubscriptionSnapshot | None:
        """See the port."""
        import stripe  # noqa: PLC0415 - as above

        try:
            found = self._client.v1.subscriptions.retrieve(subscription_id)
        except stripe.InvalidRequestError as error:
            if error.code == "resource_missing":
                return None
            raise
        except (stripe.AuthenticationError, stripe.PermissionError) as error:
            raise MisconfiguredError("Stripe refuses URUMI_STRIPE_API_KEY") from error
        except stripe.StripeError as error:
            raise TemporaryError(f"Stripe does not answer: {type(error).__name__}") from error
        return snapshot_of(found.to_dict())


def snapshot_of(subscription: Mapping[str, Any]) -> SubscriptionSnapshot:
    """What a subscription of Stripe's says."""
    store, remark = order_in(subscription.get("metadata"), None)
    return SubscriptionSnapshot(
        kind=_KINDS.get(str(subscription.get("status"))),
        customer=id_of(subscription.get("customer")),
        plan=_plan(subscription.get("items")),
        trial_ends_at=moment(subscription.get("trial_end")),
        store=store,
        remark=remark,
    )


def order_in(metadata: object, email: object) -> tuple[StoreOrder | None, str]:
    """What the store should be, as metadata say it; and what of that cannot be used.

    `email` is the customer's, for where the metadata have none.
    """
    said = metadata if isinstance(metadata, Mapping) else {}
    name = said.get("urumi_store_name")
    if name is None:
        return None, ""
    fields = {
        "name": name,
        "title": said.get("urumi_title") or name,
        "admin_email": said.get("urumi_admin_email") or email,
    }
    try:
        store = Store.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        problem = first["msg"].removeprefix("Value error, ")
        return None, f"what Stripe's metadata say of the store cannot be used: {first['loc'][0]}: {problem}"
    return StoreOrder(store.name, store.title, store.admin_email), ""


def id_of(value: object) -> str:
    """The id of what Stripe names, or has put in whole. Empty where there is none."""
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) else ""


def moment(seconds: object) -> datetime | None:
    """A time of Stripe's, which has whole seconds."""
    if not isinstance(seconds, int) or not 0 < seconds < 2**32:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _plan(items: object) -> str | None:
    """The first price that names a plan of ours."""
    data = items.get("data") if isinstance(items, Mapping) else None
    for item in data if isinstance(data, list) else []:
        price = item.get("price") if isinstance(item, Mapping) else None
        if isinstance(price, Mapping):
            metadata = price.get("metadata")
            named = metadata.get("urumi_plan") if isinstance(metadata, Mapping) else None
            if found := named or price.get("lookup_key"):
                return str(found)[:40]
    return None
