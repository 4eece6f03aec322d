"""The few calls to an API server that starting a cluster takes.

By the standard library: the Kubernetes client takes longer to import than all of these calls together.
"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class RefusedError(Exception):
    """The server did not answer, or not with success."""


class NotFoundError(RefusedError):
    """There is no such object."""


@dataclass(frozen=True)
class Api:
    """An API server, asked with a bearer token."""

    server: str  # https://HOST:PORT
    ca: Path | str  # whom to trust: a file in PEM, or PEM itself
    token: str

    def ready(self) -> bool:
        """Whether the server says that it is ready."""
        try:
            self._call("GET", "/readyz")
        except RefusedError:
            return False
        return True

    def get(self, path: str) -> dict[str, Any] | None:
        """The object at `path`, None if there is none. Raises RefusedError."""
        try:
            found: dict[str, Any] = json.loads(self._call("GET", path))
        except NotFoundError:
            return None
        return found

    def create(self, path: str, content: object) -> None:
        """Create an object in the collection at `path`. Raises RefusedError."""
        self._call("POST", path, json.dumps(content))

    def _call(self, method: str, path: str, body: str | None = None) -> bytes:
        try:
            file, text = (self.ca, None) if isinstance(self.ca, Path) else (None, self.ca)
            trust = ssl.create_default_context(cafile=file, cadata=text)
            at = urlsplit(self.server)
            connection = HTTPSConnection(at.hostname or "", at.port, timeout=10, context=trust)
            headers = {
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                "User-Agent": "urumi-dev",
            }
            try:
                connection.request(method, at.path.rstrip("/") + path, body, headers)
                response = connection.getresponse()
                answer = response.read()
            finally:
                connection.close()
        except (OSError, ValueError, HTTPException) as error:
            raise RefusedError(f"{method} {path}: {error}") from error
        if response.status == 404:
            raise NotFoundError(f"{method} {path}: not found")
        if response.status >= 300:
            raise RefusedError(f"{method} {path}: {response.status} {answer[:300].decode(errors='replace')}")
        return answer
