"""What the parts are told: settings, subscriptions, the environment file, given parts."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from dev.cluster.cluster import Cluster
from dev.machine import (
    database_roles,
    emulator,
    environment,
    functions,
    postgres,
    postgres_binaries,
    postgres_home,
    topics,
)
from dev.machine.customers import customers
from dev.machine.digests import digest
from dev.machine.errors import MachineError
from dev.machine.keys import Keys, keys
from dev.machine.place import CHECKOUT, Place
from dev.machine.private_files import write_private
from dev.machine.status import status

AROUND = functions.Surroundings(
    dict.fromkeys(database_roles.USERS, "postgresql+pg8000://u:p@h/d"),
    "127.0.0.1:8085",
    dict.fromkeys(("provision", "reconcile"), Path("/k")),
    Cluster("node", Path("/k"), Path("/helm"), "real", (), front_door=8090, values={"plugins": ["tea"]}),
    Keys("a-sealing-key", {"k1": base64.b64encode(bytes(32)).decode()}),
)
SHARED = {"DATABASE_URL", "PUBSUB_PROJECT_ID", "PUBSUB_EMULATOR_HOST"}
NEW_STORES = {"URUMI_NEW_STORES_CELL", "URUMI_BASE_DOMAIN"}


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("create_store", NEW_STORES | {"URUMI_CREDENTIALS_KEYS", "URUMI_LOGIN_KEYS"}),
        ("console", NEW_STORES | {"URUMI_CREDENTIALS_KEYS", "URUMI_LOGIN_KEYS"}),
        (
            "provision",
            {
                "KUBECONFIG",
                "URUMI_HELM",
                "URUMI_CHART",
                "URUMI_CELL",
                "URUMI_CELL_IDENTITY",
                "URUMI_CELL_VALUES",
                "URUMI_CREDENTIALS_KEYS",
            },
        ),
        ("reconcile", NEW_STORES | {"KUBECONFIG", "URUMI_CELL", "URUMI_CELL_VALUES"}),
        ("billing_event", NEW_STORES),
        ("stripe_webhook", NEW_STORES),
    ],
)
def test_each_function_gets_its_own_settings_and_no_other(name, own):
    assert set(functions.settings(name, AROUND)) == SHARED | own


def test_what_stripe_needs_is_handed_on_to_billings_functions_only(monkeypatch):
    for name in functions.STRIPE_SETTINGS:
        monkeypatch.setenv(name, "set")
    found = {
        one.name: functions.settings(one.name, AROUND) for one in (*functions.FUNCTIONS, functions.WEBHOOK)
    }
    has = {name for name, theirs in found.items() if set(functions.STRIPE_SETTINGS) <= set(theirs)}
    assert has == {"billing_event", "stripe_webhook"}
    assert not any("STRIPE" in each for name in set(found) - has for each in found[name])


def test_only_the_console_proves_itself_to_an_issuer(monkeypatch):
    monkeypatch.setenv("URUMI_OIDC_ISSUERS", "[]")
    monkeypatch.setenv("URUMI_OIDC_CLIENT_SECRETS", "{}")
    found = {one.name: functions.settings(one.name, AROUND) for one in functions.FUNCTIONS}
    assert {name for name in found if "URUMI_OIDC_ISSUERS" in found[name]} == {"console", "create_store"}
    assert {name for name in found if "URUMI_OIDC_CLIENT_SECRETS" in found[name]} == {"console"}


def test_stores_have_names_at_the_front_door_and_what_their_cell_shares():
    assert functions.settings("create_store", AROUND)["URUMI_BASE_DOMAIN"] == "localhost:8090"
    shared = functions.settings("provision", AROUND)["URUMI_CELL_VALUES"]
    # The public half of an Ed25519 seed of 32 zeros, as RFC 8032 makes it.
    public = "O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik="
    assert json.loads(shared) == {"plugins": ["tea"], "login": {"keys": {"k1": public}}}


def test_customers_and_keys_stay_the_same_and_are_private(place):
    assert customers(place) == customers(place)
    assert keys(place) == keys(place)
    for name in ("customers.json", "keys.json"):
        assert (place.data / name).stat().st_mode & 0o777 == 0o600


def test_the_environment_file_survives_a_shell_and_is_private(place):
    values = {"A": "plain", "B": "with 'quotes' $HOME `x`", "C": "a=b", "D": ""}
    environment.write(place, values)
    assert place.environment.stat().st_mode & 0o777 == 0o600
    assert environment.read(place) == values
    script = f'. "{place.environment}"; printf "%s\\n" "$A" "$B" "$C" "$D"'
    shell = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert shell.stdout.splitlines() == list(values.values())


@pytest.mark.parametrize(
    ("subscription", "topic", "base", "seconds", "attempts"),
    [
        ("store-intents-provision", "store-intents", "http://127.0.0.1:8081", 600, 10),
        ("billing-events-billing-event", "billing-events", "http://127.0.0.1:8083", 30, 100),
    ],
)
def test_every_pushed_message_has_time_and_ends_as_a_dead_letter(
    subscription, topic, base, seconds, attempts
):
    wanted = topics.subscriptions(
        provision="http://127.0.0.1:8081",
        reconcile="http://127.0.0.1:8082",
        billing_event="http://127.0.0.1:8083",
    )
    push = wanted[subscription]
    assert push["pushConfig"]["pushEndpoint"] == f"{base}/projects/urumi-local/topics/{topic}"
    assert push["deadLetterPolicy"]["maxDeliveryAttempts"] == attempts
    assert push["deadLetterPolicy"]["deadLetterTopic"] == wanted[f"{topic}-dead"]["topic"]
    assert "pushConfig" not in wanted[f"{topic}-dead"]
    assert push["ackDeadlineSeconds"] == seconds


def test_a_digest_changes_with_settings_and_with_files():
    files = [CHECKOUT / "dev" / "machine"]
    assert digest(files) == digest(files)
    assert len({digest(files), digest(files, {"A": "1"}), digest(files, {"A": "2"}), digest(files[:0])}) == 4


def test_a_database_url_is_used_unless_it_is_the_places_own(place, monkeypatch):
    write_private(place.data / "postgres.password", "0123abcd")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert postgres.given(place) is None
    monkeypatch.setenv("DATABASE_URL", "postgresql+pg8000://urumi:0123abcd@127.0.0.1:5440/urumi")
    assert postgres.given(place) is None
    monkeypatch.setenv("DATABASE_URL", "postgresql+pg8000://me:other@db.example/shop")
    assert postgres.given(place) == "postgresql+pg8000://me:other@db.example/shop"


def test_somebody_elses_emulator_is_used_only_when_named_on_purpose(monkeypatch):
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "elsewhere:8085")
    monkeypatch.delenv("URUMI_EMULATOR_HOST", raising=False)
    assert emulator.given() is None
    monkeypatch.setenv("URUMI_EMULATOR_HOST", "elsewhere:8085")
    assert emulator.given() == "elsewhere:8085"


def _fake_postgres(root: Path, version: str) -> Path:
    folder = root / version / "bin"
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (folder / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


def test_the_newest_postgres_is_taken_and_old_ones_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(postgres_binaries, "FOLDERS", (f"{tmp_path}/*/bin",))
    monkeypatch.setenv("PATH", str(tmp_path))
    _fake_postgres(tmp_path, "14.9")
    with pytest.raises(MachineError, match="apt-get install postgresql"):
        postgres_binaries.find()
    _fake_postgres(tmp_path, "15.18")
    newest = _fake_postgres(tmp_path, "17.2")
    assert postgres_binaries.find() == newest
    assert postgres_binaries.find(15) == tmp_path / "15.18" / "bin"
    with pytest.raises(MachineError, match="PostgreSQL 16, which is not installed"):
        postgres_binaries.find(16)


def test_a_socket_path_that_is_too_long_moves_to_a_short_folder(tmp_path):
    deep = Place(tmp_path / ("x" * 100))
    home = deep.data / "postgres"
    home.mkdir()
    folder = postgres_home.socket_folder(home, deep)
    try:
        assert len(f"{folder}{postgres_home.LONGEST_NAME}") <= postgres_home.SOCKET_LIMIT
        assert postgres_home.socket_folder(home, deep) == folder
    finally:
        postgres_home.forget(deep)
    assert not folder.exists()


def test_nothing_runs_in_a_new_place(place):
    assert {one.state for one in status(place)} == {"stopped"}
