"""How an owner gets into a shop: its password, shown once, or a link that logs in once."""

from __future__ import annotations

import flask

from control_plane.domain.errors import RequestError, TemporaryError
from control_plane.domain.store import ADMINISTRATOR
from control_plane.entrypoints import cause
from control_plane.pages import Page
from functions.console import answers, asking, store_page
from functions.console.callers import Sent, platform
from functions.console.refusals import wrong
from functions.console.templates import render


def show_password(request: flask.Request, store_id: str) -> flask.Response:
    """The administrator's, this once."""
    sent, store = Sent.by(request), store_page.id_of(store_id)
    try:
        password = platform().claim_credentials(sent.visitor.shown, store, cause=cause())
    except (RequestError, TemporaryError) as error:
        return store_page.page(sent.visitor, store, wrong(error, ()))
    text = render(
        "password.html.j2", visitor=sent.visitor, store_id=store, user=ADMINISTRATOR, password=password
    )
    return answers.html(text)


def log_in(request: flask.Request, store_id: str) -> flask.Response:
    """Off to the shop, logged in.

    Not by a redirect: forms may lead to our own host only, and browsers hold redirects to that.
    """
    sent, store = Sent.by(request), store_page.id_of(store_id)
    try:
        url = platform().make_login_link(sent.visitor.shown, store, cause=cause())
    except (RequestError, TemporaryError) as error:
        return store_page.page(sent.visitor, store, wrong(error, ()))
    answer = answers.html(render("log-in.html.j2", visitor=sent.visitor, store_id=store, url=url))
    answer.headers["Refresh"] = f"0; url={url}"
    return answer


PAGES = (
    Page("POST", "/stores/<store_id>/password", show_password),
    Page("GET", "/stores/<store_id>/password", asking.lead),
    Page("POST", "/stores/<store_id>/log-in", log_in),
    Page("GET", "/stores/<store_id>/log-in", asking.lead),
)
