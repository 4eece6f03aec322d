"""What HAProxy answers by itself. Plain, and without a word about what is behind it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

_RETRY_SECONDS = 10

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 20vh auto }}</style>
</head>
<body>
<h1>{title}</h1>
<p>{text}</p>
</body>
</html>
"""

_CLOSED = ("This shop is not open right now", "Please try again in a moment.")

_TEXTS: Mapping[int, tuple[str, str]] = {
    400: ("This request cannot be understood", "Please check what was sent."),
    404: ("There is no shop at this address", "Please check the address for a mistake."),
    408: ("The request took too long", "Please try again."),
    500: ("Something went wrong", "Please try again in a moment."),
    502: _CLOSED,
    503: _CLOSED,
    504: _CLOSED,
}


def files() -> Mapping[str, str]:
    """Each answer as HAProxy reads it, head and body, by the name of its file."""
    return {file(status): _answer(status, *words) for status, words in _TEXTS.items()}


def file(status: int) -> str:
    """The name of that answer's file."""
    return f"{status}.http"


def directives() -> str:
    """The lines of HAProxy's configuration that name the files."""
    return "".join(f"    errorfile {status} {file(status)}\n" for status in _TEXTS)


def _answer(status: int, title: str, text: str) -> str:
    body = _PAGE.format(title=title, text=text)
    head = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(body.encode())}",
        "Cache-Control: no-store",
    ]
    if (title, text) == _CLOSED:
        head.append(f"Retry-After: {_RETRY_SECONDS}")
    return "\r\n".join([*head, "", body])
