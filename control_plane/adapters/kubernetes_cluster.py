"""What provision makes in a cell before Helm: namespace, access, quota and credentials."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping

from control_plane.adapters.kubernetes_api import ConflictError, KubernetesApi, Object
from control_plane.domain.errors import CredentialsLostError, TemporaryError
from control_plane.domain.plans import Plan
from control_plane.domain.store import Lease, Store
from control_plane.ports.cell import Credentials, Secret

STORE_LABEL = "urumi.dev/store"
QUARANTINED_LABEL = "urumi.dev/quarantined"
_POD_SECURITY = "pod-security.kubernetes.io"
_POD_SECURITY_VERSION = "v1.36"  # pinned: a newer cluster must not change what a store's pods may do
CREDENTIALS = "store-credentials-1"
STORE_ROLE = "urumi-store"  # of the platform chart: what provision may do inside a store's namespace
_ACCESS = "provision"
_QUOTA = "plan"
_RBAC = "rbac.authorization.k8s.io"
_MAY_I = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_PATIENCE_SECONDS = 10.0


class KubernetesCluster:
    """The `Cluster` port."""

    def __init__(self, api: KubernetesApi, identity: Mapping[str, str]) -> None:
        """`identity` is who this process is in the cell, as the subject of a RoleBinding."""
        self._api = api
        self._identity = identity

    def ensure_namespace(self, store: Store, lease: Lease) -> None:
        """See the port."""
        labels = {STORE_LABEL: str(store.id), "urumi.dev/customer": str(store.customer_id)}
        for mode in ("enforce", "warn", "audit"):
            labels[f"{_POD_SECURITY}/{mode}"] = "restricted"
            labels[f"{_POD_SECURITY}/{mode}-version"] = _POD_SECURITY_VERSION
        namespace = {"metadata": {"name": store.namespace, "labels": labels}}
        if self._created("/api/v1/namespaces", namespace, lease):
            return
        path = f"/api/v1/namespaces/{store.namespace}"
        found = self._api.get(path)
        if found is None or found["metadata"].get("deletionTimestamp"):
            raise TemporaryError(f"the namespace {store.namespace} is still being removed")
        has = found["metadata"].get("labels", {})
        if labels.items() - has.items():
            found["metadata"]["labels"] = {**has, **labels}
            self._api.replace(path, found, not_after=lease.ends)

    def ensure_access(self, store: Store, lease: Lease) -> None:
        """See the port. Rights follow from a RoleBinding; authorizers hear of it a moment later."""
        namespace = store.namespace
        binding = {
            "metadata": {"name": _ACCESS, "labels": _labels(store)},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": STORE_ROLE},
            "subjects": [dict(self._identity)],
        }
        if not self._created(f"/apis/{_RBAC}/v1/namespaces/{namespace}/rolebindings", binding, lease):
            return
        question = {"resource": "secrets", "verb": "create", "namespace": namespace}
        review = {"spec": {"resourceAttributes": question}}

        def in_force() -> bool:
            return bool(self._api.create(_MAY_I, review)["status"]["allowed"])

        self._until(in_force, "access to the namespace is not in force yet")

    def ensure_quota(self, store: Store, plan: Plan, lease: Lease) -> None:
        """See the port. A quota counts only once its controller has filled in `status.hard`."""
        quotas = f"/api/v1/namespaces/{store.namespace}/resourcequotas"
        wanted = {"metadata": {"name": _QUOTA, "labels": _labels(store)}, "spec": {"hard": dict(plan.quota)}}
        self._created(quotas, wanted, lease)

        def in_force() -> bool:
            found = self._api.get(f"{quotas}/{_QUOTA}")
            if found is not None and found["spec"]["hard"] != wanted["spec"]["hard"]:  # type: ignore[index]
                changed = {**found, "spec": wanted["spec"]}
                found = self._api.replace(f"{quotas}/{_QUOTA}", changed, not_after=lease.ends)
            return found is not None and found.get("status", {}).get("hard") == found["spec"]["hard"]

        self._until(in_force, "the quota is not in force yet")

    def ensure_credentials(self, store: Store, credentials: Credentials, lease: Lease) -> Secret:
        """See the port. What is there is never read and never changed."""
        secrets = f"/api/v1/namespaces/{store.namespace}/secrets"
        found = self._api.metadata(f"{secrets}/{CREDENTIALS}")
        if found is None and store.credentials_uid:
            raise CredentialsLostError(f"the Secret {CREDENTIALS} with its passwords is gone: restore it")
        if found is None:
            secret = {
                "metadata": {"name": CREDENTIALS, "labels": _labels(store)},
                "type": "Opaque",
                "immutable": True,
                "data": _encoded(credentials.fresh()),
            }
            found = self._api.create(secrets, secret, not_after=lease.ends)
        return Secret(CREDENTIALS, found["metadata"]["uid"])

    def remove_namespace(self, store: Store, lease: Lease) -> None:
        """See the port."""
        self._api.delete(f"/api/v1/namespaces/{store.namespace}", not_after=lease.ends)

    def _created(self, path: str, body: Object, lease: Lease) -> bool:
        try:
            self._api.create(path, body, not_after=lease.ends)
        except ConflictError:
            return False
        return True

    def _until(self, holds: Callable[[], bool], otherwise: str) -> None:
        """Ask until it holds. Raises TemporaryError with `otherwise` when that takes too long."""
        give_up, pause = time.monotonic() + _PATIENCE_SECONDS, 0.02
        while not holds():
            if time.monotonic() > give_up:
                raise TemporaryError(otherwise)
            time.sleep(pause)
            pause = min(2 * pause, 0.5)


def _labels(store: Store) -> dict[str, str]:
    return {STORE_LABEL: str(store.id), "app.kubernetes.io/managed-by": "urumi"}


def _encoded(values: Mapping[str, str]) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
