"""What can go wrong, in types: the type decides who is told and whether anybody tries again."""

from __future__ import annotations


class PermanentError(Exception):
    """Trying again cannot help. The store becomes FAILED with this text as its reason."""


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


class StoreNotFoundError(RequestError):
    """No such store, or it is another customer's: the two are not told apart."""

    kind = "store-not-found"
    title = "There is no such store"


class NameTakenError(RequestError):
    """The customer already has a live store of that name."""

    kind = "name-taken"
    title = "The name is taken"


class IdempotencyMismatchError(RequestError):
    """The same idempotency key came with another request body."""

    kind = "idempotency-key-reused"
    title = "The idempotency key was used for another request"
