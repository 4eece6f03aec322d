"""What customers ask for, by whichever way it comes in: validated here, and described by the same models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from control_plane.domain.errors import RequestError
from control_plane.domain.fields import TEXT, AdminEmail, StoreName, Title, text
from control_plane.domain.life import Verb
from control_plane.domain.plans import STANDARD
from control_plane.plan_file import plans
from control_plane.use_cases.create_store import Order

MAX_KEY_LENGTH = 255
_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_PLANS = sorted(plans().stores)


def _plan(name: str) -> str:
    if name not in _PLANS:
        raise ValueError(f"there is no such plan: choose one of {', '.join(_PLANS)}")
    return name


_Plan = Annotated[
    str,
    Field(
        description="How much the store may use, and what it costs: `GET /v1/plans`",
        examples=[STANDARD],
        json_schema_extra={"enum": _PLANS},
    ),
    AfterValidator(_plan),
]


class Body(BaseModel):
    """What all bodies have in common: no field that is not known, and no type but the right one."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Of JSON. Raises RequestError naming the first field that is wrong."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise first_problem(error) from error


class CreateStore(Body):
    """A new store."""

    name: StoreName
    title: Title
    admin_email: AdminEmail
    plan: _Plan = STANDARD

    def order(self) -> Order:
        """As the use case takes it."""
        return Order(self.name, self.title, self.admin_email, self.plan)


def _may_be_left_out(schema: dict[str, Any]) -> None:
    # What is not said stays as it is: null is nothing to change it to, and no default.
    for name, found in schema["properties"].items():
        schema["properties"][name] = found["anyOf"][0]
    schema["minProperties"] = 1
    schema["examples"] = [{"title": "Teapots & cups", "plan": STANDARD}]


class ChangeStore(Body):
    """What changes of a store: at least one of these. Several at once are one generation."""

    model_config = ConfigDict(json_schema_extra=_may_be_left_out)

    title: Title | None = None
    name: StoreName | None = None
    plan: _Plan | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _not_null(cls, value: object) -> object:
        if value is None:
            raise ValueError("leave it out, so that it stays as it is")
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.wishes():
            raise ValueError("say what changes: at least one of title, name and plan")
        return self

    def wishes(self) -> dict[Verb, str]:
        """The verbs, each with what it takes."""
        said = {Verb.RENAME: self.title, Verb.MOVE: self.name, Verb.CHANGE_PLAN: self.plan}
        return {verb: given for verb, given in said.items() if given is not None}


class PurgeStore(Body):
    """Whoever knows the name means this store."""

    name: Annotated[
        str,
        Field(
            max_length=40,
            description="The store's name: it shows that nobody slipped",
            examples=["my-first-store"],
            json_schema_extra={"pattern": TEXT},
        ),
        AfterValidator(text),
    ]

    def wishes(self) -> dict[Verb, str]:
        """The verb, with what it takes."""
        return {Verb.PURGE: self.name}


def id_in_path(text: str) -> UUID | None:
    """The id that a part of a path is; None for anything else."""
    # Python would take one without dashes, or in braces, too: one thing, one path.
    return UUID(text) if _ID.fullmatch(text) else None


def idempotency_key(key: str | None) -> str | None:
    """A caller's key as it can be kept, if there is one. Raises RequestError."""
    if key is not None and not (0 < len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
        raise RequestError(
            f"the key must be 1 to {MAX_KEY_LENGTH} printable ASCII characters: a UUID is a good one",
            field="Idempotency-Key",
        )
    return key


_HINTS = {
    "extra_forbidden": "there is no such field",
    "missing": "this field is required",
    "json_invalid": "the body is not JSON",
    "model_type": "the body must be a JSON object",
}


def problems(error: ValidationError) -> Mapping[str | None, str]:
    """All that is wrong, by the field, in words that say what to do; the first one first.

    Under None stands what is wrong with no one field.
    """
    found: dict[str | None, str] = {}
    for each in error.errors(include_url=False, include_context=False, include_input=False):
        field = ".".join(str(part) for part in each["loc"]) or None
        found.setdefault(field, _HINTS.get(each["type"], each["msg"].removeprefix("Value error, ")))
    return found


def first_problem(error: ValidationError) -> RequestError:
    """The first thing that is wrong, in words that say what to do."""
    field, detail = next(iter(problems(error).items()))
    return RequestError(f"{field}: {detail}" if field else detail, field=field)
