"""The dead-letter topics: what the broker delivered in vain again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, cast

import structlog

from control_plane.adapters.pubsub_events import CHANNEL_OPTIONS
from control_plane.domain.dead_letters import Message
from control_plane.domain.events import INTENTS
from control_plane.ports.dead_letters import Undelivered

if TYPE_CHECKING:
    from google.pubsub_v1 import PullResponse, ReceivedMessage
    from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

log = structlog.get_logger()

_DELIVERIES = "CloudPubSubDeadLetterSourceDeliveryCount"  # an attribute that the broker adds
# One message may have 10 MB, and one that cannot be received would be in the way for ever.
_OPTIONS = [*CHANNEL_OPTIONS, ("grpc.max_receive_message_length", -1)]


class PubSubDeadTopic:
    """The `DeadTopic` port."""

    def __init__(self, project: str, emulator: str | None, source: str = INTENTS) -> None:
        """`emulator` as host:port; None for Google's service with the process's own identity."""
        self.source = source
        self._subscription = f"projects/{project}/subscriptions/{source}-dead"
        self._emulator = emulator

    @cached_property
    def _subscriber(self) -> SubscriberGrpcTransport:
        # The transport alone: the client above it warns at each pull that does not wait, because one that
        # waits finds more. A pass has no time to wait, and the next one finds the rest.
        import grpc  # noqa: PLC0415 - loaded at the first pass, as the publisher is
        from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport  # noqa: PLC0415

        if self._emulator:
            channel = grpc.insecure_channel(self._emulator, options=_OPTIONS)
        else:
            channel = SubscriberGrpcTransport.create_channel(options=_OPTIONS)
        return SubscriberGrpcTransport(channel=channel)

    def pull(self, *, limit: int, timeout: float) -> Sequence[Undelivered]:
        """See the port."""
        from google.pubsub_v1 import PullRequest  # noqa: PLC0415 - as above

        request = PullRequest(subscription=self._subscription, max_messages=limit, return_immediately=True)
        try:
            pull = cast("Callable[..., PullResponse]", self._subscriber.pull)
            answer = pull(request, timeout=timeout, metadata=self._routing)
        except Exception as error:  # noqa: BLE001 - whatever a client raises, what is there stays there
            log.warning("dead_letters_not_pulled", error=_name(error))
            return []
        return [_undelivered(each) for each in answer.received_messages]

    def acknowledge(self, receipts: Sequence[str], *, timeout: float) -> None:
        """See the port."""
        from google.pubsub_v1 import AcknowledgeRequest  # noqa: PLC0415 - as above

        request = AcknowledgeRequest(subscription=self._subscription, ack_ids=receipts)
        try:
            acknowledge = cast("Callable[..., None]", self._subscriber.acknowledge)
            acknowledge(request, timeout=timeout, metadata=self._routing)
        except Exception as error:  # noqa: BLE001 - as above
            log.warning("dead_letters_not_acknowledged", error=_name(error))

    @property
    def _routing(self) -> Sequence[tuple[str, str]]:
        return [("x-goog-request-params", f"subscription={self._subscription}")]


def _name(error: Exception) -> str:
    code = getattr(error, "code", None)  # all of gRPC's own errors are of one class
    return str(code()) if callable(code) else type(error).__name__


def _undelivered(received: ReceivedMessage) -> Undelivered:
    message = received.message
    count = message.attributes.get(_DELIVERIES, "")
    return Undelivered(
        Message(message.message_id, bytes(message.data)),
        int(count[:9]) if count.isascii() and count.isdigit() else None,
        received.ack_id,
    )
