"""The body of a request, within limits of size and time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl

import flask
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge, UnsupportedMediaType

from control_plane.domain.errors import RequestError

MAX_BODY_BYTES = 64 * 1024
_SECONDS = 10.0
_MOST_FIELDS = 50


def body(request: flask.Request, *, most: int = MAX_BODY_BYTES) -> bytes:
    """The JSON that came, not yet read. Raises what the framework has for too long and for another type."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("send JSON, with 'Content-Type: application/json'")
    return _read(request, most)


def form(request: flask.Request) -> dict[str, str]:
    """The fields of a form that a browser sent. Raises as `body` does."""
    if request.mimetype != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType("send the form as a browser does")
    try:
        pairs = parse_qsl(
            _read(request, MAX_BODY_BYTES).decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError as error:
        raise RequestError("the form cannot be read") from error
    if len(fields := dict(pairs)) < len(pairs):
        raise RequestError("the form has a field twice")
    return fields


def _read(request: flask.Request, most: int) -> bytes:
    if (request.content_length or 0) > most:
        raise RequestEntityTooLarge(f"the body may have {most} bytes at most")
    try:
        with _in_time(request):
            found = request.stream.read(most + 1)
    except (OSError, ParseException, ClientDisconnected) as error:
        raise RequestError("the body came too slowly, broke off, or its chunks are not valid") from error
    if len(found) > most:
        raise RequestEntityTooLarge(f"the body may have {most} bytes at most")
    return bytes(found)


@contextmanager
def _in_time(request: flask.Request) -> Iterator[None]:
    # A thread waits for the body, and there are few. Who sends it drop by drop hears that it broke off.
    connection = request.environ.get("gunicorn.socket")
    if connection is None:  # a server for development, or none
        yield
        return
    end = threading.Timer(_SECONDS, connection.shutdown, (socket.SHUT_RD,))
    end.start()
    try:
        yield
    finally:
        end.cancel()
