"""`urumi`: exit codes and one-line errors."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from dev.cli import main
from dev.machine import environment, machine
from dev.machine.errors import MachineError
from dev.machine.place import Place


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    monkeypatch.setenv("URUMI_HOME", str(tmp_path))
    for name in ("URUMI_API_URL", "URUMI_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return Place(tmp_path)


def run(*words: str):
    return CliRunner().invoke(main.app, list(words))


def test_status_of_nothing_is_not_running():
    done = run("status", "--json")
    assert done.exit_code == 3
    assert {"postgres", "emulator", "create_store", "ticker"} <= {
        one["part"] for one in json.loads(done.stdout)
    }


def test_stores_without_a_platform_say_how_to_start_it():
    done = run("stores", "list")
    assert done.exit_code == 3
    assert done.stderr == "error: the platform was never started here: `urumi up` starts it\n"


def test_an_api_that_does_not_answer_is_not_reachable(place):
    environment.write(place, {"URUMI_API_URL": "http://127.0.0.1:1", "URUMI_API_TOKEN": "t"})
    done = run("stores", "list")
    assert done.exit_code == 3
    assert done.stderr.count("\n") == 1
    assert "`urumi up` starts it" in done.stderr


def test_what_a_person_can_put_right_is_one_line(monkeypatch):
    def broken(*_: object) -> None:
        raise MachineError("PostgreSQL is not installed")

    monkeypatch.setattr(machine, "up", broken)
    done = run("up")
    assert (done.exit_code, done.stderr) == (1, "error: PostgreSQL is not installed\n")


def test_a_fault_of_our_own_goes_to_the_log(monkeypatch, place):
    def broken(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(machine, "up", broken)
    done = run("up")
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert "Traceback" in place.log("urumi").read_text()


@pytest.mark.parametrize("words", [["stores", "create"], ["nosuch"], ["logs", "nosuch"], ["up", "--nosuch"]])
def test_wrong_usage_is_2(words):
    assert run(*words).exit_code == 2


def test_logs_shows_what_a_part_wrote(place):
    place.log("part").write_text("hello\n")
    assert run("logs", "part").stdout == "hello\n"
