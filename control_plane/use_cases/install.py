"""Give a store all that it needs in its cell, in the one order that every prefix can be resumed from."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from control_plane.domain.chart_values import chart_values, release_digest
from control_plane.domain.errors import CredentialsLostError
from control_plane.domain.plans import PLANS, Plan
from control_plane.domain.store import Actor, Lease
from control_plane.ports.cell import Cluster, Credentials, Releases, Secret
from control_plane.ports.messages import Events
from control_plane.ports.work import Leased, Work

log = structlog.get_logger()

LEASE_SECONDS = 30.0  # renewed before every step; each step but Helm's ends well within it
LEASE_MARGIN_SECONDS = 5.0  # between Helm's hard deadline and the end of the lease
ROLLOUT_SECONDS = 15 * 60.0  # pods that are not ready by then are given up


@dataclass(frozen=True)
class Install:
    """The steps, with what they need."""

    work: Work
    cluster: Cluster
    releases: Releases
    credentials: Credentials
    events: Events
    lease_seconds: float = LEASE_SECONDS

    def __call__(self, leased: Leased, actor: Actor) -> None:
        """Hand the row's generation to the cluster and record that. Does not wait for pods.

        Raises what the ports raise.
        """
        store, plan = leased.store, PLANS[leased.store.plan]
        self.work.begin(leased, actor)
        self.cluster.ensure_namespace(store, self._renewed(leased))
        self.cluster.ensure_access(store, self._renewed(leased))
        self.cluster.ensure_quota(store, plan, self._renewed(leased))
        secret = self.cluster.ensure_credentials(store, self.credentials, self._renewed(leased))
        if self.work.record_credentials(leased, secret.uid) != secret.uid:
            raise CredentialsLostError(
                f"the Secret {secret.name} is not the one that the store was installed with: restore that one"
            )
        self._release(leased, plan, secret, actor)
        self.events.rollout_started()

    def _release(self, leased: Leased, plan: Plan, secret: Secret, actor: Actor) -> None:
        store = leased.store
        values = chart_values(store, plan, secret.name)
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
            deadline=ROLLOUT_SECONDS,
            actor=actor,
        )
        log.info("release_applied", store_id=str(store.id), generation=store.generation, revision=revision)

    def _renewed(self, leased: Leased) -> Lease:
        return self.work.renew(leased.lease, seconds=self.lease_seconds)

    def _renewed_for_helm(self, leased: Leased) -> Lease:
        # Whatever happens to this process, Helm is dead before the lease ends.
        return self.work.renew(leased.lease, seconds=self.releases.deadline + LEASE_MARGIN_SECONDS)
