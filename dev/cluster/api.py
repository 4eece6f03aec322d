"""The few calls to the API server that starting the cluster takes.

By the standard library: the Kubernetes client takes longer to import than all of these calls together.
"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any


class RefusedError(Exception):
    """The server did not answer, or not with success."""


class NotFoundError(RefusedError):
    """There is no such object."""


@dataclass(frozen=True)
class Api:
    """An API server on this machine, asked with a bearer token."""

    port: int
    ca: Path  # PEM
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
            trust = ssl.create_default_context(cafile=str(self.ca))
            connection = HTTPSConnection("127.0.0.1", self.port, timeout=10, context=trust)
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            try:
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                answer = response.read()
            finally:
                connection.close()
        except (OSError, HTTPException) as error:
            raise RefusedError(f"{method} {path}: {error}") from error
        if response.status == 404:
            raise NotFoundError(f"{method} {path}: not found")
        if response.status >= 300:
            raise RefusedError(f"{method} {path}: {response.status} {answer[:300].decode(errors='replace')}")
        return answer
