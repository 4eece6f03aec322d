"""Begin a browser's session. Its secret is in the browser's cookie only."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from control_plane.domain.accounts import Scope
from control_plane.domain.people import LONGEST_BROWSER
from control_plane.ports.customers import Accounts, Shown
from control_plane.use_cases.create_token import digest_of

_BYTES = 32


@dataclass(frozen=True)
class SignIn:
    """The verb, with what it needs."""

    accounts: Accounts

    def __call__(self, shown: Shown, browser: str, *, instead_of: str | None, cause: str) -> str:
        """The secret of a new session; the one with the digest `instead_of` ends.

        Raises what `Accounts.enter` and `People.open` do.
        """
        secret = secrets.token_urlsafe(_BYTES)
        plain = "".join(each for each in browser if each.isascii() and each.isprintable())
        with self.accounts.enter(shown, Scope.READ) as transaction:
            actor = transaction.caller.acting(cause)
            transaction.people.open(
                digest_of(secret), plain[:LONGEST_BROWSER], instead_of=instead_of, actor=actor
            )
        return secret
