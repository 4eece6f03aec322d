"""What must stand between a store's pods and everybody else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from control_plane.domain.invariants import catalogue
from control_plane.domain.invariants.evidence import InCell, Policy, Row
from control_plane.domain.invariants.findings import Finding
from control_plane.domain.invariants.rows import together
from control_plane.domain.plans import Plan

POD_SECURITY = "restricted"
POD_SECURITY_MODES = ("enforce", "warn", "audit")
ACCESS = "provision to urumi-store"  # the one RoleBinding
# The platform chart's admission policies.
POLICIES = (
    "urumi-access",
    "urumi-accounts",
    "urumi-claims",
    "urumi-ingresses",
    "urumi-namespaces",
    "urumi-secrets",
    "urumi-services",
    "urumi-workloads",
)


def judge_isolation(row: Row, seen: InCell, plans: Mapping[str, Plan]) -> Iterator[Finding]:
    """What is missing around the pods of this store. Before it has any workload, its labels alone count."""
    yield from together(row, catalogue.ISOLATION_STANDS, _missing(row, seen, plans))


def judge_rights(policies: Mapping[str, Policy]) -> Iterator[Finding]:
    """Which admission policies of ours are not in force."""
    for name in POLICIES:
        policy = policies.get(name)
        if policy is None:
            told = "missing"
        elif not policy.fails_closed:
            told = "its failurePolicy is not Fail"
        elif not policy.denies:
            told = "no binding that denies"
        elif not policy.validations:
            told = "it validates nothing"
        else:
            continue
        yield Finding(catalogue.RIGHTS_STAND, f"policy {name}", told, "in force, failing closed, denying")


def _missing(row: Row, seen: InCell, plans: Mapping[str, Plan]) -> Iterator[tuple[str, str]]:
    if seen.namespace and (loose := _loose_modes(seen.namespace.pod_security)):
        yield f"Pod Security {loose}", POD_SECURITY
    if seen.workloads:
        yield from _around_pods(row, seen, plans.get(row.plan))


def _loose_modes(levels: Mapping[str, str]) -> str:
    loose = [mode for mode in POD_SECURITY_MODES if levels.get(mode) != POD_SECURITY]
    return ", ".join(f"{mode}={levels.get(mode) or 'unset'}" for mode in loose)


def _around_pods(row: Row, seen: InCell, plan: Plan | None) -> Iterator[tuple[str, str]]:
    # A plan that says something else than when the release was made reaches its stores a few at a time.
    current = plan is not None and (row.made_with or "").startswith(plan.digest)
    if seen.quota is None:
        yield "no quota `plan`", f"that of the plan {row.plan}"
    elif not seen.quota.in_force:
        yield "the quota is not in force", "in force"
    elif row.applied and plan and current and dict(seen.quota.hard) != dict(plan.quota):
        yield "the quota has other numbers", f"those of the plan {row.plan}"
    if not seen.closed:
        yield "no NetworkPolicy that denies by default", "default-deny, both ways"
    if list(seen.bindings) != [ACCESS]:
        yield f"rights: {', '.join(sorted(seen.bindings)) or 'none'}", ACCESS
