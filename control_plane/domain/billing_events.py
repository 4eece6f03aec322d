"""Billing's events as they come in: CloudEvents 1.0 in JSON, described and checked by the same models."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from control_plane.domain.billing import Fact, FactKind, StoreOrder
from control_plane.domain.errors import MalformedMessageError
from control_plane.domain.fields import AdminEmail, StoreName, Title, text

BILLING_EVENTS = "billing-events"  # the topic
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _moment(value: datetime) -> datetime:
    if not _FIRST <= value < _LAST:
        raise ValueError("this is no moment between the years 2000 and 2200")
    return value.astimezone(UTC)


Id = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(text)]
Moment = Annotated[AwareDatetime, AfterValidator(_moment)]
Plan = Annotated[str, Field(min_length=1, max_length=40, examples=["standard"]), AfterValidator(text)]


class _Part(BaseModel):
    # Billing may say more than we read. What we read has exactly the type that is described.
    model_config = ConfigDict(frozen=True, strict=True)


class Store(_Part):
    """What the store should be, where the subscription has none yet."""

    name: StoreName
    title: Title
    admin_email: AdminEmail


class Data(_Part):
    """What all events say."""

    subscription_id: Annotated[Id, Field(description="The billing system's own", examples=["sub_1"])]
    customer: Annotated[
        Id, Field(description="The billing system's own; a subscription never changes it", examples=["cus_1"])
    ]
    occurred_at: Annotated[
        Moment, Field(description="When it happened: this decides, not when the event was sent or came")
    ]
    plan: Annotated[Plan | None, Field(description="The plan from then on; without it: as before")] = None


class Begun(Data):
    """What a trial says when it begins."""

    store: Annotated[Store | None, Field(description="What the store should be, where there is none yet")] = (
        None
    )
    trial_ends_at: Annotated[
        Moment | None, Field(description="Without it: the plan's trial days after it began")
    ] = None


class Activated(Data):
    """What an activation says."""

    store: Store


class TrialEnds(Data):
    """What is said of a trial that ends soon."""

    trial_ends_at: Annotated[Moment | None, Field(description="When, where that has changed")] = None


class PlanChanged(Data):
    """What a change of the plan says."""

    plan: Annotated[Plan, Field(description="The plan from then on")]


class _Event(_Part):
    kind: ClassVar[FactKind]

    specversion: Literal["1.0"]
    id: Annotated[
        Id,
        Field(description="One for each event of the source, and the same for each time it is sent",
              examples=["evt_1"]),
    ]  # fmt: skip
    source: Annotated[
        Id,
        Field(description="Which billing system", examples=["https://billing.example.com"],
              json_schema_extra={"format": "uri-reference"}),
    ]  # fmt: skip


class SubscriptionTrialStarted(_Event):
    """A trial has begun. Makes the store, where there is none."""

    kind: ClassVar[FactKind] = FactKind.TRIAL_STARTED
    type: Literal["subscription.trial_started"]
    data: Begun


class SubscriptionActivated(_Event):
    """Somebody pays from now on. Makes the store, where there is none; brings back what had ended."""

    kind: ClassVar[FactKind] = FactKind.ACTIVATED
    type: Literal["subscription.activated"]
    data: Activated


class SubscriptionPlanChanged(_Event):
    """Another plan was bought."""

    kind: ClassVar[FactKind] = FactKind.PLAN_CHANGED
    type: Literal["subscription.plan_changed"]
    data: PlanChanged


class SubscriptionTrialWillEnd(_Event):
    """A trial ends soon. Changes nothing, unless it tells another end."""

    kind: ClassVar[FactKind] = FactKind.TRIAL_WILL_END
    type: Literal["subscription.trial_will_end"]
    data: TrialEnds


class SubscriptionPastDue(_Event):
    """A payment has failed."""

    kind: ClassVar[FactKind] = FactKind.PAST_DUE
    type: Literal["subscription.past_due"]
    data: Data


class SubscriptionRecovered(_Event):
    """What was owed is paid, or what was paused or had ended goes on."""

    kind: ClassVar[FactKind] = FactKind.RECOVERED
    type: Literal["subscription.recovered"]
    data: Data


class SubscriptionPaused(_Event):
    """Nobody pays for a while."""

    kind: ClassVar[FactKind] = FactKind.PAUSED
    type: Literal["subscription.paused"]
    data: Data


class SubscriptionCanceled(_Event):
    """It has ended: not that it will."""

    kind: ClassVar[FactKind] = FactKind.CANCELED
    type: Literal["subscription.canceled"]
    data: Data


class SubscriptionExpired(_Event):
    """It has ended by itself."""

    kind: ClassVar[FactKind] = FactKind.EXPIRED
    type: Literal["subscription.expired"]
    data: Data


class SubscriptionRefunded(_Event):
    """Money went back. Changes nothing: billing says by `canceled` where that ends the subscription."""

    kind: ClassVar[FactKind] = FactKind.REFUNDED
    type: Literal["subscription.refunded"]
    data: Data


Event = (
    SubscriptionActivated
    | SubscriptionTrialStarted
    | SubscriptionTrialWillEnd
    | SubscriptionPlanChanged
    | SubscriptionPastDue
    | SubscriptionRecovered
    | SubscriptionPaused
    | SubscriptionCanceled
    | SubscriptionExpired
    | SubscriptionRefunded
)
_ANY: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


def schema() -> dict[str, Any]:
    """The JSON Schema of all events, as `docs/schemas/billing-event.schema.json` has it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Billing event",
        "description": "What a billing system tells Urumi on the topic billing-events.",
        **_ANY.json_schema(),
    }


def decode(body: bytes) -> Fact:
    """The fact that an event tells. Raises MalformedMessageError, which quotes nothing of the event."""
    try:
        event = _ANY.validate_json(body)
    except ValidationError as error:
        raise MalformedMessageError(_problem(error)) from None
    data = event.data
    order = data.store if isinstance(data, Begun | Activated) else None
    ends_at = data.trial_ends_at if isinstance(data, Begun | TrialEnds) else None
    return Fact(
        source=event.source,
        event_id=event.id,
        kind=event.kind,
        subscription_id=data.subscription_id,
        customer=data.customer,
        occurred_at=data.occurred_at,
        fingerprint=_fingerprint(event),
        plan=data.plan,
        trial_ends_at=ends_at,
        store=StoreOrder(order.name, order.title, order.admin_email) if order else None,
    )


def _fingerprint(event: Event) -> str:
    said = event.model_dump(mode="json")
    if store := said["data"].get("store"):
        del store["admin_email"]  # an address must not be guessed by its digest after it was erased
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return "the message is not JSON"
    if first["type"] == "union_tag_not_found":
        return "the event has no type"
    if first["type"] == "union_tag_invalid":
        return "no event of that type is known"
    # The first part of the path is the event's type, by which its model was chosen.
    where = ".".join(str(part) for part in first["loc"][1:]) or "the event"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"
