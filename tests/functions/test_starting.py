"""How functions start: what they load, and what they say when a setting is missing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dev.machine.place import CHECKOUT

pytestmark = pytest.mark.usefixtures("environment")

CLIENTS = ("kubernetes", "grpc", "google.pubsub_v1", "sqlalchemy", "pg8000", "yaml")
LOAD = """
import functions_framework, sys
client = functions_framework.create_app({name!r}, {source!r}).test_client()
if {name!r} == "create_store":
    assert client.get("/healthz").status_code == 200
print([each for each in {clients!r} if each in sys.modules])
"""


def run(name: str, code: str | None = None, **changes: str) -> subprocess.CompletedProcess[str]:
    source = str(CHECKOUT / "functions" / name / "main.py")
    code = code or LOAD.format(name=name, source=source, clients=CLIENTS)
    environment = {key: value for key, value in {**os.environ, **changes}.items() if value}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", ["create_store", "provision", "reconcile"])
def test_starting_loads_no_client(name: str) -> None:
    found = run(name)
    assert (found.returncode, found.stdout.strip()) == (0, "[]"), found.stderr


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("create_store", "DATABASE_URL"),
        ("create_store", "URUMI_API_TOKENS_FILE"),
        ("provision", "KUBECONFIG"),
        ("provision", "URUMI_HELM"),
        ("reconcile", "URUMI_CELL"),
    ],
)
def test_a_missing_setting_is_named(name: str, variable: str) -> None:
    found = run(name, **{variable: ""})
    assert found.returncode != 0
    assert variable in found.stderr
    assert "Traceback" not in found.stderr


def test_a_helm_that_is_not_helm_4_is_refused(tmp_path: object) -> None:
    found = run("provision", URUMI_HELM="/bin/true")
    assert "Helm 4" in found.stderr
    found = run("provision", DATABASE_URL="postgresql://u:secret@h/d")
    assert "DATABASE_URL" in found.stderr
    assert "secret" not in found.stderr
