"""Act on a call of a billing system that has its own words, such as Stripe's webhooks."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from control_plane.domain.billing import ContradictionError, Fact
from control_plane.ports.billing import Billing, Notices, UnknownEvent
from control_plane.use_cases.record_billing_fact import RecordBillingFact

log = structlog.get_logger()


@dataclass(frozen=True)
class ReceiveBillingNotice:
    """The verb, with what it needs."""

    notices: Notices
    billing: Billing
    record: RecordBillingFact

    def __call__(self, body: bytes, signature: str) -> str:
        """What was done: "recorded", "known" already, or "noted", because it changes nothing here.

        Raises what `Notices.read` does, DatabaseUnavailableError.
        """
        said = self.notices.read(body, signature)
        if isinstance(said, Fact):
            try:
                return "recorded" if self.record(said) else "known"
            except ContradictionError as error:  # for ever: whoever calls has nothing from calling again
                log.error("billing_notice_refused", billing_event=said.event_id, reason=str(error))  # noqa: TRY400
                said = UnknownEvent(
                    said.source, said.event_id, said.occurred_at, said.fingerprint, f"refused: {error}"
                )
        log.info("billing_notice_noted", billing_event=said.event_id, remark=said.remark)
        self.billing.note(said)
        return "noted"
