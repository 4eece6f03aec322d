"""Act on a message from the topic of billing's events, or park it where nobody can."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from control_plane.domain.billing import ContradictionError, NotRecordedError
from control_plane.domain.billing_events import BILLING_EVENTS, decode
from control_plane.domain.dead_letters import Kind, Message, Poison
from control_plane.domain.errors import MalformedMessageError, TemporaryError
from control_plane.ports.dead_letters import Parking
from control_plane.use_cases.record_billing_fact import RecordBillingFact

log = structlog.get_logger()


@dataclass(frozen=True)
class ReceiveBillingEvent:
    """The verb, with what it needs."""

    record: RecordBillingFact
    parking: Parking

    def __call__(self, message: Message) -> None:
        """Record what it says; one that nobody can act on is parked, with the reason.

        Raises NotRecordedError where that could not be done now: nobody but the broker has the message.
        """
        try:
            try:
                self.record(decode(message.body))
            except (MalformedMessageError, ContradictionError) as error:
                self._park(message, str(error))
        except TemporaryError as error:
            raise NotRecordedError(f"a fact of billing was not recorded: {error}") from error

    def _park(self, message: Message, reason: str) -> None:
        log.error("message_parked", kind=Kind.MALFORMED, reason=reason, letter=message.id)
        self.parking.park([Poison(BILLING_EVENTS, message, Kind.MALFORMED, reason)])
