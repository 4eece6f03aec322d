"""How the console answers: nothing of it is kept, shown inside another page, or told to the next one."""

from __future__ import annotations

from http import HTTPStatus

import flask
from markupsafe import escape

_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def page(status: HTTPStatus, title: str, says: str) -> flask.Response:
    """A page of plain text."""
    answer = flask.make_response(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
        f"<h1>{escape(title)}</h1><p>{escape(says)}</p></html>",
        status,
    )
    answer.headers["Content-Type"] = "text/html; charset=utf-8"
    return _guarded(answer)


def leading_to(url: str) -> flask.Response:
    """Have the browser go there."""
    answer = flask.make_response("", HTTPStatus.SEE_OTHER)
    answer.headers["Location"] = url
    return _guarded(answer)


def nothing() -> flask.Response:
    """Done, and nothing to say about it."""
    return flask.make_response("", HTTPStatus.NO_CONTENT)


def _guarded(answer: flask.Response) -> flask.Response:
    # The address may hold a secret: it is told to nobody and kept nowhere.
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = _POLICY
    return answer
