"""The addresses that a function answers: exactly these, with no redirects from what is nearly one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import flask
from werkzeug.routing import Map, Rule


class Answered(Protocol):
    """One address, and what answers it."""

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str:
        """As werkzeug writes it."""

    @property
    def handler(self) -> Callable[..., flask.Response]:
        """Called with the request and, by name, with what the path holds."""


@dataclass(frozen=True)
class Page:
    """One address that people open in a browser."""

    method: str
    path: str  # as werkzeug writes it
    handler: Callable[..., flask.Response]


def exactly(addresses: Iterable[Answered]) -> Map:
    """All of them."""
    return Map(
        [Rule(each.path, methods=[each.method], endpoint=each.handler) for each in addresses],
        merge_slashes=False,
    )


def answer(addresses: Map, request: flask.Request) -> flask.Response:
    """Find who answers, call it. Raises NotFound and MethodNotAllowed of werkzeug's."""
    handler, arguments = addresses.bind_to_environ(request.environ).match()
    found: flask.Response = handler(request, **arguments)
    return found
