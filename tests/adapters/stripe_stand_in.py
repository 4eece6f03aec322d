"""Stands in for Stripe's API: subscriptions only, as a test says they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from dev.machine.place import CHECKOUT

EXAMPLES = CHECKOUT / "tests" / "events" / "stripe"
KEY = "sk_test_of-a-test"


def an_example(name: str, **changes: Any) -> dict[str, Any]:
    """Stripe's own example of an object, with some fields set."""
    return {**json.loads((EXAMPLES / f"{name}.json").read_text()), **changes}


@dataclass
class StripeStandIn:
    """`subscriptions` by id; while `status` is set, every request is answered with it."""

    url: str = ""
    subscriptions: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: int | None = None
    asked: list[str] = field(default_factory=list)


@contextmanager
def running() -> Iterator[StripeStandIn]:
    """One that listens."""
    stand_in = StripeStandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            stand_in.asked.append(self.path)
            found = stand_in.subscriptions.get(self.path.rpartition("/")[2])
            if stand_in.status:
                self._answer(stand_in.status, {"error": {"type": "api_error", "message": "not now"}})
            elif self.headers["Authorization"] != f"Bearer {KEY}":
                self._answer(401, {"error": {"type": "invalid_request_error", "message": "no such key"}})
            elif not self.path.startswith("/v1/subscriptions/") or found is None:
                error = {"type": "invalid_request_error", "code": "resource_missing", "message": "none"}
                self._answer(404, {"error": error})
            else:
                self._answer(200, found)

        def _answer(self, status: int, body: object) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
