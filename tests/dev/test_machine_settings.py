"""What the parts are told: settings, subscriptions, the environment file, given parts."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from dev.machine import emulator, environment, functions, postgres, postgres_binaries, postgres_home, topics
from dev.machine.customers import customers, tokens_file
from dev.machine.digests import digest
from dev.machine.errors import MachineError
from dev.machine.place import CHECKOUT, Place
from dev.machine.private_files import write_private
from dev.machine.status import status

AROUND = functions.Surroundings(
    dict.fromkeys(("create_store", "provision", "reconcile"), "postgresql+pg8000://u:p@h/d"),
    "127.0.0.1:8085",
    dict.fromkeys(("provision", "reconcile"), Path("/k")),
    Path("/helm"),
)
SHARED = {"DATABASE_URL", "PUBSUB_PROJECT_ID", "PUBSUB_EMULATOR_HOST", "URUMI_CELL"}


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("create_store", {"URUMI_API_TOKENS_FILE", "URUMI_BASE_DOMAIN"}),
        ("provision", {"KUBECONFIG", "URUMI_HELM", "URUMI_CHART", "URUMI_CELL_IDENTITY"}),
        ("reconcile", {"KUBECONFIG"}),
    ],
)
def test_each_function_gets_its_own_settings_and_no_other(place, name, own):
    assert set(functions.settings(place, name, AROUND)) == SHARED | own


def test_customers_stay_the_same_and_the_api_gets_no_token_in_clear(place):
    made = customers(place)
    assert made == customers(place)
    path = tokens_file(place)
    assert path.stat().st_mode & 0o777 == 0o600
    known = json.loads(path.read_text())
    assert known == {hashlib.sha256(one.token.encode()).hexdigest(): one.id for one in made}
    assert len(known) == 2


def test_the_environment_file_survives_a_shell_and_is_private(place):
    values = {"A": "plain", "B": "with 'quotes' $HOME `x`", "C": "a=b", "D": ""}
    environment.write(place, values)
    assert place.environment.stat().st_mode & 0o777 == 0o600
    assert environment.read(place) == values
    script = f'. "{place.environment}"; printf "%s\\n" "$A" "$B" "$C" "$D"'
    shell = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert shell.stdout.splitlines() == list(values.values())


def test_every_pushed_message_has_time_and_ends_as_a_dead_letter():
    wanted = topics.subscriptions(provision="http://127.0.0.1:8081", reconcile="http://127.0.0.1:8082")
    push = wanted["store-intents-provision"]
    assert push["pushConfig"]["pushEndpoint"] == (
        "http://127.0.0.1:8081/projects/urumi-local/topics/store-intents"
    )
    assert push["deadLetterPolicy"]["maxDeliveryAttempts"] == 10
    assert "pushConfig" not in wanted["store-intents-dead"]
    assert all(one["ackDeadlineSeconds"] == 600 for one in wanted.values() if "pushConfig" in one)


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
