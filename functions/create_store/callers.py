"""What every handler begins with: the platform behind the API, and what the caller shows."""

from __future__ import annotations

import flask

from control_plane import bootstrap, browsers
from control_plane.ports.customers import Shown
from control_plane.settings import CreateStoreSettings, from_environment

SETTINGS = from_environment(CreateStoreSettings)


def api() -> bootstrap.Api:
    """What the handlers call."""
    return bootstrap.api(SETTINGS)


def session(request: flask.Request) -> str | None:
    """The secret of the browser's session that the request came with. Raises CsrfError."""
    return browsers.session(request, SETTINGS.public_url)


def shown(request: flask.Request) -> Shown:
    """By what the caller wants to be known. Raises UnauthenticatedError, CsrfError."""
    return api().recognise(request.headers.get("Authorization", ""), session(request))
