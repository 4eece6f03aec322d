"""What is shown of stores and plans."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, JsonValue

from control_plane.domain.accounts import Caller
from control_plane.domain.billing import Consequence, SubscriptionStatus
from control_plane.domain.life import Verb
from control_plane.domain.plans import Plan
from control_plane.domain.store import AuditEntry, Hold, Notice, StoreState
from control_plane.listing import next_cursor
from control_plane.ports.customers import Looked
from control_plane.use_cases.bill_store import next_of
from control_plane.use_cases.change_store import Seen
from functions.create_store.views import Secret, View, example

_STORE: dict[str, JsonValue] = {
    "id": "0b6f3c1e-5d0a-4b57-9f5e-2f3d3f6f7a10",
    "name": "teapots",
    "title": "Teapots & more",
    "admin_email": "owner@example.com",
    "plan": "standard",
    "state": "READY",
    "reason": None,
    "generation": 1,
    "observed_generation": 1,
    "hostname": "teapots-7k2m.shops.example",
    "address": "http://teapots-7k2m.shops.example",
    "created_at": "2026-01-05T09:30:00Z",
    "updated_at": "2026-01-05T09:30:41Z",
    "ready_at": "2026-01-05T09:30:41Z",
    "holds": [],
    "removal_at": None,
    "former_hostname": None,
    "former_until": None,
    "notice": "",
    "possible": ["rename", "move", "change-plan", "reset-password", "suspend", "delete", "purge"],
}
_SUBSCRIPTION: dict[str, JsonValue] = {
    "id": "sub_42",
    "status": "past-due",
    "since": "2026-04-01T12:00:07Z",
    "plan": "standard",
    "trial_ends_at": None,
    "next": {"at": "2026-04-08T12:00:07Z", "then": "suspended"},
    "note": "",
}
_EVENT: dict[str, JsonValue] = {
    "at": "2026-01-05T09:30:00Z",
    "actor": "customer token 5b1f5f0e-8f43-4a53-9c0a-6a0a6f0b7c21",
    "cause": "request 6f1c0f53-1d5c-4f6b-8f0e-0c9f1c9b8a77",
    "action": "created",
    "from_state": None,
    "to_state": "QUEUED",
    "generation": 1,
    "reason": None,
}
_PLAN: dict[str, JsonValue] = {
    "name": "standard",
    "price": {"minor_units": 2900, "currency": "EUR"},
    "quota": {"limits.cpu": "4", "limits.memory": "4Gi", "requests.storage": "20Gi"},
    "content_storage": "10Gi",
    "database_storage": "10Gi",
    "trial_days": 14,
    "grace_days": 7,
    "retention_days": 30,
}


class StoreView(View):
    """A store as its customer sees it."""

    model_config = example(_STORE)

    id: UUID
    name: Annotated[str, Field(description="The first part of the host name")]
    title: Annotated[str, Field(description="What shoppers read")]
    admin_email: Annotated[str, Field(description="Of the shop's administrator")]
    plan: Annotated[str, Field(description="How much the store may use")]
    state: StoreState
    reason: Annotated[str | None, Field(description="Why it is in this state, where that needs a reason")]
    generation: Annotated[int, Field(description="Counts what was asked; `If-Match` compares it")]
    observed_generation: Annotated[int, Field(description="The newest generation that was seen to run")]
    hostname: str
    address: Annotated[str, Field(description="Where a shopper finds the store")]
    created_at: datetime
    updated_at: datetime
    ready_at: Annotated[datetime | None, Field(description="When it was READY for the first time")]
    holds: Annotated[list[Hold], Field(description="Who does not let it run: it runs when nobody does")]
    removal_at: Annotated[
        datetime | None, Field(description="When it is removed for good, if nobody takes the deletion back")
    ]
    former_hostname: Annotated[str | None, Field(description="The one before, which leads to this one")]
    former_until: Annotated[datetime | None, Field(description="How long it does")]
    notice: Annotated[Notice, Field(description="What the shop's administrators are told in their pages")]
    possible: Annotated[list[Verb], Field(description="What you can ask of it now")]

    @classmethod
    def of(cls, seen: Seen) -> StoreView:
        """For whoever looks at it."""
        return cls(**_seen(seen))


def _seen(seen: Seen) -> dict[str, Any]:
    """The fields of a `StoreView`."""
    plain = set(StoreView.model_fields) - {"holds", "possible"}
    fields = {name: getattr(seen.store, name) for name in plain}
    possible = [verb for verb in Verb if verb in seen.possible]
    return fields | {"holds": sorted(seen.store.holds), "possible": possible}


class NextStepView(View):
    """What becomes of the store, unless billing says something new before."""

    at: datetime
    then: Consequence


class SubscriptionView(View):
    """What billing says of the subscription that a store belongs to."""

    model_config = example(_SUBSCRIPTION)

    id: Annotated[str, Field(description="The billing system's own")]
    status: SubscriptionStatus
    since: Annotated[datetime | None, Field(description="When it became that; null before it has begun")]
    plan: Annotated[str | None, Field(description="What was bought; null where billing named none")]
    trial_ends_at: Annotated[datetime | None, Field(description="Of a trial whose end billing told")]
    next: Annotated[NextStepView | None, Field(description="What time alone will do; null for nothing")]
    note: Annotated[str, Field(description="What of it could not be done, and why")]


class StoreDetails(StoreView):
    """A store as its customer sees it, with its subscription."""

    model_config = example({**_STORE, "notice": "past-due", "subscription": _SUBSCRIPTION})

    subscription: Annotated[
        SubscriptionView | None, Field(description="That it is paid with; null where it is none of billing's")
    ]

    @classmethod
    def of_looked(cls, looked: Looked, caller: Caller, plans: Mapping[str, Plan]) -> StoreDetails:
        """For whoever looks at it."""
        return cls(**_seen(Seen(looked.store, caller)), subscription=_subscription(looked, plans))


def _subscription(looked: Looked, plans: Mapping[str, Plan]) -> SubscriptionView | None:
    if looked.paying is None:
        return None
    state = looked.paying.state
    step = next_of(looked.store, state, plans, looked.now)
    return SubscriptionView(
        id=looked.paying.id,
        status=state.status,
        since=state.since,
        plan=state.plan,
        trial_ends_at=state.trial_ends_at,
        next=NextStepView.model_validate(step) if step else None,
        note=looked.paying.note,
    )


class StorePage(View):
    """Stores, newest first."""

    model_config = example({"stores": [_STORE], "next_cursor": None})

    stores: list[StoreView]
    next_cursor: Annotated[str | None, Field(description="For the next page; null on the last one")]

    @classmethod
    def of(cls, found: list[Seen], limit: int) -> StorePage:
        """`found` may have one store more than the page holds: it shows that there is another page."""
        after = next_cursor([each.store for each in found], limit)
        return cls(stores=[StoreView.of(each) for each in found[:limit]], next_cursor=after)


class EventView(View):
    """One change of a store."""

    model_config = example(_EVENT)

    at: datetime
    actor: Annotated[str, Field(description="Who did it: an id, never a name")]
    cause: Annotated[str, Field(description="The request or message that caused it")]
    action: str
    from_state: StoreState | None
    to_state: StoreState
    generation: int
    reason: str | None


class Events(View):
    """All that happened to a store, newest last."""

    model_config = example({"events": [_EVENT]})

    events: list[EventView]

    @classmethod
    def of(cls, history: list[AuditEntry]) -> Events:
        """All of them."""
        return cls(events=[EventView.model_validate(entry) for entry in history])


class CredentialsView(Secret):
    """How the administrator logs in, shown this once."""

    model_config = example({"user": "admin", "password": "twelve-random-words-or-so"})

    user: str
    password: Annotated[str, Field(description="It is not kept, so keep it; `reset-password` makes another")]


class LoginLinkView(Secret):
    """An address that logs the administrator in."""

    model_config = example({"url": "http://teapots-7k2m.shops.example/?urumi-login=eyJhbGciOi"})

    url: Annotated[str, Field(description="Works within 60 seconds, and once; open it in a browser")]


class PriceView(View):
    """What a plan costs a month."""

    minor_units: Annotated[int, Field(description="Cents, where the currency has cents")]
    currency: Annotated[str, Field(description="ISO 4217")]


class PlanView(View):
    """What a store may use, what that costs, and how long it is kept."""

    model_config = example(_PLAN)

    name: str
    price: PriceView
    quota: Annotated[dict[str, str], Field(description="What all parts of the store may use together")]
    content_storage: Annotated[str, Field(description="For the shop's files")]
    database_storage: Annotated[str, Field(description="For the shop's database")]
    trial_days: Annotated[int, Field(description="That a trial lasts, where billing does not say it")]
    grace_days: Annotated[int, Field(description="That an unpaid store still runs, with a notice")]
    retention_days: Annotated[int, Field(description="That a deleted or canceled store is kept")]


class PlansView(View):
    """All plans, in order of their names."""

    model_config = example({"plans": [_PLAN]})

    plans: list[PlanView]

    @classmethod
    def of(cls, plans: Mapping[str, Plan]) -> PlansView:
        """Those that stores can be ordered with."""
        shown = set(PlanView.model_fields) - {"name"}
        return cls(
            plans=[PlanView(name=name, **plans[name].model_dump(include=shown)) for name in sorted(plans)]
        )
