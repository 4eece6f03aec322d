"""Which page of a list a caller wants, and where it begins."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from control_plane.domain.errors import RequestError
from control_plane.domain.fields import TEXT, text
from control_plane.domain.store import Store, StoreState
from control_plane.orders import first_problem
from control_plane.ports.customers import Page, Position

_CURSOR = "the cursor is not one of ours: leave it out to begin at the newest store"


def _number(text: object) -> object:
    # Python would take "1_0" and " 10" for numbers, too.
    if isinstance(text, str) and not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError("write a whole number in digits")
    return text


class ListQuery(BaseModel):
    """Which stores to list."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[
        int, Field(ge=1, le=100, description="How many at most", examples=[20]), BeforeValidator(_number)
    ] = 20
    cursor: (
        Annotated[
            str,
            Field(description="`next_cursor` of the page before", json_schema_extra={"format": "cursor"}),
        ]
        | None
    ) = None
    state: Annotated[StoreState, Field(description="Only those in this state")] | None = None
    q: (
        Annotated[
            str,
            Field(
                min_length=1,
                max_length=200,
                description="Only those with this in their name, title or host name, in whatever case",
                json_schema_extra={"pattern": TEXT},
            ),
            AfterValidator(text),
        ]
        | None
    ) = None

    @classmethod
    def parse(cls, arguments: dict[str, str]) -> tuple[Page, int]:
        """The page with one store more than asked for, and how many were asked for.

        Raises RequestError naming the first parameter that is wrong.
        """
        try:
            query = cls.model_validate(arguments)
        except ValidationError as error:
            raise first_problem(error) from error
        after = read_cursor(query.cursor) if query.cursor is not None else None
        page = Page(limit=query.limit + 1, after=after, state=query.state, text=query.q)
        return page, query.limit


def next_cursor(found: Sequence[Store], limit: int) -> str | None:
    """Where the page of the first `limit` stores ended; None where no store comes after it."""
    return write_cursor(found[limit - 1]) if len(found) > limit else None


def write_cursor(store: Store) -> str:
    """Where a page ended, opaque to the caller."""
    return _cursor(Position(store.created_at, store.id))


def _cursor(position: Position) -> str:
    parts = json.dumps([position.created_at.isoformat(), str(position.id)])
    return base64.urlsafe_b64encode(parts.encode()).decode()


def read_cursor(cursor: str) -> Position:
    """Raises RequestError for anything that `write_cursor` did not write."""
    try:
        created_at, store_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        position = Position(datetime.fromisoformat(created_at), UUID(store_id))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise RequestError(_CURSOR, field="cursor") from error
    # Not only readable, but ours to the letter: a time with an odd offset may be none in UTC.
    if position.created_at.utcoffset() != timedelta(0) or _cursor(position) != cursor:
        raise RequestError(_CURSOR, field="cursor")
    return position
