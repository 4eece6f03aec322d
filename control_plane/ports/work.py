"""The rows as a worker sees them, under a lease."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from control_plane.domain.store import Actor, Lease, Store


@dataclass(frozen=True)
class Leased:
    """A store and the right to work on it."""

    store: Store
    lease: Lease


class Work(Protocol):
    """The rows of one cell, as a worker sees them. Every write carries the lease's token and raises
    LeaseLostError when the lease has ended or was taken over. A write about a generation
    that is no longer the newest changes nothing: `finish` hands out the newest."""

    def take(self, store_id: UUID, *, seconds: float) -> Leased | None:
        """Take the lease if there is something to do; None when there is not or another has it.

        Each time is an attempt on record. A predecessor that died with the lease in its hand
        counts as one failure. Raises UnknownStoreError, and ElsewhereError for a store of another cell.
        """

    def renew(self, lease: Lease, *, seconds: float) -> Lease:
        """The same lease, now ending in `seconds` on the database's clock."""

    def begin(self, leased: Leased, actor: Actor) -> None:
        """Move the row to the state that says that the work has begun; nothing if it is there."""

    def record_credentials(self, leased: Leased, uid: str) -> str:
        """Keep the uid of the Secret that has the store's passwords, unless one is kept already.

        Returns the one that is kept. Whatever the generation: passwords are for a store's whole life.
        """

    def record_freeing(self, leased: Leased, actor: Actor) -> None:
        """Tell the audit that a release which a dead Helm has left locked is going to be freed."""

    def record_release(
        self,
        leased: Leased,
        *,
        revision: int,
        digest: str,
        chart_version: str,
        made_with: str,
        deadline: float,
        actor: Actor,
    ) -> None:
        """The cluster has the release of this generation; its pods have `deadline` seconds to be ready.

        `made_with` is `chart_values.made_with` as it was then.
        """

    def record_removal(self, leased: Leased, actor: Actor) -> None:
        """The cluster was told to remove the store."""

    def fail(self, leased: Leased, reason: str, actor: Actor) -> None:
        """Give up: FAILED with the reason, and a dead letter for an operator to answer.

        A row that is being deleted keeps its state.
        """

    def postpone(self, leased: Leased, reason: str, *, seconds: float, counted: bool, actor: Actor) -> None:
        """Say why the work waits, and that it does for `seconds`. Counted: one failure more."""

    def finish(self, leased: Leased, *, seconds: float) -> Leased | None:
        """Let go of the lease; or keep it, with the fresh row, when the intent has moved on meanwhile."""


class Vault(Protocol):
    """Administrators' passwords, sealed, between being made and being claimed by their owner."""

    def keep(self, leased: Leased, number: int, password: str) -> str:
        """Keep the password of that number for its owner; or the one that is kept already. Returns it.

        Raises LeaseLostError.
        """
