"""What only functions on Google Cloud are told, and what a wrong setting of it says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine

from control_plane import bootstrap
from control_plane.adapters import postgres_database
from control_plane.settings import (
    BillingEventSettings,
    ConsoleSettings,
    CreateStoreSettings,
    ProvisionSettings,
    ReconcileSettings,
    _Common,
    from_environment,
)
from tests.certificates import Authority

pytestmark = pytest.mark.usefixtures("environment")

ENDPOINT = "https://gke-1.eu.gke.goog"
IN_THE_CELL = [ProvisionSettings, ReconcileSettings]
ALL = [CreateStoreSettings, ConsoleSettings, BillingEventSettings, *IN_THE_CELL]


@pytest.mark.parametrize("settings", IN_THE_CELL)
def test_a_cell_is_reached_in_exactly_one_way(
    monkeypatch: pytest.MonkeyPatch, settings: type[ProvisionSettings | ReconcileSettings]
) -> None:
    assert from_environment(settings).cell_endpoint is None
    monkeypatch.setenv("URUMI_CELL_ENDPOINT", ENDPOINT)
    with pytest.raises(SystemExit, match="set KUBECONFIG or URUMI_CELL_ENDPOINT, and not both"):
        from_environment(settings)
    monkeypatch.delenv("KUBECONFIG")
    assert from_environment(settings).cell_endpoint == ENDPOINT
    monkeypatch.delenv("URUMI_CELL_ENDPOINT")
    with pytest.raises(SystemExit, match="set KUBECONFIG or URUMI_CELL_ENDPOINT, and not both"):
        from_environment(settings)


@pytest.mark.parametrize("url", ["http://h", "h", "https://", "https://h/path", "https://h?q", ""])
def test_an_endpoint_is_https_and_a_host(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("URUMI_CELL_ENDPOINT", url)
    with pytest.raises(SystemExit, match=r"URUMI_CELL_ENDPOINT: .*write it as https://HOST, without a path"):
        from_environment(ProvisionSettings)


def test_an_endpoint_becomes_a_kubeconfig_with_our_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("URUMI_CELL_ENDPOINT", f"{ENDPOINT}/")
    content = json.loads(Path(bootstrap._kubeconfig(from_environment(ReconcileSettings))).read_text())
    assert content["clusters"][0]["cluster"]["server"] == ENDPOINT
    plugin = content["users"][0]["user"]["exec"]
    assert plugin["command"] == sys.executable
    assert plugin["args"][-1] == "control_plane.google_credentials"


@pytest.mark.parametrize("settings", ALL)
def test_a_ca_of_the_database_is_pem(monkeypatch: pytest.MonkeyPatch, settings: type[_Common]) -> None:
    assert from_environment(settings).database_ca is None
    ca = Authority().pem
    monkeypatch.setenv("URUMI_DATABASE_CA", ca)
    assert from_environment(settings).database_ca == ca
    for wrong in ("/etc/ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "ü", ""):
        monkeypatch.setenv("URUMI_DATABASE_CA", wrong)
        with pytest.raises(SystemExit, match=r"URUMI_DATABASE_CA: .*write it as PEM"):
            from_environment(settings)


BUILDERS: dict[type[_Common], list[Callable[[Any], object]]] = {
    CreateStoreSettings: [bootstrap.api],
    ConsoleSettings: [bootstrap.console],
    ProvisionSettings: [bootstrap.provision, bootstrap.receive_message],
    ReconcileSettings: [bootstrap.reconcile],
    BillingEventSettings: [bootstrap.receive_billing_event, bootstrap.receive_stripe_notice],
}


@pytest.mark.parametrize("settings", ALL)
def test_every_connection_of_a_function_knows_the_ca(
    monkeypatch: pytest.MonkeyPatch, settings: type[_Common]
) -> None:
    ca = Authority().pem
    given: list[str | None] = []
    monkeypatch.setenv("URUMI_DATABASE_CA", ca)
    monkeypatch.setenv("URUMI_STRIPE_WEBHOOK_SECRET", "whsec")

    def make_engine(_url: str, ca: str | None, **_: object) -> Engine:
        given.append(ca)
        return create_engine("sqlite://")

    monkeypatch.setattr(postgres_database, "make_engine", make_engine)
    for build in BUILDERS[settings]:
        build(from_environment(settings))
    assert given
    assert set(given) == {ca}


def test_wiring_a_function_on_one_machine_loads_nothing_of_a_cell_in_the_cloud() -> None:
    code = """
import sys
from control_plane import bootstrap, settings
bootstrap.provision(settings.from_environment(settings.ProvisionSettings))
bootstrap.reconcile(settings.from_environment(settings.ReconcileSettings))
print("control_plane.adapters.google_cell" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("False", 0), done.stderr
