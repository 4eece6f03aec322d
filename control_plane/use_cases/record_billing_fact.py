"""Record a fact of billing, and make the store what all facts of its subscription mean now."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import structlog

from control_plane.domain.billing import Fact
from control_plane.domain.errors import HostnameTakenError, NameTakenError, TemporaryError
from control_plane.domain.store import Actor
from control_plane.ports.billing import Billing
from control_plane.use_cases.announce import Announce
from control_plane.use_cases.bill_store import BillStore
from control_plane.use_cases.hostnames import TRIES

log = structlog.get_logger()


@dataclass(frozen=True)
class RecordBillingFact:
    """The verb, with what it needs."""

    billing: Billing
    bill: BillStore
    announce: Announce

    def __call__(self, fact: Fact) -> bool:
        """Whether the fact was new. All that comes of it is one transaction, announced after that.

        Raises ContradictionError, DatabaseUnavailableError.
        """
        actor = Actor("billing", f"billing event {fact.event_id}")
        for attempt in range(TRIES):
            with suppress(NameTakenError, HostnameTakenError):
                with self.billing.record(fact) as transaction:
                    accepted = self.bill(transaction, actor, attempt=attempt) if transaction else None
                if accepted is None:
                    log.info("billing_fact_known", billing_event=fact.event_id)
                    return False
                for each in accepted:
                    self.announce(each)
                return True
        raise TemporaryError(f"no free name was found for the store of subscription {fact.subscription_id}")
