"""The account's stores, newest first, a page at a time."""

from __future__ import annotations

import flask

from control_plane.domain.accounts import Scope
from control_plane.listing import ListQuery, next_cursor
from control_plane.pages import Page
from functions.console import answers, words
from functions.console.callers import Visitor, platform
from functions.console.templates import render


def show(request: flask.Request) -> flask.Response:
    """One page of them."""
    visitor = Visitor.of(request)
    page, limit = ListQuery.parse(request.args.to_dict())
    with platform().accounts.enter(visitor.shown, Scope.READ) as transaction:
        found, caller, me = transaction.stores.page(page), transaction.caller, transaction.people.me()
    text = render(
        "stores.html.j2",
        visitor=visitor,
        me=me,
        rows=[(store, words.of_store(store)) for store in found[:limit]],
        next_cursor=next_cursor(found, limit),
        first=page.after is None,
        may_create=caller.may(Scope.WRITE),
    )
    return answers.html(text)


def lead(_request: flask.Request) -> flask.Response:
    """Whoever loads anew the address that a form was sent to."""
    return answers.leading_to("/")


PAGES = (Page("GET", "/", show), Page("GET", "/stores", lead))
