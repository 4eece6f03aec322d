"""Access tokens of the service account that this process runs as, from Google's metadata server.

The standard library alone: a credential plugin is started once for every run of Helm, and with google.auth it
takes three times as long (docs/decisions/0028 has the figures).
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
_ATTEMPTS = 3
_PAUSE_SECONDS = 0.2
_ANSWER_SECONDS = 3.0
# The server gives the same token until 4 to 5 minutes before its end, so that sooner is in vain.
_EARLY_SECONDS = 225.0
_AGAIN_SECONDS = 1.0  # a failure counts for who waited meanwhile, too


class NoTokenError(Exception):
    """The metadata server gave no token: not there, or no service account of ours."""


@dataclass(frozen=True)
class Token:
    """An access token, and when it ends in seconds since the epoch."""

    value: str = field(repr=False)
    ends: float


class AccessToken:
    """The current token for some scopes, kept until shortly before its end. Threads may share one."""

    def __init__(self, *scopes: str) -> None:
        self._scopes = scopes
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._renew_at = 0.0  # in seconds since the epoch
        self._problem = ""

    def __call__(self) -> str:
        """One that has not ended, renewed if it can be. Raises NoTokenError."""
        with self._lock:
            if time.time() >= self._renew_at:
                self._renew()
            if self._token is None or time.time() >= self._token.ends:
                raise NoTokenError(self._problem)
            return self._token.value

    def _renew(self) -> None:
        try:
            self._token = fetch(self._scopes)
        except NoTokenError as error:
            self._problem = str(error)
            self._renew_at = time.time() + _AGAIN_SECONDS
        else:
            self._renew_at = self._token.ends - _EARLY_SECONDS


def fetch(scopes: Sequence[str]) -> Token:
    """Ask the metadata server, or the one that GCE_METADATA_HOST names. Raises NoTokenError."""
    host = os.environ.get("GCE_METADATA_HOST") or "metadata.google.internal"
    problem = ""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_SECONDS * attempt)
        try:
            status, body = _ask(host, scopes)
        except (OSError, http.client.HTTPException) as error:
            problem = f"does not answer ({type(error).__name__})"
            continue
        if status == http.HTTPStatus.OK:
            return _read(host, body)
        problem = f"answers {status}"
        if status < 500 and status != http.HTTPStatus.TOO_MANY_REQUESTS:
            break
    raise NoTokenError(f"the metadata server {host} {problem}")


def _ask(host: str, scopes: Sequence[str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, timeout=_ANSWER_SECONDS)
    try:
        query = urlencode({"scopes": ",".join(scopes)})
        connection.request("GET", f"{_PATH}?{query}", headers={"Metadata-Flavor": "Google"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _read(host: str, body: bytes) -> Token:
    try:
        said = json.loads(body)
        return Token(str(said["access_token"]), time.time() + float(said["expires_in"]))
    except (ValueError, TypeError, KeyError):
        raise NoTokenError(f"the metadata server {host} answers with something that is no token") from None
