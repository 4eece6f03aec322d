"""Accept an order: record the store, QUEUED, and announce it. Nothing of it exists yet."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID, uuid4

from control_plane.domain.accounts import Scope
from control_plane.domain.errors import HostnameTakenError, TemporaryError
from control_plane.domain.plans import Plans
from control_plane.domain.store import NewStore
from control_plane.ports.customers import Accounts, IdempotencyKey, Shown
from control_plane.use_cases.announce import Announce
from control_plane.use_cases.change_store import Seen
from control_plane.use_cases.hostnames import TRIES, Hostnames


@dataclass(frozen=True)
class Order:
    """What a customer asked for, already validated."""

    name: str
    title: str
    admin_email: str
    plan: str


@dataclass(frozen=True)
class CreateStore:
    """The verb, with what it needs."""

    accounts: Accounts
    announce: Announce
    hostnames: Hostnames
    plans: Plans
    cell: str

    def __call__(self, shown: Shown, order: Order, *, key: str | None, body: bytes, cause: str) -> Seen:
        """The store that this order led to; the same one for the same key and body.

        Raises what `Accounts.enter` and `Stores.add` do, and DatabaseUnavailableError.
        """
        known = IdempotencyKey(key, hashlib.sha256(body).hexdigest()) if key else None
        for _ in range(TRIES):
            with suppress(HostnameTakenError):
                with self.accounts.enter(shown, Scope.WRITE) as transaction:
                    caller = transaction.caller
                    most = self.plans.limits_of(transaction.plan).live_stores
                    new, actor = self._new(caller.account, order), caller.acting(cause)
                    accepted = transaction.stores.add(new, known, actor, most=most)
                return Seen(self.announce(accepted), caller)
        raise TemporaryError(f"no free host name was found for {order.name!r}")

    def _new(self, account: UUID, order: Order) -> NewStore:
        return NewStore(
            id=uuid4(),
            customer_id=account,
            name=order.name,
            title=order.title,
            admin_email=order.admin_email,
            plan=order.plan,
            hostname=self.hostnames.draw(order.name),
            cell=self.cell,
        )
