"""How a view becomes an answer: JSON with an ETag, or 304 where the caller has it already."""

from __future__ import annotations

import hashlib
from http import HTTPStatus

import flask

from functions.create_store.store_views import StoreView
from functions.create_store.views import Secret, View


def answer(view: View, status: HTTPStatus = HTTPStatus.OK, location: str | None = None) -> flask.Response:
    """The view as JSON. A store's ETag begins with its generation, which is what If-Match compares.

    Secrets are kept by nobody: no cache, no ETag.
    """
    body = view.model_dump_json().encode()
    made = flask.make_response(body, status)
    made.headers["Content-Type"] = "application/json"
    made.headers["X-Content-Type-Options"] = "nosniff"
    if location:
        made.headers["Location"] = location
    if isinstance(view, Secret):
        made.headers["Cache-Control"] = "no-store"
        return made
    made.headers["Cache-Control"] = "private, no-cache"  # kept only to ask again whether it changed
    digest = hashlib.sha256(body).hexdigest()[:16]
    made.set_etag(f"{view.generation}-{digest}" if isinstance(view, StoreView) else digest)
    if flask.request.method in ("GET", "HEAD"):
        made.make_conditional(flask.request)
    return made


def nothing() -> flask.Response:
    """Done, and nothing to say about it."""
    return flask.make_response("", HTTPStatus.NO_CONTENT)
