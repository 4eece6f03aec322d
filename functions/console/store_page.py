"""One store: how it is, what can be done with it, and what happened to it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import flask

from control_plane.domain.accounts import Caller, Scope
from control_plane.domain.errors import StoreNotFoundError
from control_plane.domain.life import FORMER_HOSTNAME_DAYS
from control_plane.orders import id_in_path
from control_plane.pages import Page
from control_plane.plan_file import plans
from control_plane.ports.customers import Looked
from control_plane.use_cases.bill_store import next_of
from control_plane.use_cases.change_store import Seen
from control_plane.use_cases.make_login_link import ANSWERING
from functions.console import answers, history, words
from functions.console.callers import Visitor, platform
from functions.console.history import Happened
from functions.console.refusals import Wrong
from functions.console.templates import render

_RIGHT = Wrong(200)
_LAST = 286  # with this htmx asks no more


@dataclass(frozen=True)
class _Found:
    """All that the page is made of."""

    looked: Looked
    caller: Caller
    events: list[Happened]


def show(request: flask.Request, store_id: str) -> flask.Response:
    """The page."""
    return page(Visitor.of(request), id_of(store_id))


def show_now(request: flask.Request, store_id: str) -> flask.Response:
    """What of the page may have changed. Nothing where nothing has; the last time where it rests."""
    visitor = Visitor.of(request)
    values = _values(visitor, _look(visitor, id_of(store_id)), _RIGHT, {})
    if values["moving"] and request.args.get("seen") == values["seen"]:
        return answers.guarded(flask.make_response("", 204))
    text = render("store-now.html.j2", **values)
    return answers.html(text, 200 if values["moving"] else _LAST)


def page(
    visitor: Visitor,
    store_id: UUID,
    is_wrong: Wrong = _RIGHT,
    typed: Mapping[str, str] | None = None,
    form: str = "",
) -> flask.Response:
    """The store as it is now; with what went wrong, and what was typed in which form."""
    values = _values(visitor, _look(visitor, store_id), is_wrong, typed or {}, form)
    return is_wrong.on(answers.html(render("store.html.j2", **values), is_wrong.status))


def id_of(text: str) -> UUID:
    """The id of a path. Raises StoreNotFoundError."""
    found = id_in_path(text)
    if found is None:
        raise StoreNotFoundError("no id")
    return found


PAGES = (Page("GET", "/stores/<store_id>", show), Page("GET", "/stores/<store_id>/now", show_now))


def _look(visitor: Visitor, store_id: UUID) -> _Found:
    with platform().accounts.enter(visitor.shown, Scope.READ) as transaction:
        looked, caller = transaction.stores.look(store_id), transaction.caller
        entries = transaction.stores.history(store_id)
    return _Found(looked, caller, history.told(entries, caller.person))


def _values(
    visitor: Visitor, found: _Found, is_wrong: Wrong, typed: Mapping[str, str], form: str = ""
) -> dict[str, Any]:
    store, paying, caller = found.looked.store, found.looked.paying, found.caller
    plan = plans().stores.get(store.plan)
    step = next_of(store, paying.state, plans().stores, found.looked.now) if paying else None
    values = {
        "visitor": visitor,
        "store": store,
        "said": words.of_store(store),
        "moving": words.is_moving(store),
        "building": words.BUILDING,
        "step": words.step_of(store),
        "opens": store.removal_at is None and len(store.holds) == 1,
        "possible": Seen(store, caller).possible,
        "may_enter": caller.may(Scope.CREDENTIALS),
        "answering": store.state in ANSWERING and store.runs,
        "plan": plan,
        "plans": plans().stores,
        "kept_until": found.looked.now + timedelta(days=plan.retention_days if plan else 0),
        "former_days": FORMER_HOSTNAME_DAYS,
        "paying": paying,
        "paid": words.SUBSCRIPTION[paying.state.status] if paying else "",
        "next": step,
        "consequence": words.CONSEQUENCES[step.then] if step else "",
        "events": found.events,
        "wrong": is_wrong,
        "typed": typed,
        "form": form,
    }
    # What of the page is not there twice: another digest is another page.
    digest = hashlib.sha256(render("store-parts.html.j2", **values).encode()).hexdigest()[:16]
    return values | {"seen": digest}
