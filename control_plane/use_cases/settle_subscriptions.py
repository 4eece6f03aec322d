"""Keep the deadlines of subscriptions: what their facts mean changes with time, without any news."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import structlog

from control_plane.domain.errors import HostnameTakenError, NameTakenError, TemporaryError
from control_plane.domain.store import Actor
from control_plane.ports.billing import Billing
from control_plane.use_cases.bill_store import BillStore
from control_plane.use_cases.hostnames import TRIES

log = structlog.get_logger()

_BATCH = 100
_POSTPONED_SECONDS = 600.0  # what goes wrong is left alone for so long, and holds up nobody


@dataclass(frozen=True)
class SettleSubscriptions:
    """The verb, with what it needs. What it records the relay announces: that of the store's cell."""

    billing: Billing
    bill: BillStore

    def __call__(self) -> int:
        """Settle one batch of those that are due; returns how many. Raises DatabaseUnavailableError."""
        return sum(self._settle_apart(each) for each in self.billing.due(limit=_BATCH))

    def _settle_apart(self, subscription_id: str) -> bool:
        try:
            return self._settle(subscription_id)
        except TemporaryError:
            raise
        except Exception:
            log.exception("subscription_not_settled", subscription=subscription_id)
            note = "its deadline could not be kept yet; it is tried again"
            self.billing.postpone(subscription_id, note, seconds=_POSTPONED_SECONDS)
            return False

    def _settle(self, subscription_id: str) -> bool:
        actor = Actor("reconcile", f"deadline of subscription {subscription_id}")
        for attempt in range(TRIES):
            with (
                suppress(NameTakenError, HostnameTakenError),
                self.billing.settle(subscription_id) as transaction,
            ):
                if transaction is None:
                    return False
                self.bill(transaction, actor, attempt=attempt)
                return True
        raise RuntimeError(f"no free name was found for the store of subscription {subscription_id}")
