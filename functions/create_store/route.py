"""What a route of the API is: one verb, with what the OpenAPI document says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import flask
from pydantic import BaseModel

from control_plane import orders
from control_plane.domain.accounts import Scope
from control_plane.domain.errors import RequestError
from functions.create_store import views


@dataclass(frozen=True)
class Route:
    """One verb. `problems` are its own; those of its body, headers and scope follow from these."""

    method: str
    path: str  # as werkzeug writes it
    handler: Callable[..., flask.Response]
    summary: str
    tag: str
    status: HTTPStatus
    view: type[views.View] | None
    needs: Scope | None = None  # None: anybody may
    person: bool = False  # whether an API token is refused
    body: type[orders.Body] | None = None
    query: type[BaseModel] | None = None
    headers: tuple[str, ...] = ()
    problems: tuple[type[RequestError], ...] = ()
    says: str = ""  # for somebody who has never heard of us

    @property
    def makes(self) -> bool:
        """Whether it makes something that has a path of its own, below this one."""
        return self.method == "POST" and "<" not in self.path
