"""Lists and watches of an API server."""

from __future__ import annotations

import http.client
import json
import random
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

from dev.front_door.server import Server, UnknownServerError

Object = dict[str, Any]

_PAGE = 500  # objects
_ANSWER_SECONDS = 30.0
_WATCH_SECONDS = 240  # the server ends a watch then, and the next one goes on where it stopped
_SILENCE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}  # seconds, seconds, times


class ApiError(Exception):
    """The server did not answer, or not with success."""


class GoneError(ApiError):
    """The server no longer knows that version: all has to be listed again."""


class Api:
    """An API server, found anew for every request."""

    def __init__(self, find: Callable[[], Server]) -> None:
        self._find = find

    def list(self, path: str) -> tuple[list[Object], str]:
        """All objects of the collection at `path`, and the version to watch from. Raises ApiError."""
        found: list[Object] = []
        query = {"limit": str(_PAGE)}
        while True:
            with self._answer(path, query, _ANSWER_SECONDS) as response:
                page = json.loads(response.read())
            found += page.get("items") or []
            more = page["metadata"].get("continue")
            if not more:
                return found, page["metadata"]["resourceVersion"]
            query["continue"] = more

    def watch(self, path: str, version: str) -> Iterator[tuple[str, Object]]:
        """What happens in the collection after `version`, as type and object, until the server ends it.

        Raises ApiError.
        """
        # Not all watches of a cluster end at the same time.
        seconds = random.randint(_WATCH_SECONDS // 2, _WATCH_SECONDS)  # noqa: S311 - guards nothing
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }
        with self._answer(path, query, seconds + _ANSWER_SECONDS) as response:
            while line := response.readline():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise _refusal(event["object"].get("code", 0), str(event["object"].get("message")))
                yield event["type"], event["object"]

    @contextmanager
    def _answer(self, path: str, query: dict[str, str], seconds: float) -> Iterator[http.client.HTTPResponse]:
        """The answer to a GET, which may be silent for `seconds`; what goes wrong with it is an ApiError."""
        try:
            server = self._find()
            connection = _connection(server, seconds)
            try:
                headers = {"Authorization": f"Bearer {server.token}", "User-Agent": "urumi-front-door"}
                connection.request("GET", f"{path}?{urlencode(query)}", headers=headers)
                response = connection.getresponse()
                if response.status != 200:
                    raise _refusal(response.status, response.read(300).decode(errors="replace"))
                yield response
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError, KeyError, UnknownServerError) as error:
            raise ApiError(f"GET {path}: {error or type(error).__name__}") from error


def _connection(server: Server, seconds: float) -> http.client.HTTPConnection:
    at = urlsplit(server.url)
    host = at.hostname or ""
    connection = (
        http.client.HTTPSConnection(
            host, at.port, timeout=_ANSWER_SECONDS, context=ssl.create_default_context(cadata=server.ca)
        )
        if at.scheme == "https"
        else http.client.HTTPConnection(host, at.port, timeout=_ANSWER_SECONDS)
    )
    connection.connect()
    connection.sock.settimeout(seconds)
    # A watch is silent for minutes; a machine that went away without a word must be noticed before.
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _SILENCE.items():
        if hasattr(socket, option):  # each system has some of them
            connection.sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return connection


def _refusal(code: int, message: str) -> ApiError:
    return (GoneError if code == 410 else ApiError)(f"{code} {message.strip()}")
