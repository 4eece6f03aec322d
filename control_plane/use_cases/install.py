"""Give a store all that it needs in its cell, in the one order that every prefix can be resumed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from control_plane.domain.chart_values import chart_values, made_with, release_digest
from control_plane.domain.errors import CredentialsLostError, PermanentError
from control_plane.domain.plans import Plan
from control_plane.domain.store import Actor, Lease
from control_plane.ports.cell import Cluster, Credentials, Releases, Secret
from control_plane.ports.work import Leased, Vault, Work

log = structlog.get_logger()

LEASE_SECONDS = 30.0  # renewed before every step; each step but Helm's ends well within it
LEASE_MARGIN_SECONDS = 5.0  # between Helm's hard deadline and the end of the lease
ROLLOUT_SECONDS = 15 * 60.0  # pods that are not ready by then are given up
FIRST = 1  # of the administrator's passwords: it stands among the store's credentials

_ADMIN = "admin-password"


@dataclass(frozen=True)
class _Sealed:
    """The source of a store's passwords; the administrator's is kept for its owner before it is used."""

    credentials: Credentials
    vault: Vault
    leased: Leased

    def fresh(self) -> Mapping[str, str]:
        """See `Credentials`. With the newest administrator's password, which is the same at each try."""
        made = self.credentials.fresh()
        return {**made, _ADMIN: self.vault.keep(self.leased, self.leased.store.admin_number, made[_ADMIN])}


@dataclass(frozen=True)
class Install:
    """The steps, with what they need."""

    work: Work
    cluster: Cluster
    releases: Releases
    credentials: Credentials
    vault: Vault
    plans: Mapping[str, Plan]
    lease_seconds: float = LEASE_SECONDS
    cell_values: Mapping[str, Any] = field(default_factory=dict)  # what all stores of the cell share

    def __call__(self, leased: Leased, actor: Actor) -> None:
        """Hand the row's generation to the cluster and record that. Does not wait for pods.

        Raises what the ports raise.
        """
        store, plan = leased.store, self.plans.get(leased.store.plan)
        self.work.begin(leased, actor)
        if plan is None:
            raise PermanentError(f"there is no plan {store.plan!r} any more: choose another one")
        self.cluster.ensure_namespace(store, self._renewed(leased))
        self.cluster.ensure_access(store, self._renewed(leased))
        self.cluster.ensure_quota(store, plan, self._renewed(leased))
        sealed = _Sealed(self.credentials, self.vault, leased)
        secret = self.cluster.ensure_credentials(store, sealed, self._renewed(leased))
        if self.work.record_credentials(leased, secret.uid) != secret.uid:
            raise CredentialsLostError(
                f"the Secret {secret.name} is not the one that the store was installed with: restore that one"
            )
        reset = ""
        if store.admin_number > FIRST:
            reset = self.cluster.ensure_reset_password(store, sealed, self._renewed(leased))
        self._release(leased, plan, secret, reset, actor)

    def _release(self, leased: Leased, plan: Plan, secret: Secret, reset: str, actor: Actor) -> None:
        store = leased.store
        values = chart_values(store, plan, secret.name, self.cell_values, admin_secret=reset)
        digest = release_digest(self.releases.chart_version, values)
        if self.releases.locked(store):
            self.work.record_freeing(leased, actor)
            self.releases.free(store, self._renewed_for_helm(leased))
        revision = self.releases.apply(store, values, digest, self._renewed_for_helm(leased))
        self.work.record_release(
            leased,
            revision=revision,
            digest=digest,
            chart_version=self.releases.chart_version,
            made_with=made_with(plan, self.cell_values),
            deadline=ROLLOUT_SECONDS,
            actor=actor,
        )
        log.info("release_applied", store_id=str(store.id), generation=store.generation, revision=revision)

    def _renewed(self, leased: Leased) -> Lease:
        return self.work.renew(leased.lease, seconds=self.lease_seconds)

    def _renewed_for_helm(self, leased: Leased) -> Lease:
        # Whatever happens to this process, Helm is dead before the lease ends.
        return self.work.renew(leased.lease, seconds=self.releases.deadline + LEASE_MARGIN_SECONDS)
