"""What comes in: validated here, and described for the OpenAPI document by the same models."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from control_plane.domain.accounts import Scope
from control_plane.domain.errors import RequestError
from control_plane.domain.fields import TEXT, AdminEmail, StoreName, Title, text
from control_plane.domain.life import Verb
from control_plane.domain.people import Membership
from control_plane.domain.plans import STANDARD
from control_plane.plan_file import plans

_PLANS = sorted(plans().stores)


def _plan(name: str) -> str:
    if name not in _PLANS:
        raise ValueError(f"there is no such plan: choose one of {', '.join(_PLANS)}")
    return name


def _whole(number: object) -> object:
    # To JSON Schema 90.0 is an integer.
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _all_different(scopes: object) -> object:
    if isinstance(scopes, list) and len(set(map(str, scopes))) < len(scopes):
        raise ValueError("name each scope once")
    return scopes


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
        """Raises RequestError naming the first field that is wrong."""
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


class CreateToken(Body):
    """A new API token."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=100,
            description="For you to know it by",
            examples=["Our deployment"],
            json_schema_extra={"pattern": TEXT},
        ),
        AfterValidator(text),
    ]
    scopes: Annotated[
        frozenset[Scope],
        Field(
            strict=False,  # JSON has no sets and no enumerations
            min_length=1,
            max_length=len(Scope),
            description="What it may do; only what you may yourself",
            examples=[[Scope.READ, Scope.WRITE]],
        ),
        BeforeValidator(_all_different),
    ] = frozenset({Scope.READ})
    expires_in_days: Annotated[
        int,
        Field(ge=1, le=366, description="When it ends by itself", examples=[90]),
        BeforeValidator(_whole),
    ] = 90


class ChangeMember(Body):
    """What changes of a member."""

    role: Annotated[
        Membership,
        Field(strict=False, description="An owner decides who the members are", examples=["owner"]),
    ]


_HINTS = {
    "extra_forbidden": "there is no such field",
    "missing": "this field is required",
    "json_invalid": "the body is not JSON",
    "model_type": "the body must be a JSON object",
}


def first_problem(error: ValidationError) -> RequestError:
    """The first thing that is wrong, in words that say what to do."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or None
    detail = _HINTS.get(first["type"], first["msg"].removeprefix("Value error, "))
    return RequestError(f"{field}: {detail}" if field else detail, field=field)
