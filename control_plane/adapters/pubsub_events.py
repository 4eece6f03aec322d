"""Pub/Sub: what is said, and how a pushed message is read."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from control_plane.domain.dead_letters import Message
from control_plane.domain.events import CELL, INTENTS
from control_plane.domain.store_events import TOPIC, StoreEvent
from control_plane.ports.messages import Announcement

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherClient

log = structlog.get_logger()

ROLLOUTS = "rollouts"
_WAKE_SECONDS = 1.0
# Without this a broker that was away for a while is not tried again for up to two minutes.
CHANNEL_OPTIONS = [("grpc.max_reconnect_backoff_ms", 1000)]


@dataclass(frozen=True)
class _Message:
    """What is published, in Pub/Sub's own words."""

    data: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)
    ordering_key: str = ""


class PubSubEvents:
    """The `Events`, `Teller` and `Republisher` ports: requests of what is given, no batching, no threads.

    The higher client of the same library collects messages in the background, and after a
    failed publish refuses all later ones.
    """

    def __init__(self, project: str, emulator: str | None) -> None:
        """`emulator` as host:port; None for Google's service with the process's own identity."""
        self._project = project
        self._emulator = emulator

    @cached_property
    def _publisher(self) -> PublisherClient:
        # Loaded at the first message: 0.3 s and 25 MB that an idle instance never needs.
        import grpc  # noqa: PLC0415
        from google.pubsub_v1 import PublisherClient  # noqa: PLC0415
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport  # noqa: PLC0415

        if self._emulator:
            channel = grpc.insecure_channel(self._emulator, options=CHANNEL_OPTIONS)
        else:
            channel = PublisherGrpcTransport.create_channel(options=CHANNEL_OPTIONS)
        return PublisherClient(transport=PublisherGrpcTransport(channel=channel))

    def announce(self, said: Sequence[Announcement], *, timeout: float) -> bool:
        """See the port."""
        messages = [_Message(each.intent.encode(), {CELL: each.cell}) for each in said]
        return self._publish(INTENTS, messages, timeout)

    def rollout_started(self, cell: str) -> None:
        """See the port."""
        self._publish(ROLLOUTS, [_Message(b"{}", {CELL: cell})], _WAKE_SECONDS)

    def publish_again(self, topic: str, body: bytes, *, timeout: float) -> bool:
        """See the port. For no cell: nobody knows whose it is, so that it goes to all."""
        return self._publish(topic, [_Message(body)], timeout)

    def tell(self, events: Sequence[StoreEvent], *, timeout: float) -> Sequence[StoreEvent]:
        """See the port. A request may have one ordering key only, so each store's go on their own."""
        until = time.monotonic() + timeout
        of_stores: defaultdict[UUID, list[StoreEvent]] = defaultdict(list)
        for event in events:
            of_stores[event.subject].append(event)
        taken: list[StoreEvent] = []
        for store_id, of_store in of_stores.items():
            messages = [
                _Message(event.model_dump_json().encode(), ordering_key=str(store_id)) for event in of_store
            ]
            left = until - time.monotonic()
            if left <= 0 or not self._publish(TOPIC, messages, left):
                break
            taken += of_store
        return taken

    def _publish(self, topic: str, messages: Sequence[_Message], timeout: float) -> bool:
        from google.pubsub_v1 import PubsubMessage  # noqa: PLC0415

        try:
            self._publisher.publish(
                topic=f"projects/{self._project}/topics/{topic}",
                messages=[PubsubMessage(vars(each)) for each in messages],
                timeout=timeout,
                retry=None,
            )
        except Exception as error:  # noqa: BLE001 - whatever a client raises, the outbox keeps the message
            log.warning("publish_failed", topic=topic, error=type(error).__name__)
            return False
        return True


def pushed(event_id: str, event_data: object) -> Message:
    """The message of a CloudEvent, as the framework makes it of a push.

    Where no message data can be read, its body is the event's data as it came: no intent either.
    """
    message = event_data.get("message") if isinstance(event_data, Mapping) else None
    data = message.get("data") if isinstance(message, Mapping) else None
    if isinstance(data, str):
        with suppress(binascii.Error):
            return Message(event_id, base64.b64decode(data, validate=True))
    return Message(event_id, json.dumps(event_data, default=repr).encode())
