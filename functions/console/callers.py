"""What every page begins with: the platform behind it, and the browser's session."""

from __future__ import annotations

import flask

from control_plane import bootstrap, browsers
from control_plane.ports.customers import Shown
from control_plane.settings import ConsoleSettings, from_environment

SETTINGS = from_environment(ConsoleSettings)


def platform() -> bootstrap.Console:
    """What the pages call."""
    return bootstrap.console(SETTINGS)


def session(request: flask.Request) -> str | None:
    """The secret of the browser's session that the request came with. Raises CsrfError."""
    return browsers.session(request, SETTINGS.public_url)


def shown(request: flask.Request) -> Shown:
    """By what the browser's person is known. Raises UnauthenticatedError, CsrfError."""
    return platform().recognise("", session(request))
