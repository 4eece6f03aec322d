"""What can go wrong, in types: the type decides who is told and whether anybody tries again."""

from __future__ import annotations


class PermanentError(Exception):
    """Trying again cannot help. A store of which it is said twice becomes FAILED with this text."""


class TemporaryError(Exception):
    """Worth another try, later. Counted: after the limit the store becomes FAILED with this text."""


class CellUnreachableError(TemporaryError):
    """The cell's API server does not answer. Not the store's fault, so it is never counted."""


class DatabaseUnavailableError(TemporaryError):
    """The database does not answer, or not now."""


class LeaseLostError(Exception):
    """The lease ended or another worker took it: stop at once and write nothing."""


class MisconfiguredError(Exception):
    """A setting of this process is wrong. Nobody's store is at fault, so nothing is given up."""


class HostnameTakenError(Exception):
    """A live store has the host name that was drawn: draw again."""


class CredentialsLostError(PermanentError):
    """The Secret that a store's passwords are in is gone or another one. New ones would not fit its data."""


class UnknownStoreError(PermanentError):
    """A message names a store that has no row."""


class ElsewhereError(Exception):
    """The store is in another cell, whose functions look after it: not ours to touch."""


class MalformedMessageError(PermanentError):
    """A message that cannot be read as an intent, now or ever."""


class RequestError(Exception):
    """A caller's mistake. `kind` is stable and documented; the text says what to do about it."""

    kind = "invalid-request"
    title = "The request is not valid"

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class UnauthenticatedError(RequestError):
    """No bearer token, or one that nobody was given."""

    kind = "unauthenticated"
    title = "Who is asking is not known"


class ForbiddenError(RequestError):
    """The caller is known, and may not do this."""

    kind = "forbidden"
    title = "You may not do this"


class RateLimitedError(RequestError):
    """The account asks too often. `seconds` from now it may ask again."""

    kind = "rate-limited"
    title = "Too many requests"

    def __init__(self, detail: str, *, seconds: float) -> None:
        super().__init__(detail)
        self.seconds = seconds


class StoreNotFoundError(RequestError):
    """No such store, or it is another customer's: the two are not told apart."""

    kind = "store-not-found"
    title = "There is no such store"


class NameTakenError(RequestError):
    """The customer already has a live store of that name."""

    kind = "name-taken"
    title = "The name is taken"


class StoreLimitError(RequestError):
    """The account has as many stores as its plan allows."""

    kind = "store-limit"
    title = "Your plan allows no more stores"


class StaleError(RequestError):
    """The caller decided by an older generation than the store now has."""

    kind = "stale"
    title = "The store has changed meanwhile"


class NotNowError(RequestError):
    """The store's state does not allow the verb."""

    kind = "not-now"
    title = "The store's state does not allow this"


class PlanTooSmallError(RequestError):
    """The store's volumes are larger than those of the plan that was asked for."""

    kind = "plan-too-small"
    title = "The plan is too small for the store"


class ClaimedError(RequestError):
    """The password was revealed already, or nobody claimed it in time."""

    kind = "claimed"
    title = "The password is not here any more"


class TokenNotFoundError(RequestError):
    """No such token, or it is another account's."""

    kind = "token-not-found"
    title = "There is no such token"


class SessionNotFoundError(RequestError):
    """No such session, or it is another person's."""

    kind = "session-not-found"
    title = "There is no such session"


class MemberNotFoundError(RequestError):
    """No such member, or it is another account's."""

    kind = "member-not-found"
    title = "There is no such member"


class LastOwnerError(RequestError):
    """The account would have no owner left."""

    kind = "last-owner"
    title = "The account would have no owner"


class CsrfError(RequestError):
    """A browser's cookie came without a sign that our own page sent the request."""

    kind = "csrf"
    title = "The request may come from another site"


class TokenLimitError(RequestError):
    """The account has as many tokens as anybody may."""

    kind = "token-limit"
    title = "You have too many tokens"


class IdempotencyMismatchError(RequestError):
    """The same idempotency key came with another request body."""

    kind = "idempotency-key-reused"
    title = "The idempotency key was used for another request"
