"""One handler for each verb of the API: parse, one call, answer."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge

from control_plane import bootstrap
from control_plane.domain.errors import RequestError, StoreNotFoundError, UnauthenticatedError
from control_plane.domain.store import Actor
from control_plane.entrypoints import request_id
from control_plane.settings import CreateStoreSettings, from_environment
from control_plane.use_cases.create_store import Order
from functions.create_store.models import CreateStore, ListQuery, event_view, store_view, write_cursor

SETTINGS = from_environment(CreateStoreSettings)
MAX_BODY_BYTES = 64 * 1024
_MAX_KEY_LENGTH = 255


def create_store(request: flask.Request) -> ResponseReturnValue:
    """POST /stores: 202 before any of it exists."""
    customer = _customer(request)
    body = _body(request)
    order = CreateStore.parse(body)
    store = bootstrap.api(SETTINGS).create_store(
        Order(customer, order.name, order.title, order.admin_email, order.plan),
        key=_idempotency_key(request),
        body=body,
        actor=_actor(customer),
    )
    return store_view(store), HTTPStatus.ACCEPTED, {"Location": f"/stores/{store.id}"}


def list_stores(request: flask.Request) -> ResponseReturnValue:
    """GET /stores: newest first, a page at a time."""
    customer = _customer(request)
    page = ListQuery.parse(request.args.to_dict())
    stores = bootstrap.api(SETTINGS).stores.page(customer, page)
    more = write_cursor(stores[-1]) if len(stores) == page.limit else None
    return {"stores": [store_view(store) for store in stores], "next_cursor": more}


def show_store(request: flask.Request, store_id: str) -> ResponseReturnValue:
    """GET /stores/{id}."""
    customer = _customer(request)
    return store_view(bootstrap.api(SETTINGS).stores.get(customer, _id(store_id)))


def delete_store(request: flask.Request, store_id: str) -> ResponseReturnValue:
    """DELETE /stores/{id}: 202; asking again changes nothing."""
    customer = _customer(request)
    store = bootstrap.api(SETTINGS).delete_store(customer, _id(store_id), _actor(customer))
    return store_view(store), HTTPStatus.ACCEPTED


def list_events(request: flask.Request, store_id: str) -> ResponseReturnValue:
    """GET /stores/{id}/events: all that happened to it, newest last."""
    customer = _customer(request)
    history = bootstrap.api(SETTINGS).stores.history(customer, _id(store_id))
    return {"events": [event_view(entry) for entry in history]}


def healthz(_request: flask.Request) -> ResponseReturnValue:
    """GET /healthz: this process serves. It says nothing of the database, which has its own."""
    return {"status": "serving"}


def _customer(request: flask.Request) -> UUID:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    customer = (
        bootstrap.api(SETTINGS).tokens.customer_of(token.strip()) if scheme.lower() == "bearer" else None
    )
    if customer is None:
        raise UnauthenticatedError("send 'Authorization: Bearer TOKEN' with a token that you were given")
    return customer


def _actor(customer: UUID) -> Actor:
    return Actor(f"customer {customer}", f"request {request_id()}")


def _body(request: flask.Request) -> bytes:
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge(f"the body may have {MAX_BODY_BYTES} bytes at most")
    body = request.stream.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge(f"the body may have {MAX_BODY_BYTES} bytes at most")
    return bytes(body)


def _idempotency_key(request: flask.Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= _MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
        raise RequestError(
            f"the key must be 1 to {_MAX_KEY_LENGTH} printable ASCII characters: a UUID is a good one",
            field="Idempotency-Key",
        )
    return key


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise StoreNotFoundError("a store's id is a UUID: GET /stores lists those you have") from error
