"""What a customer pays for: what a store may use, and for how long it is kept when nobody pays.

The numbers stand in a YAML file (`control_plane/plans.yaml`, or the platform's own); these are its types.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from control_plane.domain.limits import Limits

_UNITS = {"Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
Quantity = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[0-9]+(m|Mi|Gi|Ti)?$")]
Size = Annotated[str, Field(max_length=20, pattern=r"^[1-9][0-9]*(Mi|Gi|Ti)$")]
Quantities = Mapping[str, Quantity]  # resource name -> Kubernetes quantity, as "750m" or "1Gi"
Name = Annotated[str, Field(max_length=40, pattern=r"^[a-z][a-z0-9-]*$")]
Days = Annotated[int, Field(ge=0, le=3650)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Container(_Part):
    """What one container asks for and may use at most."""

    requests: Quantities
    limits: Quantities

    def as_values(self) -> dict[str, dict[str, str]]:
        """The chart's `resources` value."""
        return {"requests": dict(self.requests), "limits": dict(self.limits)}


One = Annotated[int, Field(ge=1, le=1)]


class Replicas(_Part):
    """How many pods run of each component: one, because its volume can be written by one node only."""

    storefront: One
    database: One


class Price(_Part):
    """What it costs a month, to be shown: nothing here computes with it."""

    minor_units: Annotated[int, Field(ge=0, description="Cents, where the currency has cents")]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217")]

    @property
    def told(self) -> str:
        """For people, as "29.00 EUR"."""
        digits = 0 if self.currency in _NO_DIGITS else 3 if self.currency in _THREE_DIGITS else 2
        whole, rest = divmod(self.minor_units, 10**digits)
        return f"{whole}.{rest:0{digits}} {self.currency}" if digits else f"{whole} {self.currency}"


# ISO 4217: currencies that do not have two digits behind the point.
_NO_DIGITS = {
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"),
    *("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
}
_THREE_DIGITS = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}


class Plan(_Part):
    """One plan. The quota is the wall; the containers' limits leave room in it for a rollout."""

    quota: Quantities
    content_storage: Annotated[Size, Field(description="Of the volume for wp-content")]
    database_storage: Annotated[Size, Field(description="Of the database's volume")]
    replicas: Replicas
    runtime_class: Annotated[
        str,
        Field(
            max_length=63,
            pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$",
            description="Of the pods, where nodes have one, as gvisor; empty for the node's own",
        ),
    ] = ""
    web: Container
    agent: Container
    database: Container
    trial_days: Annotated[Days, Field(description="Of a trial whose end billing does not tell")]
    grace_days: Annotated[Days, Field(description="That an unpaid store still runs, with a notice")]
    retention_days: Annotated[Days, Field(description="That a deleted or canceled store is kept")]
    price: Price

    @property
    def digest(self) -> str:
        """What changes exactly when anything changes that a store's pods are made with: hexadecimal."""
        made_with = self.model_dump(mode="json", include=_MADE_WITH)
        canonical = json.dumps(made_with, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def holds_volumes_of(self, other: Plan) -> bool:
        """Whether a store of the other plan fits: volumes grow, and never shrink."""
        return bytes_of(self.content_storage) >= bytes_of(other.content_storage) and bytes_of(
            self.database_storage
        ) >= bytes_of(other.database_storage)


_MADE_WITH = {
    "quota",
    "content_storage",
    "database_storage",
    "replicas",
    "runtime_class",
    "web",
    "agent",
    "database",
}


class Plans(_Part):
    """The whole file."""

    version: Literal[1]
    stores: Annotated[Mapping[Name, Plan], Field(min_length=1, description="By the name that orders say")]
    accounts: Annotated[Mapping[Name, Limits], Field(description="What an account may ask of the API")]

    def limits_of(self, account_plan: str) -> Limits:
        """Those of an account's plan; a name that none has gets the ordinary ones."""
        return self.accounts.get(account_plan, self.accounts[STANDARD])

    @model_validator(mode="after")
    def _has_the_ordinary_ones(self) -> Plans:
        for part, found in (("stores", self.stores), ("accounts", self.accounts)):
            if STANDARD not in found:
                raise ValueError(f"{part}: a plan named {STANDARD!r} is needed, which is what nobody chose")
        return self


STANDARD = "standard"


def bytes_of(size: str) -> int:
    """How many bytes a `Size` is."""
    return int(size[:-2]) * _UNITS[size[-2:]]


def schema() -> dict[str, Any]:
    """The JSON Schema of the file, as `docs/schemas/plans.schema.json` has it."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Plans.model_json_schema()}
