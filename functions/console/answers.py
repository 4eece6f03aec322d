"""How the console answers: nothing of it is kept, shown inside another page, or told to another site."""

from __future__ import annotations

from http import HTTPStatus

import flask

# No script and no style but our files, no form to elsewhere.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# With `no-referrer` browsers send forms with `Origin: null`, which is nobody's origin.
_REFERRER = "same-origin"


def html(text: str, status: int = HTTPStatus.OK) -> flask.Response:
    """A page, or a part of one."""
    answer = guarded(flask.make_response(text, status))
    answer.headers["Content-Type"] = "text/html; charset=utf-8"
    return answer


def leading_to(url: str) -> flask.Response:
    """Have the browser go there."""
    answer = guarded(flask.make_response("", HTTPStatus.SEE_OTHER))
    answer.headers["Location"] = url
    return answer


def guarded(answer: flask.Response) -> flask.Response:
    """The same, with what all answers have."""
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Referrer-Policy"] = _REFERRER
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = _POLICY
    return answer


def secretive(answer: flask.Response) -> flask.Response:
    """The same, where the address itself holds a secret: no other request tells of it."""
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
