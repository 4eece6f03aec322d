"""What each function reads from its environment. A wrong or missing variable ends it at start, by name."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from control_plane.adapters.oidc_issuers import Issuer, endpoint, issuers_from_json
from control_plane.adapters.server_tls import pem
from control_plane.plan_file import plans


def _helm_4(path: str) -> str:
    try:
        version = subprocess.run(
            [path, "version", "--template", "{{.Version}}"],
            capture_output=True, text=True, timeout=30, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise ValueError(f"{path!r} does not run: give the path of a Helm 4 binary") from error
    if not version.startswith("v4."):
        raise ValueError(f"{path!r} is Helm {version}: give the path of a Helm 4 binary")
    return path


def _chart_folder(path: str) -> str:
    if not (Path(path) / "Chart.yaml").is_file():
        raise ValueError(f"there is no Chart.yaml in {path!r}: give the folder of the store's chart")
    return path


def _json_object(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError("write it as one JSON object") from error
    if not isinstance(found, dict):
        raise ValueError("write it as one JSON object")  # noqa: TRY004 - pydantic's own kind of error
    return text


def _fernet_keys(text: str) -> str:
    for key in text.split(","):
        try:
            fits = len(base64.urlsafe_b64decode(key)) == 32
        except ValueError:
            fits = False
        if not fits:
            raise ValueError("write Fernet keys, 32 bytes in URL-safe base64 each, with commas between")
    return text


def _seeds(text: str) -> str:
    found = json.loads(_json_object(text))
    if not found:
        raise ValueError("name one key at least")
    for seed in found.values():
        try:
            fits = len(base64.b64decode(seed, validate=True)) == 32
        except (TypeError, ValueError):
            fits = False
        if not fits:
            raise ValueError("write each key as 32 bytes in base64")
    return text


def _site(url: str) -> str:
    parts = urlsplit(endpoint(url))
    if parts.path not in ("", "/") or parts.query:
        raise ValueError("write it as https://HOST, without a path")
    return url.rstrip("/")


def _api_server(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError("write it as https://HOST, without a path")
    return url.rstrip("/")


def _texts(text: str) -> str:
    if not all(isinstance(value, str) and value for value in json.loads(_json_object(text)).values()):
        raise ValueError("write it as one JSON object of texts")
    return text


def _pg8000_url(url: str) -> str:
    if not url.startswith("postgresql+pg8000://"):
        raise ValueError("write it as postgresql+pg8000://USER:PASSWORD@HOST:PORT/DATABASE")
    return url


class _Common(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    database_url: Annotated[str, AfterValidator(_pg8000_url)]
    # The CA of the database's server, as PEM. With it connections are TLS with that server alone, and a URL
    # without a password logs in as the process's own Google account.
    database_ca: Annotated[str, AfterValidator(pem)] | None = Field(
        None, validation_alias="URUMI_DATABASE_CA"
    )
    pubsub_project_id: str
    pubsub_emulator_host: str | None = None  # host:port; only on one machine
    wake_seconds: float = Field(30.0, ge=1, le=600, validation_alias="URUMI_WAKE_SECONDS")
    threads: int = Field(8, ge=1, le=64)  # requests served at once by one instance


class _Keys(BaseSettings):
    # What seals administrators' passwords in the database: Fernet keys, comma-separated; the first seals.
    credentials_keys: Annotated[str, AfterValidator(_fernet_keys)] = Field(
        validation_alias="URUMI_CREDENTIALS_KEYS"
    )

    @property
    def sealing_keys(self) -> tuple[str, ...]:
        """Each key."""
        return tuple(self.credentials_keys.split(","))


class _Shared(BaseSettings):
    # Chart values that all stores of the cell share, as JSON: images, plugins, classes.
    cell_values: Annotated[str, AfterValidator(_json_object)] = Field(
        "{}", validation_alias="URUMI_CELL_VALUES"
    )


class _NewStores(BaseSettings):
    # The cell that new stores go to, and the domain that their host names are below. The others stay where
    # they are, each below the domain that it has.
    new_stores_cell: str = Field(validation_alias="URUMI_NEW_STORES_CELL", min_length=1)
    base_domain: str = Field(validation_alias="URUMI_BASE_DOMAIN", min_length=1)


class _Customers(_Common, _Keys, _NewStores):
    # What signs log-in links: Ed25519 seeds by key id, as JSON; the first signs.
    login_keys: Annotated[str, AfterValidator(_seeds)] = Field(validation_alias="URUMI_LOGIN_KEYS")
    # Who signs people's ID tokens, as JSON; docs/operating.md has the fields.
    oidc_issuers: Annotated[tuple[Issuer, ...], NoDecode, BeforeValidator(issuers_from_json)] = Field(
        "[]", validation_alias="URUMI_OIDC_ISSUERS", validate_default=True
    )
    # Where browsers find this function, as https://HOST. What changes anything must come from there.
    public_url: Annotated[str, AfterValidator(_site)] | None = Field(
        None, validation_alias="URUMI_PUBLIC_URL"
    )


class CreateStoreSettings(_Customers):
    """For `functions/create_store`."""


class ConsoleSettings(_Customers):
    """For `functions/console`. People sign in with an issuer only where `public_url` is set."""

    # What we prove with that we are the client of an issuer, as JSON: a secret by issuer.
    oidc_client_secrets: Annotated[str, AfterValidator(_texts)] = Field(
        "{}", validation_alias="URUMI_OIDC_CLIENT_SECRETS"
    )


class _Cell(BaseSettings):
    # The cell that this function looks after.
    cell: str = Field(validation_alias="URUMI_CELL", min_length=1)
    # How it gets there: exactly one of the two.
    kubeconfig: str | None = None
    # A cluster of Google's, by its DNS-based endpoint; entered as the process's own Google account.
    cell_endpoint: Annotated[str, AfterValidator(_api_server)] | None = Field(
        None, validation_alias="URUMI_CELL_ENDPOINT"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.kubeconfig is None) == (self.cell_endpoint is None):
            raise ValueError("set KUBECONFIG or URUMI_CELL_ENDPOINT, and not both")
        return self


class CellIdentity(BaseModel):
    """A subject that the cell's RoleBindings can name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ServiceAccount", "User"]
    name: str
    namespace: str | None = None  # of a ServiceAccount


class ProvisionSettings(_Common, _Keys, _Shared, _Cell):
    """For `functions/provision`."""

    helm: Annotated[str, AfterValidator(_helm_4)] = Field(validation_alias="URUMI_HELM")
    lease_seconds: float = Field(30.0, ge=2, le=300, validation_alias="URUMI_LEASE_SECONDS")
    helm_seconds: int = Field(60, ge=5, le=480, validation_alias="URUMI_HELM_SECONDS")
    chart: Annotated[str, AfterValidator(_chart_folder)] = Field(validation_alias="URUMI_CHART")
    # Who this function is in the cell, as JSON of a RoleBinding's subject.
    cell_identity: CellIdentity = Field(validation_alias="URUMI_CELL_IDENTITY")


class ReconcileSettings(_Common, _Shared, _Cell, _NewStores):
    """For `functions/reconcile`."""

    lease_seconds: float = Field(30.0, ge=2, le=300, validation_alias="URUMI_LEASE_SECONDS")
    pass_seconds: float = Field(50.0, gt=0, le=540, validation_alias="URUMI_PASS_SECONDS")


class BillingEventSettings(_Common, _NewStores):
    """For `functions/billing_event`."""

    # What Stripe signs its calls with; without it there is no webhook here.
    stripe_webhook_secret: str | None = Field(
        None, validation_alias="URUMI_STRIPE_WEBHOOK_SECRET", min_length=1
    )
    # With it Stripe is asked what a subscription is, instead of believing each event by itself.
    stripe_api_key: str | None = Field(None, validation_alias="URUMI_STRIPE_API_KEY", min_length=1)
    # Where Stripe's API is, as http://HOST:PORT; only for a stand-in.
    stripe_api_base: str | None = Field(None, validation_alias="URUMI_STRIPE_API_BASE", min_length=1)


class OperatorSettings(BaseSettings):
    """For the commands of an operator, who has a database role of their own."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    database_url: Annotated[str, AfterValidator(_pg8000_url)] = Field(
        validation_alias="URUMI_OPERATOR_DATABASE_URL"
    )
    pubsub_project_id: str
    pubsub_emulator_host: str | None = None


class VaultSettings(_Keys):
    """For the change of the keys that seal passwords."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    database_url: Annotated[str, AfterValidator(_pg8000_url)] = Field(
        validation_alias="URUMI_OPERATOR_DATABASE_URL"
    )


class DoctorSettings(BaseSettings):
    """For an operator's commands that look into the cell, too."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    database_url: Annotated[str, AfterValidator(_pg8000_url)] = Field(
        validation_alias="URUMI_OPERATOR_DATABASE_URL"
    )
    kubeconfig: str = Field(validation_alias="URUMI_OPERATOR_KUBECONFIG")
    cell: str = Field(validation_alias="URUMI_CELL")


S = TypeVar("S", bound=_Common)


def from_environment(settings: type[S]) -> S:
    """The settings, or SystemExit with one line for each variable that is missing or wrong.

    The plans are read here too, so that a function with a wrong file ends at its start.
    """
    if issubclass(settings, _Common):
        plans()
    try:
        return settings()
    except ValidationError as error:
        lines = [
            ": ".join(filter(None, (".".join(str(part) for part in each["loc"]).upper(), each["msg"])))
            for each in error.errors()
        ]
        raise SystemExit("this function cannot start:\n  " + "\n  ".join(lines)) from None
