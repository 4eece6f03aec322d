"""Functions in process, through the framework, with a platform of fakes behind them."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import functions_framework
import pytest
from werkzeug.test import Client

from control_plane import bootstrap
from control_plane.use_cases.recognise import Recognise
from control_plane.use_cases.sign_in import SignIn
from dev.machine.place import CHECKOUT
from tests.fakes.events import FakeIdentities
from tests.fakes.people import FakeDepartures
from tests.functions.people import IDENTITIES, let_people_in
from tests.use_cases.platform import Platform


@pytest.fixture
def platform() -> Platform:
    platform = Platform()
    let_people_in(platform)
    return platform


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Settings that a function starts with; nothing listens behind any of them."""
    helm = tmp_path / "helm"
    helm.write_text("#!/bin/sh\necho v4.2.4\n")
    helm.chmod(0o755)
    values = {
        "DATABASE_URL": "postgresql+pg8000://nobody@127.0.0.1:1/nothing",
        "PUBSUB_PROJECT_ID": "test-project",
        "PUBSUB_EMULATOR_HOST": "127.0.0.1:1",
        "URUMI_CELL": "local",
        "URUMI_NEW_STORES_CELL": "local",
        "URUMI_BASE_DOMAIN": "shops.example",
        "URUMI_CREDENTIALS_KEYS": base64.urlsafe_b64encode(bytes(32)).decode(),
        "URUMI_LOGIN_KEYS": json.dumps({"k1": base64.b64encode(bytes(32)).decode()}),
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
        "URUMI_HELM": str(helm),
        "URUMI_CHART": str(CHECKOUT / "chart"),
        "URUMI_CELL_IDENTITY": '{"kind": "User", "name": "provision"}',
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def api(environment: None, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The REST API."""
    parts = bootstrap.Api(**_for_customers(platform), create_token=platform.create_token)
    monkeypatch.setattr(bootstrap, "api", lambda _settings: parts)
    return serve("create_store", monkeypatch)


@pytest.fixture
def console(environment: None, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The console, on the same platform as the API."""
    parts = bootstrap.Console(
        **_for_customers(platform),
        sign_in=SignIn(platform.accounts),
        departures=FakeDepartures(platform.tables),
    )
    monkeypatch.setattr(bootstrap, "console", lambda _settings: parts)
    return serve("console", monkeypatch)


def _for_customers(platform: Platform) -> dict[str, Any]:
    return {
        "recognise": Recognise(FakeIdentities(IDENTITIES)),
        "accounts": platform.accounts,
        "create_store": platform.create_store,
        "change_store": platform.change_store,
        "claim_credentials": platform.claim,
        "make_login_link": platform.login,
    }


@pytest.fixture
def provision(environment: None, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The subscriber."""
    monkeypatch.setattr(bootstrap, "receive_message", lambda _settings: platform.receive)
    return serve("provision", monkeypatch)


@pytest.fixture
def reconcile(environment: None, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The pass."""
    monkeypatch.setattr(bootstrap, "reconcile", lambda _settings: platform.reconcile)
    return serve("reconcile", monkeypatch)


def serve(name: str, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A function under the framework; what it reads from its environment is read anew."""
    for module in [each for each in sys.modules if each == "main" or each.startswith(f"functions.{name}")]:
        monkeypatch.delitem(sys.modules, module)
    source = str(CHECKOUT / "functions" / name / "main.py")
    client: Client = functions_framework.create_app(name, source).test_client(use_cookies=False)
    return client
