"""What is said on Pub/Sub. Nothing that a customer typed ever is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

from control_plane.domain.errors import MalformedMessageError

INTENTS = "store-intents"  # the topic
SCHEMA_VERSION = 1
OF_AN_ORPHAN = 0  # the generation where a namespace is meant that has no store
CELL = "cell"  # the attribute that names the cell which a message is for


@dataclass(frozen=True)
class StoreIntent:
    """A store's intent changed: somebody should make the cluster match it.

    It only wakes the worker up, who reads the row: late, lost, doubled and reordered
    messages are all the same to it.
    """

    store_id: UUID
    generation: int

    def encode(self) -> bytes:
        """The message body."""
        body = {
            "store_id": str(self.store_id),
            "generation": self.generation,
            "schema_version": SCHEMA_VERSION,
        }
        return json.dumps(body).encode()

    @classmethod
    def decode(cls, body: bytes) -> StoreIntent:
        """Read a message body. Raises MalformedMessageError for anything else."""
        try:
            fields = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise MalformedMessageError("the message is not JSON") from error
        if not isinstance(fields, dict):
            raise MalformedMessageError("the message is not a JSON object")
        version = fields.get("schema_version")
        if version != SCHEMA_VERSION:
            raise MalformedMessageError(f"unknown schema version {version!r}"[:200])
        try:
            return cls(UUID(fields["store_id"]), int(fields["generation"]))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise MalformedMessageError("the message does not name a store and a generation") from error
