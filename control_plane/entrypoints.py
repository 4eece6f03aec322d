"""What stands between the framework and our code: errors become statuses, acknowledgement or redelivery.

| what is raised         | over HTTP             | for a pushed message                        |
|------------------------|-----------------------|---------------------------------------------|
| RequestError           | its status, problem+json | -                                        |
| TemporaryError         | 503 with Retry-After  | acknowledged: a pass wakes what is unfinished and due |
| anything else          | 500 without a detail  | 500, so that it is delivered again          |

A refused delivery slows down the messages of all stores, so only what nobody foresaw is refused.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import math
from collections.abc import Callable, Mapping
from http import HTTPStatus
from uuid import uuid4

import flask
import structlog
from cloudevents.http.event import CloudEvent
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from control_plane import logs
from control_plane.domain.errors import (
    ClaimedError,
    CsrfError,
    ForbiddenError,
    IdempotencyMismatchError,
    LastOwnerError,
    MemberNotFoundError,
    NameTakenError,
    NotNowError,
    PlanTooSmallError,
    RateLimitedError,
    RequestError,
    SessionNotFoundError,
    StaleError,
    StoreLimitError,
    StoreNotFoundError,
    TemporaryError,
    TokenLimitError,
    TokenNotFoundError,
    UnauthenticatedError,
)

log = structlog.get_logger()

PROBLEMS = "https://urumi.dev/problems/"  # a name, not a link: RFC 9457 compares it, nobody fetches it
_RETRY_AFTER_SECONDS = 5
# What the framework finds wrong. Written out, because Python's own names of them change with its version.
FRAMEWORK_KINDS = {
    HTTPStatus.BAD_REQUEST: "bad-request",
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "content-too-large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported-media-type",
}
_STATUS: dict[type[RequestError], HTTPStatus] = {
    UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    CsrfError: HTTPStatus.FORBIDDEN,
    RateLimitedError: HTTPStatus.TOO_MANY_REQUESTS,
    StoreNotFoundError: HTTPStatus.NOT_FOUND,
    TokenNotFoundError: HTTPStatus.NOT_FOUND,
    SessionNotFoundError: HTTPStatus.NOT_FOUND,
    MemberNotFoundError: HTTPStatus.NOT_FOUND,
    LastOwnerError: HTTPStatus.CONFLICT,
    NameTakenError: HTTPStatus.CONFLICT,
    StoreLimitError: HTTPStatus.CONFLICT,
    TokenLimitError: HTTPStatus.CONFLICT,
    NotNowError: HTTPStatus.CONFLICT,
    PlanTooSmallError: HTTPStatus.CONFLICT,
    ClaimedError: HTTPStatus.GONE,
    StaleError: HTTPStatus.PRECONDITION_FAILED,
    IdempotencyMismatchError: HTTPStatus.UNPROCESSABLE_ENTITY,
}


@dataclasses.dataclass(frozen=True)
class Refusal:
    """What is told to a caller whose request led to an error. `kind` is stable: programs may decide by it."""

    status: HTTPStatus
    kind: str
    title: str
    detail: str
    field: str | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


def refusal_of(error: Exception) -> Refusal:
    """How an error is told. What is nobody's mistake, or ours, stands in the log as well."""
    if isinstance(error, RequestError):
        status, headers = status_of(type(error)), {}
        if status is HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        if isinstance(error, RateLimitedError):
            headers["Retry-After"] = str(math.ceil(error.seconds))
        return Refusal(status, error.kind, error.title, error.detail, error.field, headers)
    if isinstance(error, HTTPException):
        status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
        kind = FRAMEWORK_KINDS.get(status, "bad-request")
        headers = {
            name: value
            for name, value in error.get_headers()
            if name not in ("Content-Type", "Content-Length")
        }
        title, detail = kind.replace("-", " ").capitalize(), error.description or status.description
        return Refusal(status, kind, title, detail, headers=headers)
    if isinstance(error, TemporaryError):
        log.warning("unavailable", error=str(error))
        return Refusal(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "unavailable",
            "The platform cannot answer right now",
            f"Send the same request again in {_RETRY_AFTER_SECONDS} seconds.",
            headers={"Retry-After": str(_RETRY_AFTER_SECONDS)},
        )
    log.error("unforeseen_error", exc_info=error)
    return Refusal(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal-error",
        "Something went wrong on our side",
        f"It is logged under the request id {request_id()}.",
    )


def http_endpoint(
    function: Callable[[flask.Request], ResponseReturnValue],
    tell: Callable[[Refusal], flask.Response] | None = None,
) -> Callable[[flask.Request], ResponseReturnValue]:
    """An HTTP function whose errors are answers, and whose log lines carry the request's id.

    `tell` makes an answer of an error; without it that is problem+json.
    """
    logs.configure()

    @functools.wraps(function)
    def endpoint(request: flask.Request) -> ResponseReturnValue:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            request_id=request_id(), **logs.trace_fields(request.headers.get("X-Cloud-Trace-Context"))
        )
        try:
            return function(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told and logged
            return (tell or _problem_of)(refusal_of(error))
        finally:
            # The framework reads what is left of a body into memory before it answers, however much that
            # is and however slowly it comes. The server drops it within limits of its own.
            request.stream = io.BytesIO()

    return endpoint


def event_endpoint(function: Callable[[CloudEvent], None]) -> Callable[[CloudEvent], None]:
    """A CloudEvent function: returning acknowledges the message, raising has it delivered again."""
    logs.configure()

    @functools.wraps(function)
    def endpoint(event: CloudEvent) -> None:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(message_id=event["id"])
        try:
            function(event)
        except TemporaryError as error:
            log.warning("message_left_to_the_next_pass", error=str(error))
        except Exception:
            log.exception("message_failed")
            raise

    return endpoint


def request_id() -> str:
    """One id for all that a request causes; made here, so that nobody can choose it."""
    known: str | None = flask.g.get("request_id")
    if known is None:
        known = flask.g.request_id = str(uuid4())
    return known


def cause() -> str:
    """This request, for the audit."""
    return f"request {request_id()}"


def status_of(error: type[RequestError]) -> HTTPStatus:
    """What callers get for this mistake of theirs."""
    return _STATUS.get(error, HTTPStatus.BAD_REQUEST)


def framework_problem(error: HTTPException) -> flask.Response:
    """What the framework finds wrong, as an RFC 9457 answer."""
    return _problem_of(refusal_of(error))


def _problem_of(refusal: Refusal) -> flask.Response:
    """As RFC 9457 has it."""
    body = {
        "type": PROBLEMS + refusal.kind,
        "title": refusal.title,
        "status": refusal.status.value,
        "detail": refusal.detail,
    }
    if refusal.field:
        body["field"] = refusal.field
    answer = flask.make_response(flask.json.dumps(body), refusal.status)
    answer.headers["Content-Type"] = "application/problem+json"
    answer.headers["Cache-Control"] = "no-store"  # a 404 could else outlive the store's creation
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers.extend(refusal.headers)
    return answer
