"""Processes and ports of a place: recognised, restarted, stopped, and never somebody else's."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest

from dev.machine import processes
from dev.machine.errors import MachineError
from dev.machine.logfiles import last_error, last_words
from dev.machine.place import Place
from dev.machine.ports import free_port, lasting_port
from dev.machine.serving import Command, listens, serve
from dev.machine.waiting import http_status

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
SERVE = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    yield place
    for name in processes.recorded(place):
        processes.stop(place, name)


def test_a_process_is_started_once_and_stopped(place):
    first = processes.start(place, "sleeper", SLEEP, environment={})
    assert processes.start(place, "sleeper", SLEEP, environment={}) == first
    assert processes.stop(place, "sleeper")
    assert not psutil.pid_exists(first.pid)
    assert not processes.stop(place, "sleeper")


def test_an_id_that_is_another_programs_by_now_is_left_alone(place):
    record = {"name": "old", "pid": os.getpid(), "started": 1.0, "address": ""}
    (place.run / "old.json").write_text(json.dumps(record))
    assert processes.running(place, "old") is None
    assert not processes.stop(place, "old")


def test_what_a_killed_leader_left_behind_is_ended_before_the_next_start(place, tmp_path):
    note = tmp_path / "worker"
    fork = (
        f"import os, time; pid = os.fork(); pid and open({str(note)!r}, 'w').write(str(pid)); time.sleep(60)"
    )
    leader = processes.start(place, "forker", [sys.executable, "-c", fork], environment={})
    worker = _number(note)
    os.kill(leader.pid, signal.SIGKILL)
    leader_process = leader.process()
    if leader_process:
        leader_process.wait(5)
    assert _alive(worker)
    processes.start(place, "forker", SLEEP, environment={})
    _until(lambda: not _alive(worker))


def test_the_child_gets_only_the_environment_it_was_given(place, monkeypatch):
    monkeypatch.setenv("URUMI_SECRET_OF_SOMEBODY", "x")
    say = "import os; print(sorted(os.environ), flush=True)"
    processes.start(place, "env", [sys.executable, "-c", say], environment={"ONLY": "1"})
    _until(lambda: "ONLY" in place.log("env").read_text())
    assert "URUMI_SECRET_OF_SOMEBODY" not in place.log("env").read_text()


def test_a_place_keeps_its_port_and_takes_another_only_when_it_is_taken(place):
    first = lasting_port(place, "part")
    assert lasting_port(place, "part", 1) == first
    with socket.socket() as other:
        other.bind(("127.0.0.1", first))
        other.listen()
        second = lasting_port(place, "part", first)
    assert second != first
    assert lasting_port(place, "part", first) == second


def test_a_server_whose_port_another_program_took_gets_a_new_one(place, monkeypatch):
    other = processes.start(place, "other", [*SERVE, str(taken := free_port())], environment={})
    _until(lambda: listens(other, taken))
    chosen = iter([taken, free_port()])
    monkeypatch.setattr("dev.machine.serving.lasting_port", lambda *_: next(chosen))
    port = serve(
        place,
        "part",
        port=taken,
        command=lambda port: Command([*SERVE, str(port)], {}),
        answers=lambda port: http_status(port, "/") == 200,
        seconds=20,
    )
    assert port != taken
    record = processes.running(place, "part")
    assert record is not None
    assert listens(record, port)


def test_a_part_that_ends_at_once_says_why(place):
    broken = [sys.executable, "-c", "raise ValueError('no such setting')"]
    with pytest.raises(MachineError, match="ValueError: no such setting"):
        serve(
            place,
            "broken",
            port=0,
            command=lambda _: Command(broken, {}),
            answers=lambda _: False,
            seconds=20,
        )


@pytest.mark.parametrize(
    "line",
    [
        '{"severity": "ERROR", "event": "provision_failed"}',
        '{"level":"error","ts":"2026"}',
        "E1124 04:10:00.000000   1 controller.go:1] it broke",
        '2026-11-24 04:10:00 UTC [7] FATAL:  lock file "postmaster.pid" already exists',
        'Exception in thread "main" java.net.BindException: Address already in use',
    ],
)
def test_the_last_error_of_a_log_is_found(place, line):
    place.log("part").write_text(f"fine\n{line}\nI1124 fine again\n")
    assert last_error(place, "part") == line
    assert last_words(place, "part") == line


def test_a_log_without_errors_has_none(place):
    place.log("part").write_text("2026 UTC [7] FATAL:  the database system is starting up\nI1124 no errors\n")
    assert last_error(place, "part") is None
    assert last_words(place, "part") == "I1124 no errors"


def test_errors_from_before_the_last_start_are_history(place):
    place.log("part").write_text("ERROR long ago\n")
    processes.start(place, "part", SLEEP, environment={})
    assert last_error(place, "part") is None


def _number(path: Path) -> int:
    _until(lambda: path.exists() and path.read_text().isdigit())
    return int(path.read_text())


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _until(holds) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.02)
