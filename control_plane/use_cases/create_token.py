"""Make an API token. It is shown once; what is kept of it gives nobody access."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from control_plane.domain.accounts import SCOPES_OF, ApiToken, NewToken, Scope
from control_plane.domain.errors import ForbiddenError
from control_plane.ports.customers import Accounts, Shown

MARK = "urumi_"  # what scanners for leaked secrets can look for
_PREFIX_LENGTH = len(MARK) + 6
_BYTES = 32  # of randomness: nobody guesses it, so a fast hash is enough


@dataclass(frozen=True)
class MadeToken:
    """What is kept of a token, and the token itself, for the last time."""

    kept: ApiToken
    token: str


@dataclass(frozen=True)
class CreateToken:
    """The verb, with what it needs."""

    accounts: Accounts

    def __call__(
        self, shown: Shown, name: str, scopes: frozenset[Scope], expires_at: datetime | None, *, cause: str
    ) -> MadeToken:
        """A new token of the caller's account, with no scope that the caller does not have.

        Raises what `Accounts.enter` and `Tokens.add` do, ForbiddenError, DatabaseUnavailableError.
        """
        token = new_token()
        with self.accounts.enter(shown, Scope.TOKENS) as transaction:
            caller = transaction.caller
            beyond = scopes - (caller.scopes & SCOPES_OF[caller.role])
            if beyond:
                raise ForbiddenError(f"you do not have {', '.join(sorted(beyond))} yourself: leave it out")
            new = NewToken(uuid4(), name, prefix_of(token), digest_of(token), scopes, expires_at)
            kept = transaction.tokens.add(new, caller.acting(cause))
        return MadeToken(kept, token)


def new_token() -> str:
    """A token that nobody has."""
    return MARK + secrets.token_urlsafe(_BYTES)


def prefix_of(token: str) -> str:
    """Enough of a token to recognise it by."""
    return token[:_PREFIX_LENGTH]


def digest_of(token: str) -> str:
    """SHA-256 in hexadecimal, as the database keeps it."""
    return hashlib.sha256(token.encode()).hexdigest()
