"""The API's edges: what comes in is validated here, what goes out is shaped here."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from control_plane.domain.errors import RequestError
from control_plane.domain.plans import PLANS
from control_plane.domain.store import AuditEntry, Store, StoreState
from control_plane.ports.customers import Page, Position

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?", re.IGNORECASE)
_CURSOR = "the cursor is not one of ours: leave it out to begin at the newest store"


def _plan(name: str) -> str:
    if name not in PLANS:
        raise ValueError(f"there is no such plan: choose one of {', '.join(sorted(PLANS))}")
    return name


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("the character U+0000 cannot be kept: leave it out")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("half of a surrogate pair is not text: leave it out") from error
    return text


def _email(text: str) -> str:
    if len(text) > 254 or not _EMAIL.fullmatch(_storable(text)):
        raise ValueError("this is not an e-mail address: write it as name@example.com")
    return text


class CreateStore(BaseModel):
    """The body of POST /stores."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{1,38}[a-z0-9])$")]
    title: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_storable)]
    admin_email: Annotated[str, AfterValidator(_email)]
    plan: Annotated[str, AfterValidator(_plan)] = "standard"

    @classmethod
    def parse(cls, body: bytes) -> CreateStore:
        """Raises RequestError naming the first field that is wrong."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise _first_problem(error) from error


class ListQuery(BaseModel):
    """The query of GET /stores."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: str | None = None
    state: StoreState | None = None
    q: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_storable)] | None = None

    @classmethod
    def parse(cls, arguments: dict[str, str]) -> Page:
        """Raises RequestError naming the first parameter that is wrong."""
        try:
            query = cls.model_validate(arguments)
        except ValidationError as error:
            raise _first_problem(error) from error
        after = read_cursor(query.cursor) if query.cursor is not None else None
        return Page(limit=query.limit, after=after, state=query.state, text=query.q)


def store_view(store: Store) -> dict[str, Any]:
    """A store as its customer sees it."""
    return {
        "id": str(store.id),
        "name": store.name,
        "title": store.title,
        "admin_email": store.admin_email,
        "plan": store.plan,
        "state": store.state,
        "reason": store.reason,
        "generation": store.generation,
        "observed_generation": store.observed_generation,
        "hostname": store.hostname,
        "address": store.address,
        "created_at": _time(store.created_at),
        "updated_at": _time(store.updated_at),
        "ready_at": _time(store.ready_at),
    }


def event_view(entry: AuditEntry) -> dict[str, Any]:
    """One change of a store as its customer sees it."""
    return {
        "at": _time(entry.at),
        "actor": entry.actor,
        "cause": entry.cause,
        "action": entry.action,
        "from_state": entry.from_state,
        "to_state": entry.to_state,
        "generation": entry.generation,
        "reason": entry.reason,
    }


def write_cursor(store: Store) -> str:
    """Where a page ended, opaque to the caller."""
    position = json.dumps([store.created_at.isoformat(), str(store.id)])
    return base64.urlsafe_b64encode(position.encode()).decode()


def read_cursor(cursor: str) -> Position:
    """Raises RequestError for anything that `write_cursor` did not write."""
    try:
        created_at, store_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        position = Position(datetime.fromisoformat(created_at), UUID(store_id))
    except (ValueError, TypeError, AttributeError) as error:
        raise RequestError(_CURSOR, field="cursor") from error
    if position.created_at.tzinfo is None:
        raise RequestError(_CURSOR, field="cursor")
    return position


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


_HINTS = {
    "extra_forbidden": "there is no such field",
    "missing": "this field is required",
    "string_pattern_mismatch": "use 3 to 40 of a-z, 0-9 and '-', beginning and ending with a letter or digit",
    "json_invalid": "the body is not JSON",
    "model_type": "the body must be a JSON object",
}


def _first_problem(error: ValidationError) -> RequestError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or None
    detail = _HINTS.get(first["type"], first["msg"].removeprefix("Value error, "))
    return RequestError(f"{field}: {detail}" if field else detail, field=field)
