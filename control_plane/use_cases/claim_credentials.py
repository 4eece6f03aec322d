"""Reveal a store's administrator password, once."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from control_plane.domain.accounts import Scope
from control_plane.ports.customers import Accounts, Shown


@dataclass(frozen=True)
class ClaimCredentials:
    """The verb, with what it needs."""

    accounts: Accounts

    def __call__(self, shown: Shown, store_id: UUID, *, cause: str) -> str:
        """The password, which nothing but the store has from now on.

        Raises what `Accounts.enter` and `StoreCredentials.claim` do, and DatabaseUnavailableError.
        """
        with self.accounts.enter(shown, Scope.CREDENTIALS) as transaction:
            return transaction.credentials.claim(store_id, transaction.caller.acting(cause))
