"""Pub/Sub, customers' tokens and the source of passwords, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from control_plane.domain.events import StoreIntent
from tests.fakes.clock import FakeClock


@dataclass
class FakeEvents:
    """The `Events` and `Republisher` ports. A broker that is down costs the whole time limit."""

    clock: FakeClock
    published: list[StoreIntent] = field(default_factory=list)
    republished: list[tuple[str, bytes]] = field(default_factory=list)
    rollouts: int = 0
    down: bool = False

    def announce(self, intents: Sequence[StoreIntent], *, timeout: float) -> bool:
        """See the port."""
        if self.down:
            self.clock.later(timeout)
            return False
        self.published += intents
        return True

    def rollout_started(self) -> None:
        """See the port."""
        self.rollouts += not self.down

    def publish_again(self, topic: str, body: bytes, *, timeout: float) -> bool:
        """See the port."""
        if self.down:
            self.clock.later(timeout)
            return False
        self.republished.append((topic, body))
        return True


@dataclass(frozen=True)
class FakeTokens:
    """The `Tokens` port."""

    customers: Mapping[str, UUID]

    def customer_of(self, token: str) -> UUID | None:
        """See the port."""
        return self.customers.get(token)


@dataclass
class FakeCredentials:
    """The `Credentials` port: passwords that tell how many were made."""

    made: int = 0

    def fresh(self) -> Mapping[str, str]:
        """See the port."""
        self.made += 1
        return {"admin-password": f"password-{self.made}"}
