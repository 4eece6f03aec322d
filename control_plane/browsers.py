"""A browser's session: its cookie, and how we know that our own page sent a request that comes with it."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

import flask

from control_plane.domain.errors import CsrfError
from control_plane.domain.people import SESSION_LIFE

# A browser takes these from this very host only: no store below our domain can set one.
SESSION, SIGN_IN = "__Host-session", "__Host-signin"
HEADER = "X-CSRF-Token"
SAFE = ("GET", "HEAD", "OPTIONS")
SIGN_IN_SECONDS = 600


def session(request: flask.Request, public_url: str | None, proof: str | None = None) -> str | None:
    """The secret of the browser's session, where that is what the caller shows.

    A browser adds the cookie by itself, whoever wrote the page. So what changes anything must come with
    what no other site can send: in a header, or, as `proof`, in a field of a form. Raises CsrfError.
    """
    if "Authorization" in request.headers:
        return None
    secret = request.cookies.get(SESSION)
    if secret is None:
        return None
    if request.method not in SAFE:
        _check(request, secret, public_url, request.headers.get(HEADER, "") if proof is None else proof)
    return secret


def csrf_token(secret: str) -> str:
    """What proves that a page can read our answers. Nothing of the session can be told from it."""
    return hmac.digest(secret.encode(), b"urumi csrf", hashlib.sha256).hex()


def _check(request: flask.Request, secret: str, public_url: str | None, sent: str) -> None:
    if not hmac.compare_digest(sent.encode(), csrf_token(secret).encode()):
        raise CsrfError(f"send the header {HEADER} with the csrf_token of GET /v1/session", field=HEADER)
    # Another host below our domain is another site to us: stores are there.
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise CsrfError("another site sent this request", field="Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if origin is not None and origin != _origin(public_url or request.host_url):
        raise CsrfError("another site sent this request", field="Origin")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def keep_session(answer: flask.Response, secret: str) -> None:
    """Have the browser send it with what comes from here on."""
    _set(answer, SESSION, secret, int(SESSION_LIFE.total_seconds()))


def keep_sign_in(answer: flask.Response, sealed: str) -> None:
    """Have the browser send it when it comes back from the identity provider."""
    _set(answer, SIGN_IN, sealed, SIGN_IN_SECONDS)


def forget(answer: flask.Response, name: str) -> None:
    """Have the browser forget it."""
    _set(answer, name, "", 0)


def _set(answer: flask.Response, name: str, value: str, seconds: int) -> None:
    answer.set_cookie(
        name, value, max_age=seconds, secure=True, httponly=True, samesite="Lax", path="/"
    )  # fmt: skip
