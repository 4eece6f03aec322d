"""What each function reads from its environment. A wrong or missing variable ends it at start, by name."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


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


def _pg8000_url(url: str) -> str:
    if not url.startswith("postgresql+pg8000://"):
        raise ValueError("write it as postgresql+pg8000://USER:PASSWORD@HOST:PORT/DATABASE")
    return url


class _Common(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    database_url: Annotated[str, AfterValidator(_pg8000_url)]
    pubsub_project_id: str
    pubsub_emulator_host: str | None = None  # host:port; only on one machine
    cell: str = Field(validation_alias="URUMI_CELL")
    wake_seconds: float = Field(30.0, ge=1, le=600, validation_alias="URUMI_WAKE_SECONDS")
    threads: int = Field(8, ge=1, le=64)  # requests served at once by one instance


class CreateStoreSettings(_Common):
    """For `functions/create_store`."""

    base_domain: str = Field(validation_alias="URUMI_BASE_DOMAIN", min_length=1)
    api_tokens_file: Path = Field(validation_alias="URUMI_API_TOKENS_FILE")


class CellIdentity(BaseModel):
    """A subject that the cell's RoleBindings can name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ServiceAccount", "User"]
    name: str
    namespace: str | None = None  # of a ServiceAccount


class ProvisionSettings(_Common):
    """For `functions/provision`."""

    kubeconfig: str
    helm: Annotated[str, AfterValidator(_helm_4)] = Field(validation_alias="URUMI_HELM")
    lease_seconds: float = Field(30.0, ge=2, le=300, validation_alias="URUMI_LEASE_SECONDS")
    helm_seconds: int = Field(60, ge=5, le=480, validation_alias="URUMI_HELM_SECONDS")
    chart: Annotated[str, AfterValidator(_chart_folder)] = Field(validation_alias="URUMI_CHART")
    # Who this function is in the cell, as JSON of a RoleBinding's subject.
    cell_identity: CellIdentity = Field(validation_alias="URUMI_CELL_IDENTITY")


class ReconcileSettings(_Common):
    """For `functions/reconcile`."""

    kubeconfig: str
    lease_seconds: float = Field(30.0, ge=2, le=300, validation_alias="URUMI_LEASE_SECONDS")
    pass_seconds: float = Field(50.0, gt=0, le=540, validation_alias="URUMI_PASS_SECONDS")


class OperatorSettings(BaseSettings):
    """For the commands of an operator, who has a database role of their own."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    database_url: Annotated[str, AfterValidator(_pg8000_url)] = Field(
        validation_alias="URUMI_OPERATOR_DATABASE_URL"
    )
    pubsub_project_id: str
    pubsub_emulator_host: str | None = None


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
    """The settings, or SystemExit with one line for each variable that is missing or wrong."""
    try:
        return settings()
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in each['loc']).upper()}: {each['msg']}" for each in error.errors()
        ]
        raise SystemExit("this function cannot start:\n  " + "\n  ".join(lines)) from None
