"""Make the cluster match what a store's row asks for now. Never waits for pods."""

from __future__ import annotations

import random
from dataclasses import dataclass
from uuid import UUID

import structlog

from control_plane.domain.errors import (
    CellUnreachableError,
    ElsewhereError,
    LeaseLostError,
    MisconfiguredError,
    PermanentError,
    TemporaryError,
)
from control_plane.domain.store import Actor, Desired
from control_plane.ports.cell import Cluster
from control_plane.ports.messages import Events
from control_plane.ports.work import Leased, Work
from control_plane.use_cases.install import LEASE_SECONDS, Install

log = structlog.get_logger()

FAILURE_LIMIT = 10
_BACK_OFF_SECONDS = (5.0, 300.0)  # doubles from the first to the last
_UNREACHABLE_SECONDS = 15.0


@dataclass(frozen=True)
class Provision:
    """The verb, with what it needs."""

    work: Work
    cluster: Cluster
    events: Events
    install: Install
    cell: str
    lease_seconds: float = LEASE_SECONDS

    def __call__(self, store_id: UUID, *, cause: str) -> None:
        """Work on the store until its newest intent is in the cluster, or why it is not is in its row.

        Does nothing where there is nothing to do, where another worker has the lease, or where the store is
        in another cell, whose passes have it announced until somebody there has taken it up.
        Raises UnknownStoreError, and whatever nobody expected (after counting it).
        """
        actor = Actor("provision", cause)
        unforeseen: Exception | None = None
        try:
            leased = self.work.take(store_id, seconds=self.lease_seconds)
            while leased:
                unforeseen = self._attempt(leased, actor) or unforeseen
                leased = self.work.finish(leased, seconds=self.lease_seconds)
        except LeaseLostError:
            log.warning("lease_lost", store_id=str(store_id))
        except ElsewhereError as error:
            log.warning("store_of_another_cell", store_id=str(store_id), reason=str(error))
        if unforeseen:
            raise unforeseen

    def _attempt(self, leased: Leased, actor: Actor) -> Exception | None:
        """One attempt, its failure written into the row. Returns what is not the store's affair."""
        store = leased.store
        logger = log.bind(store_id=str(store.id), generation=store.generation, attempt=store.failures + 1)
        try:
            if store.desired is Desired.DELETED:
                self._remove(leased, actor)
            elif store.failures >= FAILURE_LIMIT:
                self.work.fail(leased, store.reason or f"its worker died {store.failures} times", actor)
            else:
                self.install(leased, actor)
                self.events.rollout_started(self.cell)
        except CellUnreachableError as error:
            logger.warning("cell_unreachable", error=str(error))
            self._postpone(
                leased, "waiting for the cell to answer", _UNREACHABLE_SECONDS, actor, counted=False
            )
        except PermanentError as error:
            # Believed the second time: a cell that starts judges by what it has read so far, and a
            # request that was killed is counted in the quota until the next attempt counts anew.
            if store.failures:
                self._refused(leased, error, actor)
            else:
                self._postpone(leased, str(error), back_off(0), actor)
        except TemporaryError as error:
            logger.warning("attempt_failed", error=str(error))
            self._postpone(leased, str(error), back_off(store.failures), actor)
        except LeaseLostError:
            raise
        except MisconfiguredError as error:
            return error
        except Exception as error:  # noqa: BLE001 - nobody foresaw it: counted, and said aloud by a 5xx
            # What it says is for our log, not for the customer's row.
            reason = f"internal error ({type(error).__name__})"
            self._postpone(leased, reason, back_off(store.failures), actor)
            return error
        return None

    def _refused(self, leased: Leased, error: Exception, actor: Actor) -> None:
        store = leased.store
        log.warning("store_refused", store_id=str(store.id), generation=store.generation, reason=str(error))
        if store.desired is Desired.DELETED:
            self._postpone(leased, str(error), back_off(store.failures), actor)
        else:
            self.work.fail(leased, str(error), actor)

    def _remove(self, leased: Leased, actor: Actor) -> None:
        lease = self.work.renew(leased.lease, seconds=self.lease_seconds)
        self.cluster.remove_namespace(leased.store, lease)
        self.work.record_removal(leased, actor)
        self.events.rollout_started(self.cell)

    def _postpone(
        self, leased: Leased, reason: str, seconds: float, actor: Actor, *, counted: bool = True
    ) -> None:
        jittered = seconds * random.uniform(0.5, 1.5)  # noqa: S311 - spreads retries, guards nothing
        self.work.postpone(leased, reason, seconds=jittered, counted=counted, actor=actor)


def back_off(failures: int) -> float:
    """Seconds to wait after that many failures: 5, 10, 20, … 300."""
    first, most = _BACK_OFF_SECONDS
    return min(most, first * 2.0 ** min(failures, 16))
