"""A new store: the form, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

import flask
from pydantic import ValidationError

from control_plane.domain.accounts import Scope
from control_plane.domain.errors import IdempotencyMismatchError, RequestError, TemporaryError
from control_plane.domain.plans import STANDARD
from control_plane.entrypoints import cause
from control_plane.orders import CreateStore, idempotency_key, problems
from control_plane.pages import Page
from control_plane.plan_file import plans
from functions.console import answers
from functions.console.callers import Sent, Visitor, platform
from functions.console.refusals import Wrong, wrong
from functions.console.templates import render

_FIELDS = ("title", "name", "admin_email", "plan")
_RIGHT = Wrong(200)


def show(request: flask.Request) -> flask.Response:
    """An empty one; the person's address is a good guess."""
    visitor = Visitor.of(request)
    with platform().accounts.enter(visitor.shown, Scope.WRITE) as transaction:
        me = transaction.people.me()
    return _form(visitor, {"admin_email": (me and me.email) or "", "plan": STANDARD}, str(uuid4()), _RIGHT)


def create(request: flask.Request) -> flask.Response:
    """Off to the new store's page. The same form sent twice makes one store."""
    sent = Sent.by(request)
    typed, key = sent.only(*_FIELDS), sent.fields.get("key", "")
    try:
        asked = CreateStore.model_validate(typed)
    except ValidationError as error:
        found = {field or "": says for field, says in problems(error).items()}
        return _form(sent.visitor, typed, key, Wrong(400, fields=found))
    try:
        seen = platform().create_store(
            sent.visitor.shown,
            asked.order(),
            key=idempotency_key(key),
            body=asked.model_dump_json().encode(),
            cause=cause(),
        )
    except (RequestError, TemporaryError) as error:
        if isinstance(error, IdempotencyMismatchError):
            key = str(uuid4())
        return _form(sent.visitor, typed, key, wrong(error, _FIELDS))
    return answers.leading_to(f"/stores/{seen.store.id}")


PAGES = (Page("GET", "/stores/new", show), Page("POST", "/stores", create))


def _form(visitor: Visitor, typed: Mapping[str, str], key: str, is_wrong: Wrong) -> flask.Response:
    text = render(
        "new-store.html.j2", visitor=visitor, typed=typed, key=key, wrong=is_wrong, plans=plans().stores
    )
    return is_wrong.on(answers.html(text, is_wrong.status))
