"""The ticker: posts side by side, and says only what changed."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dev.machine.ticker import AT_ONCE, Ticker


class Reconcile:
    """A server that answers as it is told and counts."""

    def __init__(self) -> None:
        self.status, self.posts, self.wait = 200, 0, threading.Event()
        self.wait.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.posts += 1
                outer.wait.wait(10)
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def reconcile():
    made = Reconcile()
    yield made
    made.wait.set()
    made.server.shutdown()
    made.server.server_close()


def test_it_posts_and_logs_failures_only_when_they_change(reconcile):
    lines: list[str] = []
    ticker = Ticker(reconcile.url, lines.append)
    for status in (200, 500, 500, 200):
        reconcile.status = status
        before = reconcile.posts
        ticker.tick()
        _until(lambda before=before: reconcile.posts == before + 1 and ticker._slots._value == AT_ONCE)
    assert lines == ["ERROR reconcile answered 500", "ok"]


def test_ticks_overlap_but_do_not_pile_up(reconcile):
    reconcile.wait.clear()
    ticker = Ticker(reconcile.url, lambda _: None)
    for _ in range(AT_ONCE + 3):
        ticker.tick()
    _until(lambda: reconcile.posts == AT_ONCE)
    time.sleep(0.05)
    assert reconcile.posts == AT_ONCE


def test_nobody_there_is_one_line(reconcile):
    lines: list[str] = []
    ticker = Ticker("http://127.0.0.1:1", lines.append)
    for _ in range(3):
        ticker.tick()
        _until(lambda: ticker._slots._value == AT_ONCE)
    assert len(lines) == 1
    assert lines[0].startswith("ERROR reconcile does not answer")


def _until(holds) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.01)
