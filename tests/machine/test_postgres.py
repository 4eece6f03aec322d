"""PostgreSQL as the machine runs it: real server, real kills."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from dev.machine import database, postgres, postgres_home, processes
from dev.machine.errors import MachineError
from dev.machine.place import Place


def _silent(_: str) -> None:
    pass


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("URUMI_UNSAFE_FAST", "1")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    place = Place(tmp_path)
    yield place
    postgres.down(place)
    postgres_home.forget(place)


def _home(place: Place) -> Path:
    return postgres_home.home(place, _silent)


def _run(url: str, sql: str) -> list[list[object]]:
    connection = database.connect(url)
    try:
        rows: list[list[object]] = connection.run(sql)
        return rows
    finally:
        connection.close()


def test_data_address_and_password_survive_stop_and_start(place):
    url = postgres.up(place, _silent)
    _run(url, "CREATE TABLE t AS SELECT 1 AS x")
    before = database.identity(url)
    assert postgres.down(place)
    assert postgres.up(place, _silent) == url
    assert database.identity(url) == before
    assert _run(url, "SELECT x FROM t") == [[1]]
    assert (place.data / "postgres.password").stat().st_mode & 0o777 == 0o600


def test_a_killed_server_comes_back_with_its_data_while_a_session_is_busy(place):
    url = postgres.up(place, _silent)
    _run(url, "CREATE TABLE t AS SELECT 1 AS x")
    busy = database.connect(url)
    ended = threading.Event()

    def sleep() -> None:
        try:
            busy.run("SELECT pg_sleep(60)")
        except Exception:  # noqa: BLE001 - the server dies below it
            ended.set()

    threading.Thread(target=sleep, daemon=True).start()
    record = processes.running(place, postgres.PART)
    assert record is not None
    _run(url, "INSERT INTO t VALUES (2)")
    os.kill(record.pid, signal.SIGKILL)
    assert postgres.up(place, _silent) == url
    assert _run(url, "SELECT x FROM t ORDER BY x") == [[1], [2]]
    assert ended.wait(10)
    with contextlib.suppress(OSError):
        busy.close()


def test_a_pid_file_that_names_another_program_does_not_stop_it(place):
    url = postgres.up(place, _silent)
    postgres.down(place)
    stale = _home(place) / "cluster" / "postmaster.pid"
    with subprocess.Popen([*postgres_home.prefix(), "sleep", "60"]) as other:
        stale.write_text(f"{other.pid}\n/nowhere\n")
        try:
            assert postgres.up(place, _silent) == url
        finally:
            other.kill()


def test_a_taken_port_is_left_to_its_owner(place):
    postgres.up(place, _silent)
    port = processes.record_of(place, postgres.PART).address.rpartition(":")[2]
    postgres.down(place)
    with socket.create_server(("127.0.0.1", int(port))):
        other = postgres.up(place, _silent)
    assert f":{port}/" not in other
    assert _run(other, "SELECT 1") == [[1]]


def test_a_half_made_data_folder_is_made_again(place):
    half = _home(place) / "cluster.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("15\n")
    postgres_home.give(half)
    assert _run(postgres.up(place, _silent), "SELECT 1") == [[1]]


def test_a_given_database_is_used_and_nothing_started(place, tmp_path, monkeypatch):
    other = Place(tmp_path / "other")
    url = postgres.up(other, _silent)
    monkeypatch.setenv("DATABASE_URL", url)
    try:
        assert postgres.up(place, _silent) == url
        assert processes.recorded(place) == []
    finally:
        postgres.down(other)
        postgres_home.forget(other)
    with pytest.raises(MachineError, match="does not answer"):
        postgres.up(place, _silent)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_below_a_closed_folder_the_data_lives_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("URUMI_UNSAFE_FAST", "1")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    place = Place(closed / "place")
    said: list[str] = []
    try:
        url = postgres.up(place, said.append)
        elsewhere = _home(place)
        assert not elsewhere.is_relative_to(closed)
        assert any(str(elsewhere) in line for line in said)
        assert closed.stat().st_mode & 0o777 == 0o700
        postgres.down(place)
        assert postgres.up(place, said.append) == url
    finally:
        postgres.down(place)
        postgres_home.forget(place)
    assert not elsewhere.exists()
    shutil.rmtree(closed)
