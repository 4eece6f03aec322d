"""What an account may ask of the API, by its plan."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MOST_TOKENS = 50  # of one account, at once


class Limits(BaseModel):
    """Of one account. Requests are a token bucket: `burst` after a pause, then `rate` a second."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    live_stores: Annotated[int, Field(ge=0, description="Stores that are not DELETED")]
    rate: Annotated[float, Field(gt=0, description="Requests a second, in the long run")]
    burst: Annotated[int, Field(ge=1, description="Requests at once, after a pause")]
