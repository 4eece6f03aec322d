"""What went wrong, in words for people, and the page that says it where no other page can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import flask

from control_plane.domain.errors import (
    ClaimedError,
    CsrfError,
    ForbiddenError,
    IdempotencyMismatchError,
    NameTakenError,
    NotNowError,
    PlanTooSmallError,
    RateLimitedError,
    StaleError,
    StoreLimitError,
    StoreNotFoundError,
    UnauthenticatedError,
)
from control_plane.entrypoints import Refusal, refusal_of
from functions.console import answers
from functions.console.callers import platform
from functions.console.templates import render

_WORDS: Mapping[str, str] = {
    StaleError.kind: "Somebody changed this shop after you had opened this page, so nothing was done. This "
    "is how it is now: look at it, and ask again if you still want it.",
    NotNowError.kind: "That is not possible just now. This is how the shop is, and what can be done with it.",
    NameTakenError.kind: "You have another shop with this name: choose a different one.",
    StoreLimitError.kind: "You have as many shops as your account may have. Delete one that you do not "
    "need, or ask those who run this platform for more.",
    PlanTooSmallError.kind: "The shop has more room for its files or its database than this plan gives, and "
    "that cannot shrink: choose a plan with at least as much.",
    ClaimedError.kind: "The password is not here any more: it was shown before, or nobody asked for it in a "
    "week. Have a new one made.",
    IdempotencyMismatchError.kind: "This form has made a shop already: it is in your list. Send the form "
    "again if you want one more.",
    ForbiddenError.kind: "You may not do this.",
    CsrfError.kind: "We cannot tell that this came from our own page, so nothing was done. Go back, load "
    "the page again and repeat it.",
    "unavailable": "The platform cannot answer just now. Wait some seconds, then do it again: nothing is "
    "done twice.",
}
_TITLES: Mapping[int, str] = {
    HTTPStatus.NOT_FOUND: "There is no such page",
    HTTPStatus.FORBIDDEN: "This was not done",
    HTTPStatus.TOO_MANY_REQUESTS: "Too much at once",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not just now",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong on our side",
}
_NOT_FOUND = "It does not exist, or it is not yours."
# Told by a page of their own, whatever page they come from.
_ELSEWHERE = (UnauthenticatedError, CsrfError, StoreNotFoundError)


@dataclass(frozen=True)
class Wrong:
    """What a page says went wrong: beside the fields, or at its top."""

    status: int
    says: str = ""
    fields: Mapping[str, str] | None = None
    retry_after: str | None = None

    def beside(self, name: str) -> str:
        """What is wrong with this field; empty for nothing."""
        return (self.fields or {}).get(name, "")

    def on(self, answer: flask.Response) -> flask.Response:
        """The page that says it, with the headers that go with it."""
        if self.retry_after is not None:
            answer.headers["Retry-After"] = self.retry_after
        return answer


def wrong(error: Exception, fields: tuple[str, ...]) -> Wrong:
    """What a page with these fields says of it. Raises what is told by a page of its own."""
    if isinstance(error, _ELSEWHERE):
        raise error
    refusal = refusal_of(error)
    says, retry_after = _says(refusal), refusal.headers.get("Retry-After")
    if refusal.field in fields:
        return Wrong(refusal.status, fields={refusal.field: says}, retry_after=retry_after)
    return Wrong(refusal.status, says, retry_after=retry_after)


def page(refusal: Refusal) -> flask.Response:
    """A page that says nothing else."""
    if refusal.status is HTTPStatus.UNAUTHORIZED:
        answer = answers.html(render("sign-in.html.j2", provider=platform().provider), refusal.status)
    else:
        not_found = refusal.status is HTTPStatus.NOT_FOUND
        title = _TITLES.get(refusal.status, "This cannot be done")
        says = _NOT_FOUND if not_found else _says(refusal)
        answer = answers.html(render("message.html.j2", title=title, says=says), refusal.status)
    answer.headers.extend(refusal.headers)
    if flask.request.headers.get("HX-Request") and refusal.status < HTTPStatus.TOO_MANY_REQUESTS:
        answer.headers["HX-Refresh"] = "true"  # a part of a page was asked for: the whole one says why
    return answers.secretive(answer)  # whatever was asked for: there are secrets in addresses that sign in


def _says(refusal: Refusal) -> str:
    if refusal.kind == RateLimitedError.kind:
        return f"That was too much at once. Wait {refusal.headers['Retry-After']} seconds, then do it again."
    return _WORDS.get(refusal.kind, refusal.detail)
