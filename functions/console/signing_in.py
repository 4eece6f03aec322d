"""Where a browser comes in and leaves."""

from __future__ import annotations

from http import HTTPStatus

import flask

from control_plane import browsers
from control_plane.bodies import form
from control_plane.domain.errors import UnauthenticatedError
from control_plane.domain.people import OnceShown
from control_plane.entrypoints import cause
from control_plane.pages import Page
from control_plane.ports.customers import Shown
from control_plane.ports.people import SignInRefusedError
from control_plane.use_cases.create_token import digest_of
from functions.console.answers import html, leading_to, secretive
from functions.console.callers import SETTINGS, platform
from functions.console.templates import render

_AFTERWARDS = "/"
_LONGEST = 4096  # of what an identity provider or an address may hand over
_NOT_CONFIGURED = (
    "Signing in is not configured here. Whoever runs this sets URUMI_PUBLIC_URL, and in URUMI_OIDC_ISSUERS "
    "an issuer with sign_in. On one machine, `urumi signin` prints an address that signs in."
)
_REFUSED = "This did not sign you in. It works once, within a few minutes, in one browser: begin again."


def begin(request: flask.Request) -> flask.Response:
    """Off to the identity provider."""
    provider = platform().provider
    if request.method != "GET" or provider is None:
        return _page(HTTPStatus.NOT_FOUND, "Not configured", _NOT_CONFIGURED)
    begun = provider.begin()
    answer = secretive(leading_to(begun.url))
    browsers.keep_sign_in(answer, begun.sealed)
    return answer


def come_back(request: flask.Request) -> flask.Response:
    """Back from the identity provider, with a code."""
    provider = platform().provider
    if request.method != "GET" or provider is None:
        return _page(HTTPStatus.NOT_FOUND, "Not configured", _NOT_CONFIGURED)
    said = {name: value[:_LONGEST] for name, value in request.args.to_dict().items()}
    try:
        answer = _let_in(request, provider.finish(request.cookies.get(browsers.SIGN_IN, ""), said))
    except SignInRefusedError:
        answer = _refusal()
    browsers.forget(answer, browsers.SIGN_IN)  # it has been used, whatever became of it
    return answer


def once(request: flask.Request) -> flask.Response:
    """A one-time address that an operator had made."""
    secret = request.args.get("token", "")
    if request.method != "GET" or not 0 < len(secret) <= 100:  # HEAD would use it up unseen
        return _refusal()
    return _let_in(request, OnceShown(digest_of(secret)))


def sign_out(request: flask.Request) -> flask.Response:
    """From now on nobody is known by the browser's session."""
    secret = browsers.session(request, SETTINGS.public_url, form(request).get("csrf", ""))
    if secret is not None:
        platform().departures.leave(digest_of(secret), cause())
    answer = leading_to("/")
    browsers.forget(answer, browsers.SESSION)
    return answer


PAGES = (
    Page("GET", "/signin", begin),
    Page("GET", "/signin/callback", come_back),
    Page("GET", "/signin/once", once),
    Page("POST", "/signout", sign_out),
)


def _let_in(request: flask.Request, shown: Shown) -> flask.Response:
    """A new session, never one that the browser had before."""
    former = request.cookies.get(browsers.SESSION)
    try:
        secret = platform().sign_in(
            shown,
            request.headers.get("User-Agent", ""),
            instead_of=digest_of(former) if former else None,
            cause=cause(),
        )
    except UnauthenticatedError:
        return _refusal()
    answer = secretive(leading_to(_AFTERWARDS))
    browsers.keep_session(answer, secret)
    return answer


def _refusal() -> flask.Response:
    return _page(HTTPStatus.FORBIDDEN, "Not signed in", _REFUSED)


def _page(status: HTTPStatus, title: str, says: str) -> flask.Response:
    return secretive(html(render("message.html.j2", title=title, says=says), status))
