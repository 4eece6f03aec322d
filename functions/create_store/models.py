"""What comes in about tokens and people: validated here, and described for the OpenAPI document as well."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from control_plane.domain.accounts import Scope
from control_plane.domain.fields import TEXT, text
from control_plane.domain.people import Membership
from control_plane.orders import Body


def _whole(number: object) -> object:
    # To JSON Schema 90.0 is an integer.
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _all_different(scopes: object) -> object:
    if isinstance(scopes, list) and len(set(map(str, scopes))) < len(scopes):
        raise ValueError("name each scope once")
    return scopes


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
