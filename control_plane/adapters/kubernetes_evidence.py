"""Objects of the API server, reduced to what an examination needs of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from control_plane.adapters.helm_releases import DIGEST_LABEL
from control_plane.adapters.kubernetes_api import Object
from control_plane.adapters.kubernetes_cluster import CREDENTIALS, QUARANTINED_LABEL, STORE_LABEL
from control_plane.adapters.kubernetes_workloads import COMPONENT_OF, workload_of
from control_plane.domain.invariants.evidence import Credentials, Namespace, Policy, Quota, Record
from control_plane.domain.invariants.isolation import POD_SECURITY_MODES

_QUOTA = "plan"
_DEFAULT_DENY = "default-deny"
_BOTH_WAYS = {"Ingress", "Egress"}

# A piece of `InCell`: the name of its field and a value, or part of one. None: no evidence of anything.
Piece = tuple[str, Any] | None


def namespace(item: Object) -> Piece:
    """A namespace that is named like a store's."""
    labels = item["metadata"].get("labels", {})
    levels = {
        mode: labels[f"pod-security.kubernetes.io/{mode}"]
        for mode in POD_SECURITY_MODES
        if f"pod-security.kubernetes.io/{mode}" in labels
    }
    terminating = "deletionTimestamp" in item["metadata"]
    quarantined = labels.get(QUARANTINED_LABEL) == "true"
    return "namespace", Namespace(labels.get(STORE_LABEL, ""), terminating, quarantined, levels)


def workload(kind: str) -> Callable[[Object], Piece]:
    """A Deployment or StatefulSet of the chart's."""

    def reduced(item: Object) -> Piece:
        name = item["metadata"]["name"]
        return ("workloads", (name, workload_of(item))) if name == COMPONENT_OF[kind] else None

    return reduced


def record(item: Object) -> Piece:
    """One of Helm's records, without its payload."""
    labels = item["metadata"]["labels"]
    revision = int(labels.get("version", "0"))
    digest = labels.get(DIGEST_LABEL, "")
    return "records", Record(labels.get("name", ""), revision, labels.get("status", ""), digest)


def claim(item: Object) -> Piece:
    """A claim for a volume."""
    return "claims", item["metadata"]["name"]


def quota(item: Object) -> Piece:
    """The plan's ResourceQuota."""
    if item["metadata"]["name"] != _QUOTA:
        return None
    hard = item["spec"].get("hard", {})
    return "quota", Quota(hard, item.get("status", {}).get("hard") == hard)


def network_policy(item: Object) -> Piece:
    """The policy that closes the namespace, if it does."""
    spec = item["spec"]
    closes = (
        item["metadata"]["name"] == _DEFAULT_DENY
        and not any(spec.get("podSelector", {}).values())
        and set(spec.get("policyTypes", [])) == _BOTH_WAYS
        and not spec.get("ingress")
        and not spec.get("egress")
    )
    return ("closed", True) if closes else None


def binding(item: Object) -> Piece:
    """Somebody's rights in the namespace."""
    return "bindings", f"{item['metadata']['name']} to {item['roleRef']['name']}"


def credentials(item: Object) -> Piece:
    """The Secret with the passwords, by its metadata alone. That it is immutable shows in who set which
    field: what is immutable can never be made mutable again."""
    if item["metadata"]["name"] != CREDENTIALS:
        return None
    managers: list[Mapping[str, Any]] = item["metadata"].get("managedFields", [])
    immutable = any("f:immutable" in each.get("fieldsV1", {}) for each in managers)
    return "credentials", Credentials(item["metadata"]["uid"], immutable)


def policy(item: Object, bindings: list[Object]) -> Policy:
    """A ValidatingAdmissionPolicy, with those of these bindings that put it in force everywhere."""
    name, spec = item["metadata"]["name"], item["spec"]
    denying = [each for each in bindings if each["spec"]["policyName"] == name and _denies(each["spec"])]
    fails_closed = spec.get("failurePolicy", "Fail") == "Fail"
    return Policy(name, fails_closed, bool(denying), len(spec.get("validations", [])))


def _denies(binding: Object) -> bool:
    matched = binding.get("matchResources", {})
    narrowed = any(matched.get(each) for each in ("namespaceSelector", "objectSelector", "resourceRules"))
    return "Deny" in binding.get("validationActions", []) and not narrowed
