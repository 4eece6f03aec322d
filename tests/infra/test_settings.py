"""What Terraform sets is what each function reads: its own settings model takes it all and misses nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic_settings import BaseSettings

from control_plane import settings
from control_plane.domain.events import CELL
from control_plane.launcher import HEALTH
from dev.machine.place import CHECKOUT
from dev.terraform.applied import Resource

MODELS = {
    "create_store": settings.CreateStoreSettings,
    "console": settings.ConsoleSettings,
    "provision": settings.ProvisionSettings,
    "reconcile": settings.ReconcileSettings,
    "billing_event": settings.BillingEventSettings,
    "stripe_webhook": settings.BillingEventSettings,
}
# Read by the launcher and the logs, not by a model.
OF_THE_PROCESS = {"FUNCTION_TARGET", "GOOGLE_CLOUD_PROJECT"}
# Set by the image itself.
OF_THE_IMAGE = {"URUMI_HELM", "URUMI_CHART"}
SECRETS = {
    "URUMI_CREDENTIALS_KEYS": Fernet.generate_key().decode(),
    "URUMI_LOGIN_KEYS": json.dumps({"one": "A" * 43 + "="}),
    "URUMI_OIDC_CLIENT_SECRETS": json.dumps({"https://id.example": "made up"}),
    "URUMI_STRIPE_WEBHOOK_SECRET": "made up",
    "URUMI_STRIPE_API_KEY": "made up",
}


def _environments(resources: list[Resource]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each function's target and variables, with a value that fits for each secret."""
    for each in resources:
        if each.type == "google_cloud_run_v2_service":
            (container,) = each.values["template"][0]["containers"]
            given = {one["name"]: _value(one) for one in container["env"]}
            yield given["FUNCTION_TARGET"], given


def _value(setting: Mapping[str, Any]) -> str:
    if setting["value_source"]:
        return SECRETS[setting["name"]]
    return str(setting["value"])


def test_filters_read_the_attribute_that_messages_carry(resources: list[Resource]) -> None:
    """And the names in them are those that the functions and the database know the cells by."""
    known = {given["URUMI_CELL"] for _, given in _environments(resources) if "URUMI_CELL" in given}
    (job,) = (each for each in resources if each.type == "google_cloud_run_v2_job")
    words = job.values["template"][0]["template"][0]["containers"][0]["args"]
    assert {words[at + 1] for at, word in enumerate(words) if word == "--cell"} == known
    filters: dict[str, set[str]] = {}
    for each in resources:
        if each.type == "google_pubsub_subscription" and each.values["push_config"]:
            filters.setdefault(each.values["name"].partition("-")[0], set()).add(each.values["filter"] or "")
    of_cells = {f'attributes.{CELL} = "{name}" OR NOT attributes:{CELL}' for name in known}
    assert filters == {"store": of_cells, "rollouts": of_cells, "billing": {""}}


def _variables(model: type[BaseSettings]) -> set[str]:
    return {str(field.validation_alias or name).upper() for name, field in model.model_fields.items()}


def test_each_function_is_probed_where_its_launcher_answers(resources: list[Resource]) -> None:
    for each in resources:
        if each.type == "google_cloud_run_v2_service":
            (container,) = each.values["template"][0]["containers"]
            probes = [*container["startup_probe"], *container["liveness_probe"]]
            assert [probe["http_get"][0]["path"] for probe in probes] == [HEALTH, HEALTH]


def test_each_function_is_deployed(resources: list[Resource]) -> None:
    assert {target for target, _ in _environments(resources)} == MODELS.keys()


def test_nothing_is_set_that_a_function_does_not_read(resources: list[Resource]) -> None:
    for target, given in _environments(resources):
        assert given.keys() - OF_THE_PROCESS <= _variables(MODELS[target]), target


def test_each_function_starts_with_what_is_set(
    resources: list[Resource], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    helm = tmp_path / "helm"
    helm.write_text("#!/bin/sh\necho v4.0.0\n")
    helm.chmod(0o755)
    image = {"URUMI_HELM": str(helm), "URUMI_CHART": str(CHECKOUT / "chart")}
    assert image.keys() == OF_THE_IMAGE
    for target, given in _environments(resources):
        with monkeypatch.context() as patch:
            for name in _variables(MODELS[target]):
                patch.delenv(name, raising=False)
            for name, value in {**given, **image}.items():
                patch.setenv(name, value)
            settings.from_environment(MODELS[target])


def test_a_function_that_misses_a_variable_does_not_start(
    resources: list[Resource], monkeypatch: pytest.MonkeyPatch
) -> None:
    (given,) = (given for target, given in _environments(resources) if target == "billing_event")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("URUMI_BASE_DOMAIN")
    with pytest.raises(SystemExit, match="URUMI_BASE_DOMAIN"):
        settings.from_environment(settings.BillingEventSettings)


def test_members_are_of_roles_that_the_migrations_make(resources: list[Resource]) -> None:
    versions = (CHECKOUT / "control_plane/migrations/versions").glob("*.py")
    roles = {role for file in versions for role in re.findall(r'"(urumi_\w+)"', file.read_text())}
    (job,) = (each for each in resources if each.type == "google_cloud_run_v2_job")
    (container,) = job.values["template"][0]["template"][0]["containers"]
    members = [word for word in container["args"] if "=" in word]
    assert {word.partition("=")[0] for word in members} == roles
