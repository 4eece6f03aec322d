"""Why a store's pods are not ready, read from the cluster and said for people."""

from __future__ import annotations

from collections.abc import Iterator

from control_plane.adapters.kubernetes_api import KubernetesApi, Object

_COMPONENT = "app.kubernetes.io/component"
_ORDINARY = {"ContainerCreating", "PodInitializing"}  # waiting for nothing in particular
_LENGTH = 400  # characters


def diagnose(api: KubernetesApi, namespace: str) -> str:
    """One line for each thing that is wrong, or that nothing particular is."""
    findings = [*_workloads(api, namespace), *_pods(api, namespace)]
    return "; ".join(dict.fromkeys(findings))[:_LENGTH] or "no pod tells why"


def _workloads(api: KubernetesApi, namespace: str) -> Iterator[str]:
    # A pod that was refused (quota, Pod Security) does not exist: only its owner knows why.
    deployment = api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/storefront") or {}
    for condition in deployment.get("status", {}).get("conditions", []):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            yield f"storefront: {_quota_first(condition.get('message', 'its pods are refused'))}"
    if not api.get(f"/apis/apps/v1/namespaces/{namespace}/statefulsets/database"):
        yield "database: missing"
    if not deployment:
        yield "storefront: missing"


def _quota_first(message: str) -> str:
    return f"quota exceeded: {message}" if "exceeded quota" in message else message


def _pods(api: KubernetesApi, namespace: str) -> Iterator[str]:
    for page in api.pages(f"/api/v1/namespaces/{namespace}/pods", selector=_COMPONENT):
        for pod in page["items"]:
            component = pod["metadata"]["labels"][_COMPONENT]
            yield from (f"{component}: {finding}" for finding in _pod(pod))


def _pod(pod: Object) -> Iterator[str]:
    status = pod.get("status", {})
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield condition.get("message") or "not scheduled"
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        waiting = container.get("state", {}).get("waiting", {})
        ended = container.get("lastState", {}).get("terminated", {})
        if waiting.get("reason", "ContainerCreating") not in _ORDINARY:
            yield f"{waiting['reason']} ({container['name']}) {waiting.get('message', '')}".strip()
        elif ended:
            yield f"{container['name']} ended with {ended.get('reason', 'Error')}, code {ended['exitCode']}"
        elif not container.get("ready") and "running" in container.get("state", {}):
            yield f"{container['name']} runs but is not ready"
