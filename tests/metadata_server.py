"""A stand-in for Google's metadata server, as far as access tokens go."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PATH = "/computeMetadata/v1/instance/service-accounts/default/token"


class MetadataServer:
    """Hands out `token`, which lives for `seconds`; `statuses` are answered before."""

    def __init__(self, address: str) -> None:
        self.address = address  # host:port, for GCE_METADATA_HOST
        self.token = "token-1"
        self.seconds = 3599
        self.body: bytes | None = None  # instead of a token
        self.statuses: list[int] = []
        self.scopes: list[list[str]] = []  # of each request that was answered with a token

    def answer(self, target: str, flavour: str | None) -> tuple[int, bytes]:
        """What a request gets: nothing without the header that no browser can be made to send."""
        parts = urlsplit(target)
        if flavour != "Google":
            return 403, b"Metadata-Flavor is missing"
        if parts.path != PATH:
            return 404, b"not here"
        if self.statuses:
            return self.statuses.pop(0), b"not now"
        self.scopes.append(parse_qs(parts.query)["scopes"][0].split(","))
        said = {"access_token": self.token, "expires_in": self.seconds, "token_type": "Bearer"}
        return 200, self.body or json.dumps(said).encode()


@contextmanager
def running() -> Iterator[MetadataServer]:
    """One on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = server.answer(self.path, self.headers["Metadata-Flavor"])
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = MetadataServer(f"127.0.0.1:{listener.server_port}")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()
