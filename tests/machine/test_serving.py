"""Functions as processes: our launcher drains on SIGTERM; the framework's own CLI serves them too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from dev.machine.place import CHECKOUT
from dev.machine.ports import free_port

SLOW = """
import subprocess, time
import functions_framework
from control_plane import shutdown
@functions_framework.http
def slow(request):
    if request.path == "/child":
        child = subprocess.Popen(["sleep", "600"])
        shutdown.at_shutdown(child.terminate)
        child.wait()
    else:
        time.sleep(1)
    return "done"
"""


@contextmanager
def serving(argv: list[str], port: int, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {"PATH": os.environ["PATH"], "HOST": "127.0.0.1", "PORT": str(port), **settings}
    server = subprocess.Popen(argv, env=environment, cwd=CHECKOUT)
    try:
        give_up = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/robots.txt", timeout=5)
                break
            except httpx.TransportError:
                assert time.monotonic() < give_up, "it does not answer"
                time.sleep(0.05)
        yield server
    finally:
        children = psutil.Process(server.pid).children(recursive=True) if server.poll() is None else []
        server.kill()
        server.wait()
        for child in children:
            if child.is_running():
                child.kill()


@pytest.fixture
def slow(tmp_path: Path) -> str:
    source = tmp_path / "main.py"
    source.write_text(SLOW)
    return str(source)


@pytest.mark.parametrize("path", ["/", "/child"])
def test_on_sigterm_what_runs_is_told_answered_and_all_is_gone_in_8_seconds(slow: str, path: str) -> None:
    port = free_port()
    argv = [sys.executable, "-m", "control_plane.launcher"]
    with serving(argv, port, FUNCTION_TARGET="slow", FUNCTION_SOURCE=slow) as server:
        family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        request = [
            sys.executable,
            "-c",
            f"import httpx; print(httpx.get('http://127.0.0.1:{port}{path}', timeout=30).text)",
        ]
        with subprocess.Popen(request, stdout=subprocess.PIPE, text=True) as asking:
            time.sleep(0.7)
            family += [
                each for each in psutil.Process(server.pid).children(recursive=True) if each not in family
            ]
            began = time.monotonic()
            server.send_signal(signal.SIGTERM)
            answered, _ = asking.communicate(timeout=20)
        server.wait(10)
        assert answered.strip() == "done"
        assert time.monotonic() - began < 8
        assert not [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def test_the_frameworks_own_command_serves_a_function_too(tmp_path: Path) -> None:
    port = free_port()
    tokens = tmp_path / "tokens.json"
    tokens.write_text("{}")
    argv = [
        str(Path(sys.executable).with_name("functions-framework")),
        "--target=create_store",
        "--source=functions/create_store/main.py",
        "--host=127.0.0.1",
        f"--port={port}",
    ]
    settings = {
        "DATABASE_URL": "postgresql+pg8000://nobody@127.0.0.1:1/nothing",
        "PUBSUB_PROJECT_ID": "test-project",
        "URUMI_CELL": "local",
        "URUMI_BASE_DOMAIN": "shops.example",
        "URUMI_API_TOKENS_FILE": str(tokens),
    }
    with serving(argv, port, **settings):
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").json() == {"status": "serving"}


def test_a_launcher_without_a_target_says_what_it_needs() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "control_plane.launcher"], env={}, capture_output=True, text=True, check=False
    )
    assert found.returncode != 0
    assert "FUNCTION_TARGET" in found.stderr
