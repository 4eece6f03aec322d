"""What is kept of stores for a time, and what changes of itself when the time is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from control_plane.domain.life import Asked
from control_plane.domain.store import Actor
from control_plane.ports.fleet import PassLease


class Terms(Protocol):
    """Terms that end by the platform's time, and live stores whose plan says something else now."""

    def ended(self, lease: PassLease, *, limit: int) -> Sequence[UUID]:
        """Stores of the pass's cell whose retention, or whose former host name's time, is over."""

    def change(self, store_id: UUID, asked: Asked, actor: Actor) -> None:
        """Write down the next generation, announced by a pass. Raises what `asked` does."""

    def refresh(self, lease: PassLease, digests: Mapping[str, str], actor: Actor, *, at_once: int) -> int:
        """Give the next generation to settled stores whose release was made with something else.

        `digests` are `chart_values.made_with` now, by plan. Each store is asked once for each digest, and
        as many as leaves `at_once` stores of the cell updating, or failed on that way; returns how many.
        """
