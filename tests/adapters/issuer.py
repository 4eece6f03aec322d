"""OpenID Connect issuers to test against: the PyPI package's, and one that lies and breaks on demand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

import jwt
import urllib3
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "urumi"
DISCOVERY = "/.well-known/openid-configuration"
KEY_SET = "/keys"
NOW = 1767225600.0  # 2026-01-01, where the tests' FakeClock begins


@cache
def private_key(kind: str, name: str = "one") -> Any:
    """A key of this run: "RSA", "RSA-1024", "P-256", "P-384", "Ed25519" or "Ed448", one for each name."""
    if kind.startswith("RSA"):
        return rsa.generate_private_key(65537, int(kind[4:] or 2048))
    if kind in ("Ed25519", "Ed448"):
        return {"Ed25519": ed25519.Ed25519PrivateKey, "Ed448": ed448.Ed448PrivateKey}[kind].generate()
    return ec.generate_private_key({"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}[kind])


def jwk(key: Any, **members: Any) -> dict[str, Any]:
    """The key as the issuer publishes it: the public half of a private key, unless `private`."""
    private = members.pop("private", False)
    algorithm = {
        rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm,
        ed25519.Ed25519PrivateKey: OKPAlgorithm, ed448.Ed448PrivateKey: OKPAlgorithm,
    }  # fmt: skip
    (made,) = (each for kind, each in algorithm.items() if isinstance(key, kind))
    found: dict[str, Any] = made.to_jwk(key if private else key.public_key(), as_dict=True)
    found.pop("key_ops", None)
    return {**found, **members}


Answer = tuple[int, dict[str, str], bytes | Iterator[bytes]]


class TestIssuer:
    """An issuer on a free port: publishes `keys`, signs what a test wants, counts who asks for what."""

    __test__ = False

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.keys: list[Any] = []
        self.answers: dict[str, Callable[[], Answer]] = {}  # instead of the usual one for that path
        self.open = threading.Event()  # while it is cleared, the key set's answer waits
        self.open.set()
        self.asked = threading.Event()  # somebody waits for the key set
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False  # they are joined at the end
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        """From now on nobody answers."""
        self.open.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def token(
        self,
        key: Any = None,
        algorithm: str = "RS256",
        *,
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A good token, but for what is given; None takes a claim or a header away."""
        everything = {
            "iss": self.url, "sub": "anna", "aud": AUDIENCE, "iat": NOW, "exp": NOW + 300, **claims,
        }  # fmt: skip
        headers = {"kid": "one", **(header or {})}
        return jwt.encode(
            {name: value for name, value in everything.items() if value is not None},
            private_key("RSA") if key is None else key,
            algorithm,
            {name: value for name, value in headers.items() if value is not None},
        )

    @property
    def key_requests(self) -> int:
        """How often somebody asked for the key set."""
        return self.requests.count(KEY_SET)

    def _answer(self, path: str) -> Answer:
        if path in self.answers:
            return self.answers[path]()
        if path == DISCOVERY:
            return answer({"issuer": self.url, "jwks_uri": self.url + KEY_SET})
        self.asked.set()
        self.open.wait(20)
        return answer({"keys": self.keys})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.requests.append(self.path)
                status, headers, body = issuer._answer(self.path)
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    for piece in [body] if isinstance(body, bytes) else body:
                        self.wfile.write(piece)
                except OSError:  # whoever asked has heard enough
                    self.close_connection = True

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        return Handler


def answer(document: Any, status: int = 200, **headers: str) -> Answer:
    """An answer in JSON."""
    return status, headers, json.dumps(document).encode()


class MockProvider:
    """The package oidc-provider-mock in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = urllib3.PoolManager()

    def id_token(self, subject: str, **claims: Any) -> str:
        """What a browser's log-in there would end with: the authorization code flow."""
        self._http.request("PUT", f"{self.url}/users/{subject}", json=claims)
        query = {
            "response_type": "code", "client_id": AUDIENCE, "scope": "openid profile email",
            "redirect_uri": "http://localhost/back",
        }  # fmt: skip
        place = f"{self.url}/oauth2/authorize?{urlencode(query)}"
        allowed = self._http.request("POST", place, fields={"sub": subject}, redirect=False)
        code = allowed.headers["Location"].partition("code=")[2]
        fields = {
            "grant_type": "authorization_code", "code": code, "client_id": AUDIENCE,
            "client_secret": "any", "redirect_uri": query["redirect_uri"],
        }  # fmt: skip
        given = self._http.request("POST", f"{self.url}/oauth2/token", fields=fields, encode_multipart=False)
        return str(given.json()["id_token"])

    def close(self) -> None:
        """Close the connections to it."""
        self._http.clear()


@contextmanager
def mock_provider() -> Iterator[MockProvider]:
    """oidc-provider-mock on a free port, as `http://localhost:PORT`."""
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            ready = next(
                found for line in process.stderr if (found := re.search(r"running on .*:(\d+)", line))
            )
            reader = threading.Thread(
                target=process.stderr.read
            )  # so that it never waits for its log's reader
            reader.start()
            provider = MockProvider(f"http://localhost:{ready[1]}")
            yield provider
            provider.close()
        finally:
            process.terminate()
            process.wait()
            reader.join()
