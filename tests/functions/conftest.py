"""Functions in process, through the framework, with a platform of fakes behind them."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import functions_framework
import pytest
from werkzeug.test import Client

from control_plane import bootstrap
from dev.machine.place import CHECKOUT
from tests.builders import CUSTOMER, STRANGER
from tests.fakes.events import FakeTokens
from tests.use_cases.platform import Platform

TOKENS = {"customer-token": CUSTOMER, "stranger-token": STRANGER}


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Settings that a function starts with; nothing listens behind any of them."""
    helm = tmp_path / "helm"
    helm.write_text("#!/bin/sh\necho v4.2.4\n")
    helm.chmod(0o755)
    tokens = tmp_path / "tokens.json"
    digests = {hashlib.sha256(token.encode()).hexdigest(): str(who) for token, who in TOKENS.items()}
    tokens.write_text(json.dumps(digests))
    values = {
        "DATABASE_URL": "postgresql+pg8000://nobody@127.0.0.1:1/nothing",
        "PUBSUB_PROJECT_ID": "test-project",
        "PUBSUB_EMULATOR_HOST": "127.0.0.1:1",
        "URUMI_CELL": "local",
        "URUMI_BASE_DOMAIN": "shops.example",
        "URUMI_API_TOKENS_FILE": str(tokens),
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
    parts = bootstrap.Api(FakeTokens(TOKENS), platform.stores, platform.create_store, platform.delete_store)
    monkeypatch.setattr(bootstrap, "api", lambda _settings: parts)
    return serve("create_store", monkeypatch)


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
    for module in [
        each for each in sys.modules if each == "main" or each.startswith("functions.create_store")
    ]:
        monkeypatch.delitem(sys.modules, module)
    source = str(CHECKOUT / "functions" / name / "main.py")
    client: Client = functions_framework.create_app(name, source).test_client()
    return client
