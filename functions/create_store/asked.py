"""The parts of a request that several verbs read."""

from __future__ import annotations

import re
from uuid import UUID

import flask

from control_plane import orders
from control_plane.bodies import MAX_BODY_BYTES, body
from control_plane.domain.errors import (
    MemberNotFoundError,
    RequestError,
    SessionNotFoundError,
    StoreNotFoundError,
    TokenNotFoundError,
)
from control_plane.entrypoints import cause

__all__ = ["MAX_BODY_BYTES", "body", "cause"]  # beside what is defined here

_TAG = re.compile(r'"([0-9]{1,18})-[0-9a-f]{16}"')


def idempotency_key(request: flask.Request) -> str | None:
    """The caller's key, if there is one. Raises RequestError."""
    return orders.idempotency_key(request.headers.get("Idempotency-Key"))


def generation(request: flask.Request) -> int | None:
    """The generation that the caller's If-Match is about; None for any. Raises RequestError."""
    tag = request.headers.get("If-Match")
    if tag is None or tag.strip() == "*":
        return None
    match = _TAG.fullmatch(tag.strip())
    if match is None:
        raise RequestError("send the ETag of the store as you last read it, or *", field="If-Match")
    return int(match[1])


def store_id(text: str) -> UUID:
    """The id of a path. Raises StoreNotFoundError."""
    return _id(text, StoreNotFoundError("a store's id is a UUID: GET /v1/stores lists those you have"))


def token_id(text: str) -> UUID:
    """The id of a path. Raises TokenNotFoundError."""
    return _id(text, TokenNotFoundError("a token's id is a UUID: GET /v1/tokens lists those you have"))


def session_id(text: str) -> UUID:
    """The id of a path. Raises SessionNotFoundError."""
    return _id(text, SessionNotFoundError("a session's id is a UUID: GET /v1/sessions lists those you have"))


def person_id(text: str) -> UUID:
    """The id of a path. Raises MemberNotFoundError."""
    advice = "a person's id is a UUID: GET /v1/members lists those of your account"
    return _id(text, MemberNotFoundError(advice))


def _id(text: str, otherwise: RequestError) -> UUID:
    found = orders.id_in_path(text)
    if found is None:
        raise otherwise
    return found
