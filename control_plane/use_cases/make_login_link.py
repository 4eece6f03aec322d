"""Let an administrator into their store by one click, without a password."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from control_plane.domain.accounts import Scope
from control_plane.domain.errors import NotNowError
from control_plane.domain.store import StoreState
from control_plane.ports.customers import Accounts, LoginLinks, Shown

ANSWERING = (StoreState.READY, StoreState.DEGRADED, StoreState.UPDATING)


@dataclass(frozen=True)
class MakeLoginLink:
    """The verb, with what it needs."""

    accounts: Accounts
    links: LoginLinks

    def __call__(self, shown: Shown, store_id: UUID, *, cause: str) -> str:
        """An address of the store that logs its administrator in: within a minute, and once.

        Raises what `Accounts.enter` does, StoreNotFoundError, NotNowError, DatabaseUnavailableError.
        """
        with self.accounts.enter(shown, Scope.CREDENTIALS) as transaction:
            store = transaction.credentials.note_login(store_id, transaction.caller.acting(cause))
            if store.state not in ANSWERING:
                raise NotNowError(f"the store is {store.state}: it lets somebody in when it is READY")
        return f"{store.address}/?urumi-login={self.links.token(store.id)}"
