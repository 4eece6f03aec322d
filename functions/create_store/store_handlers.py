"""One handler for each verb about stores: parse, one call, answer."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import flask

from control_plane.domain.accounts import Scope
from control_plane.domain.life import Verb
from control_plane.domain.store import ADMINISTRATOR
from control_plane.listing import ListQuery
from control_plane.orders import ChangeStore, CreateStore, PurgeStore
from control_plane.plan_file import plans
from control_plane.ports.customers import Shown
from control_plane.use_cases.change_store import Seen
from functions.create_store import asked
from functions.create_store.answers import answer
from functions.create_store.callers import api, shown
from functions.create_store.store_views import (
    CredentialsView,
    Events,
    LoginLinkView,
    PlansView,
    StoreDetails,
    StorePage,
    StoreView,
)


def create_store(request: flask.Request) -> flask.Response:
    """202 before any of it exists."""
    who = shown(request)
    body = asked.body(request)
    seen = api().create_store(
        who,
        CreateStore.parse(body).order(),
        key=asked.idempotency_key(request),
        body=body,
        cause=asked.cause(),
    )
    return answer(StoreView.of(seen), HTTPStatus.ACCEPTED, f"/v1/stores/{seen.store.id}")


def list_stores(request: flask.Request) -> flask.Response:
    """Newest first, a page at a time."""
    who = shown(request)
    page, limit = ListQuery.parse(request.args.to_dict())
    with api().accounts.enter(who, Scope.READ) as transaction:
        found = [Seen(each, transaction.caller) for each in transaction.stores.page(page)]
    return answer(StorePage.of(found, limit))


def show_store(request: flask.Request, store_id: str) -> flask.Response:
    """State, reason, address, what can be asked of it, and its subscription."""
    with api().accounts.enter(shown(request), Scope.READ) as transaction:
        looked = transaction.stores.look(asked.store_id(store_id))
        caller = transaction.caller
    return answer(StoreDetails.of_looked(looked, caller, plans().stores))


def change_store(request: flask.Request, store_id: str) -> flask.Response:
    """202; all that changes is one new generation."""
    who = shown(request)
    return _change(request, who, store_id, ChangeStore.parse(asked.body(request)).wishes())


def delete_store(request: flask.Request, store_id: str) -> flask.Response:
    """202, from every state; asking again changes nothing."""
    return _change(request, shown(request), store_id, {Verb.DELETE: ""})


def undelete_store(request: flask.Request, store_id: str) -> flask.Response:
    """202, until the store is being removed."""
    return _change(request, shown(request), store_id, {Verb.UNDELETE: ""})


def purge_store(request: flask.Request, store_id: str) -> flask.Response:
    """202, for whoever says the store's name."""
    who = shown(request)
    return _change(request, who, store_id, PurgeStore.parse(asked.body(request)).wishes())


def suspend_store(request: flask.Request, store_id: str) -> flask.Response:
    """202; the caller's hold is set."""
    return _change(request, shown(request), store_id, {Verb.SUSPEND: ""})


def resume_store(request: flask.Request, store_id: str) -> flask.Response:
    """202; the caller's hold is lifted."""
    return _change(request, shown(request), store_id, {Verb.RESUME: ""})


def retry_store(request: flask.Request, store_id: str) -> flask.Response:
    """202; a FAILED store is tried again."""
    return _change(request, shown(request), store_id, {Verb.RETRY: ""})


def reset_password(request: flask.Request, store_id: str) -> flask.Response:
    """202; the new password can be claimed when the store is READY again."""
    return _change(request, shown(request), store_id, {Verb.RESET_PASSWORD: ""})


def claim_credentials(request: flask.Request, store_id: str) -> flask.Response:
    """The administrator's password, this once."""
    store = asked.store_id(store_id)
    password = api().claim_credentials(shown(request), store, cause=asked.cause())
    return answer(CredentialsView(user=ADMINISTRATOR, password=password))


def make_login_link(request: flask.Request, store_id: str) -> flask.Response:
    """201; whoever opens it within a minute is the administrator, once."""
    store = asked.store_id(store_id)
    url = api().make_login_link(shown(request), store, cause=asked.cause())
    return answer(LoginLinkView(url=url), HTTPStatus.CREATED)


def list_events(request: flask.Request, store_id: str) -> flask.Response:
    """All that happened to it, newest last."""
    with api().accounts.enter(shown(request), Scope.READ) as transaction:
        history = transaction.stores.history(asked.store_id(store_id))
    return answer(Events.of(list(history)))


def list_plans(request: flask.Request) -> flask.Response:
    """What stores can be ordered with."""
    with api().accounts.enter(shown(request), Scope.READ):
        pass  # whoever may look at stores
    return answer(PlansView.of(plans().stores))


def _change(request: flask.Request, who: Shown, store_id: str, wishes: Mapping[Verb, str]) -> flask.Response:
    seen = api().change_store(
        who,
        asked.store_id(store_id),
        wishes,
        generation=asked.generation(request),
        cause=asked.cause(),
    )
    return answer(StoreView.of(seen), HTTPStatus.ACCEPTED)
