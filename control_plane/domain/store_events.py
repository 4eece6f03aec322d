"""What happened to stores, told to other systems as CloudEvents: nothing in them that a tenant typed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

TOPIC = "store-events"


class StoreEventType(StrEnum):
    """Every kind. Between two of them a store may be on its way for a while."""

    CREATED = "store.created"
    READY = "store.ready"
    DEGRADED = "store.degraded"
    SUSPENDED = "store.suspended"
    RESUMED = "store.resumed"
    DELETING = "store.deleting"
    DELETED = "store.deleted"
    FAILED = "store.failed"


class StoreEventData(BaseModel):
    """What is told of the store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store_id: UUID
    account_id: UUID
    generation: Annotated[int, Field(ge=1, description="Counts what was asked of the store")]
    reason: Annotated[str | None, Field(description="Why, where that needs a reason")]


class StoreEvent(BaseModel):
    """One event, at least once. `sequence` grows: of one store's events the highest is the newest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[UUID, Field(description="The same whenever the event is told again")]
    source: Literal["/urumi/stores"] = "/urumi/stores"
    type: StoreEventType
    subject: Annotated[UUID, Field(description="The store's id, which is the ordering key too")]
    time: datetime
    datacontenttype: Literal["application/json"] = "application/json"
    sequence: Annotated[int, Field(ge=1)]
    data: StoreEventData


def schema() -> dict[str, Any]:
    """The JSON Schema of an event, as `docs/schemas/store-event.schema.json` has it."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **StoreEvent.model_json_schema()}
