"""Act on a message from the topic of intents, or park it where nobody can."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from control_plane.domain.dead_letters import Kind, Message, NotParkedError, Poison
from control_plane.domain.errors import DatabaseUnavailableError, MalformedMessageError, UnknownStoreError
from control_plane.domain.events import INTENTS, OF_AN_ORPHAN, StoreIntent
from control_plane.ports.dead_letters import Parking
from control_plane.use_cases.provision import Provision
from control_plane.use_cases.quarantine import Quarantine

log = structlog.get_logger()


@dataclass(frozen=True)
class ReceiveMessage:
    """The verb, with what it needs."""

    provision: Provision
    quarantine: Quarantine
    parking: Parking

    def __call__(self, message: Message) -> None:
        """Work on the store, or the orphan, that it names.

        One that can never be acted on is parked, with the reason.
        Raises NotParkedError, and what `Provision` and `Quarantine` raise.
        """
        try:
            intent = StoreIntent.decode(message.body)
            if intent.generation == OF_AN_ORPHAN:
                self.quarantine(intent.store_id)
            else:
                self.provision(intent.store_id, cause=f"message {message.id}")
        except MalformedMessageError as error:
            self._park(message, Kind.MALFORMED, str(error))
        except UnknownStoreError as error:
            self._park(message, Kind.UNKNOWN_STORE, str(error))

    def _park(self, message: Message, kind: Kind, reason: str) -> None:
        log.error("message_parked", kind=kind, reason=reason, letter=message.id)
        try:
            self.parking.park([Poison(INTENTS, message, kind, reason)])
        except DatabaseUnavailableError as error:
            raise NotParkedError(f"a message that nobody can act on was not parked: {error}") from error
