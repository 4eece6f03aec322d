"""What goes out: shaped in views, and described for the OpenAPI document by the same models."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class View(BaseModel):
    """What all answers have in common."""

    model_config = ConfigDict(from_attributes=True)


class Secret(View):
    """What no cache may keep."""


def example(fields: dict[str, JsonValue]) -> ConfigDict:
    """One thing that the view shows, for the document."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


class Problem(View):
    """An error, as RFC 9457 has it."""

    type: Annotated[str, Field(description="Stable: programs may decide by it")]
    title: str
    status: int
    detail: Annotated[str, Field(description="What is wrong and what to do")]
    field: Annotated[str, Field(description="The field, parameter or header that is wrong")] | None = None
