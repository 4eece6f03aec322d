"""Functions as processes: our launcher drains on SIGTERM; the framework's own CLI serves them too."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from control_plane.worker import past_chunks
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
        open("begun", "w").close()
        child.wait()
    else:
        open("begun", "w").close()
        time.sleep(1)
    return "done"
"""


READS = """
import functions_framework
@functions_framework.http
def reads(request):
    return f"{request.path} {request.get_data().decode()}\\n"
"""
HEAD = b"POST /%d HTTP/1.1\r\nHost: x\r\n"
WHOLE = HEAD + b"Content-Length: 3\r\n\r\nabc"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
ASKS = HEAD + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"


@contextmanager
def serving(
    argv: list[str], port: int, folder: Path = CHECKOUT, **settings: str
) -> Iterator[subprocess.Popen[bytes]]:
    """In a folder with a folder of functions."""
    environment = {"PATH": os.environ["PATH"], "HOST": "127.0.0.1", "PORT": str(port), **settings}
    server = subprocess.Popen(argv, env=environment, cwd=folder)
    try:
        give_up = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/health", timeout=5)
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


def a_function(folder: Path, name: str, source: str) -> Path:
    """A folder in which the launcher finds this function and no other."""
    main = folder / "functions" / name / "main.py"
    main.parent.mkdir(parents=True)
    (folder / "functions/__init__.py").touch()
    main.write_text(source)
    return folder


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    return a_function(tmp_path, "slow", SLOW)


def test_health_is_answered_before_the_function(tmp_path: Path) -> None:
    port = free_port()
    argv = [sys.executable, "-m", "control_plane.launcher"]
    with serving(argv, port, a_function(tmp_path, "reads", READS), FUNCTION_TARGET="reads"):
        answer = httpx.get(f"http://127.0.0.1:{port}/health")
        assert (answer.status_code, answer.text) == (200, "serving\n")
        for method, path in (("POST", "/health"), ("GET", "/health/"), ("GET", "/healthz"), ("GET", "/")):
            assert httpx.request(method, f"http://127.0.0.1:{port}{path}").text.startswith(path)


@pytest.mark.parametrize("path", ["/", "/child"])
def test_on_sigterm_what_runs_is_told_answered_and_all_is_gone_in_8_seconds(slow: Path, path: str) -> None:
    port = free_port()
    argv = [sys.executable, "-m", "control_plane.launcher"]
    with serving(argv, port, slow, FUNCTION_TARGET="slow") as server:
        family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        request = [
            sys.executable,
            "-c",
            f"import httpx; print(httpx.get('http://127.0.0.1:{port}{path}', timeout=30).text)",
        ]
        with subprocess.Popen(request, stdout=subprocess.PIPE, text=True) as asking:
            while not (slow / "begun").exists():
                assert asking.poll() is None
                time.sleep(0.01)
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


@pytest.fixture(scope="module")
def reads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a function that answers with what it read, by eight threads."""
    folder, port = a_function(tmp_path_factory.mktemp("reads"), "reads", READS), free_port()
    argv = [sys.executable, "-m", "control_plane.launcher"]
    with serving(argv, port, folder, FUNCTION_TARGET="reads"):
        yield port


def connected(port: int, sent: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(sent)
    return connection


def heard(connection: socket.socket, ends: bytes) -> bytes:
    """All that is answered until it ends like that."""
    found = b""
    while not found.endswith(ends):
        more = connection.recv(65536)
        assert more, found
        found += more
    return found


UNFINISHED = {
    "nothing": b"",
    "half a head": HEAD % 1,
    "half a body": (WHOLE % 1)[:-1],
    "half a chunk": (CHUNKED % 1)[:-8],
    "a chunk that ends as the last one does": (CHUNKED % 1).replace(
        b"3\r\nabc\r\n0\r\n\r\n", b"5\r\n\r\n\r\n"
    ),
    "a question before the body": ASKS % 1,
    "a question before a large body": (ASKS % 1).replace(b": 3", b": 70000"),
    "a large body": (WHOLE % 1).replace(b": 3", b": 70000"),
    "a length beyond all numbers": (WHOLE % 1).replace(b": 3", b": 0" + b"9" * 30),
    "chunks without end": HEAD % 1 + b"Transfer-Encoding: chunked\r\n\r\n" + b"3\r\nabc\r\n" * 9000,
    "a head without end": HEAD % 1 + b"".join(b"X-%d: %s\r\n" % (each, b"x" * 8000) for each in range(9)),
    "what is refused, and nothing after that": (CHUNKED % 1).replace(b"3\r\n", b"three\r\n"),
    "a request and half a head": WHOLE % 1 + HEAD % 2,
}


@pytest.mark.parametrize("what", UNFINISHED)
def test_whoever_sends_half_a_request_keeps_nobody_else_from_an_answer(reads: int, what: str) -> None:
    slow = [connected(reads, UNFINISHED[what]) for _ in range(16)]
    try:
        time.sleep(0.3)
        for _ in range(3):
            began = time.monotonic()
            assert httpx.get(f"http://127.0.0.1:{reads}/", timeout=20).text == "/ \n"
            assert time.monotonic() - began < 2
    finally:
        for each in slow:
            each.close()


def test_whoever_is_too_slow_is_heard_no_further(reads: int) -> None:
    began = time.monotonic()
    with connected(reads, HEAD % 1) as head, connected(reads, (WHOLE % 1)[:-1]) as body:
        for dripping in range(9):
            time.sleep(1)
            head.sendall(b"X-%d: 1\r\n" % dripping)
        assert head.recv(1000) == b""
        assert heard(body, b"ab\n").endswith(b"/1 ab\n")  # the function says what it makes of that
        assert 9 < time.monotonic() - began < 13


def test_who_asks_before_the_body_is_answered_once(reads: int) -> None:
    began = time.monotonic()
    with connected(reads) as connection:
        for number in range(2):
            connection.sendall(ASKS % number)
            assert heard(connection, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(b"abc")
            answer = heard(connection, b"abc\n")
            assert (answer[:12], answer[-7:]) == (b"HTTP/1.1 200", b"/%d abc\n" % number)
    assert time.monotonic() - began < 2


def test_a_large_body_that_drips_in_is_heard_no_further_either(reads: int) -> None:
    began = time.monotonic()
    with connected(reads, (WHOLE % 1).replace(b": 3", b": 70000")) as connection:
        for _ in range(9):
            time.sleep(1)
            connection.sendall(b"d")
        assert heard(connection, b"d\n").endswith(b"/1 abc" + b"d" * 9 + b"\n")
    assert 9 < time.monotonic() - began < 13


@pytest.mark.parametrize(
    ("body", "all_of_it"),
    [
        (b"0\r\n\r\n", True),
        (b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n000\r\nTrailer: 1\r\n\r\n", True),
        (b"3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\n", True),
        (b"", False),
        (b"0\r\n", False),
        (b"0\r\nTrailer: 1\r\n", False),
        (b"5\r\n\r\n\r\n", False),
        (b"7\r\n0\r\n\r\n\r\n", False),
        (b"3\r\nabc", False),
        (b"3\r\nabc\r", False),
        (b"ffffffffffffffffffff\r\nabc\r\n0\r\n\r\n", False),
        (b"\r\n", True),
        (b"+3\r\n", True),
        (b"-1\r\n", True),
        (b"0x3\r\n", True),
        (b"3\r\nabcd\r\n", True),
    ],
)
def test_chunks_are_all_here_with_the_last_or_with_a_wrong_one(body: bytes, all_of_it: bool) -> None:
    assert past_chunks(body, 0)[1] is all_of_it
    at, seen, found = 0, b"", False
    for drop in body:  # wherever it is cut, and from where it was left
        seen += bytes([drop])
        at, found = past_chunks(seen, at)
        if found:
            break
    assert found is all_of_it


@pytest.mark.parametrize("request_text", [WHOLE, CHUNKED], ids=["of known length", "chunked"])
def test_requests_are_answered_however_they_are_cut(reads: int, request_text: bytes) -> None:
    with connected(reads) as connection:
        for number in range(3):  # drop by drop, on one connection
            for drop in request_text % number:
                connection.sendall(bytes([drop]))
            assert heard(connection, b"abc\n").endswith(b"\r\n\r\n/%d abc\n" % number)
        connection.sendall(b"".join(request_text % number for number in range(5)))
        assert heard(connection, b"/4 abc\n").count(b"HTTP/1.1 200") == 5
    large = b"x" * 60_000
    assert httpx.post(f"http://127.0.0.1:{reads}/", content=large, timeout=20).content == b"/ %s\n" % large
    larger = b"x" * 6_000_000
    assert httpx.post(f"http://127.0.0.1:{reads}/", content=larger, timeout=20).content == b"/ %s\n" % larger


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"GET /" + b"x" * 70_000,
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 9\r\n\r\n",
    ],
    ids=["no head", "a long length", "an endless head", "two lengths"],
)
def test_what_is_no_request_is_refused_at_once(reads: int, sent: bytes) -> None:
    began = time.monotonic()
    with connected(reads, sent) as connection:
        assert connection.recv(12) in (b"", b"HTTP/1.1 400", b"HTTP/1.1 431", b"HTTP/1.1 414")
    assert time.monotonic() - began < 2


def test_a_silent_connection_does_not_hold_up_the_end(slow: Path) -> None:
    port = free_port()
    argv = [sys.executable, "-m", "control_plane.launcher"]
    with serving(argv, port, slow, FUNCTION_TARGET="slow") as server, connected(port):
        time.sleep(0.3)
        began = time.monotonic()
        server.send_signal(signal.SIGTERM)
        server.wait(10)
        assert time.monotonic() - began < 4


def test_the_frameworks_own_command_serves_a_function_too() -> None:
    port = free_port()
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
        "URUMI_NEW_STORES_CELL": "local",
        "URUMI_BASE_DOMAIN": "shops.example",
        "URUMI_CREDENTIALS_KEYS": base64.urlsafe_b64encode(bytes(32)).decode(),
        "URUMI_LOGIN_KEYS": json.dumps({"k1": base64.b64encode(bytes(32)).decode()}),
    }
    with serving(argv, port, **settings):
        assert httpx.get(f"http://127.0.0.1:{port}/openapi.json").status_code == 200


@pytest.mark.parametrize("target", [None, "", "sell_stores", "../dev", "domain"])
def test_a_launcher_without_a_function_to_serve_says_which_there_are(target: str | None) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "control_plane.launcher"],
        env={} if target is None else {"FUNCTION_TARGET": target},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode != 0
    assert found.stderr.startswith("FUNCTION_TARGET: ")
    assert "billing_event, console, create_store, provision, reconcile, stripe_webhook" in found.stderr
