"""What a customer pays for: quota, storage and the limits of each component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Quantities = Mapping[str, str]  # resource name -> Kubernetes quantity, as "750m" or "1Gi"


@dataclass(frozen=True)
class Container:
    """What one container asks for and may use at most."""

    requests: Quantities
    limits: Quantities

    def as_values(self) -> dict[str, dict[str, str]]:
        """The chart's `resources` value."""
        return {"requests": dict(self.requests), "limits": dict(self.limits)}


@dataclass(frozen=True)
class Plan:
    """One plan. The quota is the wall; the containers' limits leave room in it for a rollout."""

    name: str
    quota: Quantities
    content_storage: str
    database_storage: str
    web: Container
    agent: Container
    database: Container


def _container(cpu: str, memory: str, max_cpu: str, max_memory: str, scratch: str) -> Container:
    return Container(
        requests={"cpu": cpu, "memory": memory, "ephemeral-storage": scratch},
        limits={"cpu": max_cpu, "memory": max_memory, "ephemeral-storage": scratch},
    )


STANDARD = Plan(
    name="standard",
    quota={
        "limits.cpu": "4",
        "limits.memory": "4Gi",
        "pods": "10",
        "persistentvolumeclaims": "2",
        "requests.storage": "20Gi",
        "services": "2",
        "services.loadbalancers": "0",
        "services.nodeports": "0",
        "count/jobs.batch": "4",
        "count/secrets": "20",
        "count/ingresses.networking.k8s.io": "2",
    },
    content_storage="10Gi",
    database_storage="10Gi",
    # An idle store uses 130 to 200 MB in all: requests follow that, limits are what it may burst to.
    web=_container("100m", "128Mi", "750m", "768Mi", "1Gi"),
    agent=_container("25m", "64Mi", "250m", "256Mi", "256Mi"),
    database=_container("100m", "192Mi", "1", "1Gi", "1Gi"),
)

PLANS: Mapping[str, Plan] = {plan.name: plan for plan in (STANDARD,)}
