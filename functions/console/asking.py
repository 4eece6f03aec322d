"""What people ask of a store that is there, each by a form of its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import flask
from pydantic import ValidationError

from control_plane.domain.errors import RequestError, TemporaryError
from control_plane.domain.life import Verb
from control_plane.entrypoints import cause
from control_plane.orders import ChangeStore, PurgeStore, first_problem
from control_plane.pages import Page
from functions.console import answers, store_page
from functions.console.callers import Sent, platform
from functions.console.refusals import wrong

# What a verb takes, by the field that it is typed in.
TAKES: Mapping[Verb, str] = {
    Verb.RENAME: "title",
    Verb.MOVE: "name",
    Verb.CHANGE_PLAN: "plan",
    Verb.PURGE: "name",
}
_FIELDS = ("title", "name", "plan")


def ask(request: flask.Request, store_id: str, verb: str) -> flask.Response:
    """Back to the store's page, where what was asked is seen to happen."""
    sent, asked, store = Sent.by(request), Verb(verb), store_page.id_of(store_id)
    typed = sent.only(*_FIELDS)
    try:
        platform().change_store(
            sent.visitor.shown, store, _wishes(asked, typed), generation=sent.generation, cause=cause()
        )
    except (RequestError, TemporaryError) as error:
        return store_page.page(sent.visitor, store, wrong(error, _FIELDS), typed, verb)
    return answers.leading_to(f"/stores/{store}")


def lead(_request: flask.Request, store_id: str, **_: str) -> flask.Response:
    """Whoever loads anew the address that a form was sent to."""
    return answers.leading_to(f"/stores/{store_page.id_of(store_id)}")


_VERBS = ", ".join(f'"{verb}"' for verb in Verb)
PAGES = (
    Page("POST", f"/stores/<store_id>/<any({_VERBS}):verb>", ask),
    Page("GET", f"/stores/<store_id>/<any({_VERBS}):verb>", lead),
)


def _wishes(verb: Verb, typed: Mapping[str, str]) -> Mapping[Verb, str]:
    """Raises RequestError for what cannot be taken."""
    if verb not in TAKES:
        return {verb: ""}
    model: Callable[[Mapping[str, str]], ChangeStore | PurgeStore] = (
        PurgeStore.model_validate if verb is Verb.PURGE else ChangeStore.model_validate
    )
    field = TAKES[verb]
    try:
        return model({field: typed.get(field, "")}).wishes()
    except ValidationError as error:
        found = first_problem(error)
        raise RequestError(found.detail.removeprefix(f"{field}: "), field=found.field) from error
