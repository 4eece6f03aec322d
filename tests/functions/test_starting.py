"""How functions start: what they load, and what they say when a setting is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from control_plane import bootstrap
from control_plane.settings import ProvisionSettings, ReconcileSettings, from_environment
from control_plane.use_cases.settle_subscriptions import SettleSubscriptions
from dev.machine.place import CHECKOUT

pytestmark = pytest.mark.usefixtures("environment")

CLIENTS = ("kubernetes", "grpc", "google.pubsub_v1", "sqlalchemy", "pg8000", "stripe")
READ = {"create_store": "/openapi.json", "console": "/nothing"}  # what is answered without any part
LOAD = """
import functions_framework, sys
client = functions_framework.create_app({name!r}, {source!r}).test_client()
if {name!r} in {read!r}:
    assert client.get({read!r}[{name!r}]).status_code in (200, 404)
print([each for each in {clients!r} if each in sys.modules])
"""


def run(name: str, code: str | None = None, **changes: str) -> subprocess.CompletedProcess[str]:
    source = str(CHECKOUT / "functions" / name / "main.py")
    code = code or LOAD.format(name=name, source=source, clients=CLIENTS, read=READ)
    environment = {key: value for key, value in {**os.environ, **changes}.items() if value}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", ["create_store", "console", "provision", "reconcile", "billing_event"])
def test_starting_loads_no_client(name: str) -> None:
    found = run(name)
    assert (found.returncode, found.stdout.strip()) == (0, "[]"), found.stderr


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("create_store", "DATABASE_URL"),
        ("create_store", "URUMI_BASE_DOMAIN"),
        ("create_store", "URUMI_NEW_STORES_CELL"),
        ("console", "DATABASE_URL"),
        ("console", "URUMI_CREDENTIALS_KEYS"),
        ("console", "URUMI_LOGIN_KEYS"),
        ("console", "URUMI_BASE_DOMAIN"),
        ("console", "URUMI_NEW_STORES_CELL"),
        ("provision", "KUBECONFIG"),
        ("provision", "URUMI_HELM"),
        ("provision", "URUMI_CELL"),
        ("reconcile", "URUMI_CELL"),
        ("reconcile", "URUMI_BASE_DOMAIN"),
        ("reconcile", "URUMI_NEW_STORES_CELL"),
        ("billing_event", "URUMI_BASE_DOMAIN"),
        ("billing_event", "URUMI_NEW_STORES_CELL"),
    ],
)
def test_a_missing_setting_is_named(name: str, variable: str) -> None:
    found = run(name, **{variable: ""})
    assert found.returncode != 0
    assert variable in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("name", ["create_store", "console", "provision", "reconcile", "billing_event"])
def test_a_plan_file_that_makes_no_sense_is_named_before_anybody_asks(name: str, tmp_path: Path) -> None:
    plans = tmp_path / "plans.yaml"
    plans.write_text("version: 1\nstores: {}\naccounts: {}\n")
    found = run(name, URUMI_PLANS=str(plans))
    assert found.returncode != 0
    assert "URUMI_PLANS" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_helm_that_is_not_helm_4_is_refused(tmp_path: object) -> None:
    found = run("provision", URUMI_HELM="/bin/true")
    assert "Helm 4" in found.stderr
    found = run("provision", DATABASE_URL="postgresql://u:secret@h/d")
    assert "DATABASE_URL" in found.stderr
    assert "secret" not in found.stderr


@pytest.mark.parametrize("text", ["", "{", "[]", '"plugins"', "null"])
def test_values_of_the_cell_are_one_json_object(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("URUMI_CELL_VALUES", text)
    with pytest.raises(SystemExit, match=r"URUMI_CELL_VALUES: .*write it as one JSON object"):
        from_environment(ProvisionSettings)


def test_a_pass_over_one_cell_makes_stores_where_all_new_ones_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URUMI_CELL", "us-1")
    monkeypatch.setenv("URUMI_NEW_STORES_CELL", "eu-1")
    reconcile = bootstrap.reconcile(from_environment(ReconcileSettings))
    assert isinstance(reconcile.settle, SettleSubscriptions)
    assert (reconcile.cell, reconcile.settle.bill.cell) == ("us-1", "eu-1")


def test_a_cell_may_share_nothing_or_any_values(monkeypatch: pytest.MonkeyPatch) -> None:
    assert from_environment(ProvisionSettings).cell_values == "{}"
    monkeypatch.setenv("URUMI_CELL_VALUES", '{"plugins": ["tea"]}')
    assert from_environment(ProvisionSettings).cell_values == '{"plugins": ["tea"]}'
