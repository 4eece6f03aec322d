"""Pub/Sub, an issuer of identities and the source of passwords, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from control_plane.domain.events import StoreIntent
from control_plane.domain.identity import Identity, NotAnIdentityError
from control_plane.domain.store_events import StoreEvent
from control_plane.ports.messages import Announcement
from tests.fakes.clock import FakeClock


@dataclass
class FakeEvents:
    """The `Events`, `Teller` and `Republisher` ports. A broker that is down costs the whole time limit."""

    clock: FakeClock
    published: list[StoreIntent] = field(default_factory=list)
    republished: list[tuple[str, bytes]] = field(default_factory=list)
    told: list[StoreEvent] = field(default_factory=list)
    announced_for: list[str] = field(default_factory=list)  # cells, of what was published
    rollouts: list[str] = field(default_factory=list)  # cells whose reconcile was woken
    takes: int | None = None  # how many events at a time before it refuses; None for all
    down: bool = False

    def announce(self, said: Sequence[Announcement], *, timeout: float) -> bool:
        """See the port."""
        if self.down:
            self.clock.later(timeout)
            return False
        self.published += [each.intent for each in said]
        self.announced_for += [each.cell for each in said]
        return True

    def tell(self, events: Sequence[StoreEvent], *, timeout: float) -> Sequence[StoreEvent]:
        """See the port."""
        if self.down:
            self.clock.later(timeout)
            return []
        taken = events[: self.takes]
        self.told += taken
        return taken

    def rollout_started(self, cell: str) -> None:
        """See the port."""
        self.rollouts += [] if self.down else [cell]

    def publish_again(self, topic: str, body: bytes, *, timeout: float) -> bool:
        """See the port."""
        if self.down:
            self.clock.later(timeout)
            return False
        self.republished.append((topic, body))
        return True


@dataclass(frozen=True)
class FakeIdentities:
    """The `Identities` port: a token is the name of whom it identifies."""

    known: Mapping[str, Identity]

    def verify(self, token: str) -> Identity:
        """See the port."""
        if token not in self.known:
            raise NotAnIdentityError("nobody's")
        return self.known[token]


@dataclass(frozen=True)
class FakeLoginLinks:
    """The `LoginLinks` port: tokens that name their store."""

    def token(self, store_id: UUID) -> str:
        """See the port."""
        return f"token-for-{store_id}"


@dataclass
class FakeCredentials:
    """The `Credentials` port: passwords that tell how many were made."""

    made: int = 0

    def fresh(self) -> Mapping[str, str]:
        """See the port."""
        self.made += 1
        return {"admin-password": f"password-{self.made}"}
