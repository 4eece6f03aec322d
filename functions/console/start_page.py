"""Where everybody begins."""

from __future__ import annotations

from http import HTTPStatus

import flask

from control_plane.pages import Page
from functions.console.answers import page


def start(_request: flask.Request) -> flask.Response:
    """Whoever has just signed in is here, too."""
    return page(HTTPStatus.OK, "Urumi", "Your stores are at /docs until they have a page here.")


PAGES = (Page("GET", "/", start),)
