"""Make the store of a subscription what its facts mean now, in the transaction that has it locked."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

import structlog

from control_plane.domain.billing import (
    NextStep,
    Subscription,
    SubscriptionStatus,
    fold,
    learned,
    meaning,
    next_step,
    plan_of,
)
from control_plane.domain.errors import RequestError
from control_plane.domain.life import AsBilled, BillingWish, ChangePlan
from control_plane.domain.plans import STANDARD, Plan
from control_plane.domain.store import Actor, Desired, NewStore, Store, StoreState
from control_plane.ports.billing import BillingTransaction, SubscriptionRow
from control_plane.ports.customers import Accepted
from control_plane.use_cases.hostnames import Hostnames

log = structlog.get_logger()

_RETRY = timedelta(minutes=1)  # what could not be done now, and may be by itself
_UNLIMITED = 2**31 - 1  # an account's limit is for what it asks for itself: what is paid for is made
_LONGEST_NAME = 40


@dataclass(frozen=True)
class BillStore:
    """The one step of both who record facts and who keep deadlines, with what it needs."""

    plans: Mapping[str, Plan]
    hostnames: Hostnames
    cell: str

    def __call__(
        self, transaction: BillingTransaction, actor: Actor, *, attempt: int = 0
    ) -> Sequence[Accepted]:
        """What was recorded of the store, to be announced after the transaction.

        `attempt` counts transactions that were undone because a name was taken. Raises NameTakenError,
        HostnameTakenError.
        """
        step = _Step(self, transaction, actor, attempt)
        step.go()
        before, after = transaction.kept, step.row
        if after.note and after.note != before.note:
            log.warning("subscription_not_as_billed", subscription=after.id, note=after.note)
        if after != before or after.state.known_at != before.state.known_at:
            transaction.keep(after)
        return step.accepted


def next_of(
    store: Store, subscription: Subscription, plans: Mapping[str, Plan], now: datetime
) -> NextStep | None:
    """What becomes of a subscription's store by itself: nothing of one that was deleted for good."""
    if store.desired is Desired.DELETED:
        return None
    return next_step(subscription, plan_of(subscription, plans), now)


class _Step:
    """One subscription on its way."""

    def __init__(self, parts: BillStore, transaction: BillingTransaction, actor: Actor, attempt: int) -> None:
        self._parts = parts
        self._transaction = transaction
        self._actor = actor
        self._attempt = attempt
        self._now = transaction.now
        self._state = learned(fold(transaction.facts), transaction.kept.state, self._now)
        self.row: SubscriptionRow = replace(transaction.kept, state=_without_order(self._state), note="")
        self.accepted: list[Accepted] = []

    def go(self) -> None:
        """Decide what is wanted, and do it."""
        wish, deadline = meaning(self._state, plan_of(self._state, self._parts.plans), self._now)
        self.row = replace(self.row, due_at=deadline)
        store = self._transaction.stores.get(self.row.store_id) if self.row.store_id else None
        if store is None or (self.row.store_removed and not self._state.status.ended):
            self._begin(store, wish)
        elif store.desired is Desired.DELETED:
            if not self.row.store_removed:
                self._note("the store was deleted for good, and is not made again by itself")
        else:
            self._bring(store, wish)

    def _begin(self, before: Store | None, wish: BillingWish) -> None:
        """Make the first store, or another one where billing's retention has removed the one before."""
        order = self._state.store
        if self._state.status is SubscriptionStatus.NOT_BEGUN or wish.gone:
            return
        if before and before.state is not StoreState.DELETED:
            self._note("the store before it is still being removed; a new one is made after that", _RETRY)
        elif order is None:
            self._note(self._state.remark or "no event has said yet what the store should be")
        elif wish.plan is not None and wish.plan not in self._parts.plans:
            self._note(f"there is no plan {wish.plan!r}, so the store was not made yet", _RETRY)
        else:
            name = order.name if self._attempt == 0 else _another(order.name)
            new = NewStore(
                id=uuid4(),
                customer_id=self.row.account,
                name=name,
                title=order.title,
                admin_email=order.admin_email,
                plan=wish.plan or STANDARD,
                hostname=self._parts.hostnames.draw(name),
                cell=self._parts.cell,
                billed=True,
            )
            made = self._transaction.stores.add(new, None, self._actor, most=_UNLIMITED)
            self.accepted.append(made)
            self.row = replace(self.row, store_id=made.store.id, store_removed=False)
            self._bring(made.store, wish)

    def _bring(self, store: Store, wish: BillingWish) -> None:
        """Change what is not as billed."""
        plans = self._parts.plans
        try:
            changed = self._transaction.stores.change(
                store.id, AsBilled(wish, plans), generation=None, actor=self._actor
            )
        except RequestError as error:
            self._note(error.detail, _RETRY)
            return
        if changed.announcement:
            self.accepted.append(changed)
        self.row = replace(self.row, store_removed=wish.gone)
        if wish.gone or wish.plan in (None, changed.store.plan):
            return
        if wish.plan not in plans:
            self._note(f"there is no plan {wish.plan!r}, so the store has {changed.store.plan!r}", _RETRY)
            return
        try:
            ChangePlan(str(wish.plan), plans)(changed.store, self._now)
        except RequestError as error:
            self._note(error.detail)

    def _note(self, note: str, again_in: timedelta | None = None) -> None:
        due_at = self.row.due_at
        if again_in:
            due_at = min(due_at or datetime.max.replace(tzinfo=self._now.tzinfo), self._now + again_in)
        self.row = replace(self.row, note=note, due_at=due_at)


def _without_order(state: Subscription) -> Subscription:
    # What the store should be stands in the facts only, and so an address to erase does as well.
    return replace(state, store=None, remark="")


def _another(name: str) -> str:
    suffix = secrets.token_hex(2)
    return f"{name[: _LONGEST_NAME - len(suffix) - 1]}-{suffix}"
