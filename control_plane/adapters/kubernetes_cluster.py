"""What provision makes in a cell before Helm: namespace, access, quota and credentials."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping

from control_plane.adapters.kubernetes_api import ConflictError, KubernetesApi, NotYetError, Object
from control_plane.domain.errors import CredentialsLostError, TemporaryError
from control_plane.domain.plans import Plan
from control_plane.domain.store import Lease, Store
from control_plane.ports.cell import Credentials, Secret

STORE_LABEL = "urumi.dev/store"
QUARANTINED_LABEL = "urumi.dev/quarantined"
_POD_SECURITY = "pod-security.kubernetes.io"
_POD_SECURITY_VERSION = "v1.36"  # pinned: a newer cluster must not change what a store's pods may do
CREDENTIALS = "store-credentials-1"
ADMIN_PASSWORD = "admin-password"  # noqa: S105 - a key of the Secret
STORE_ROLE = "urumi-store"  # of the platform chart: what provision may do inside a store's namespace
_ACCESS = "provision"
_QUOTA = "plan"
_HARMLESS = {"count/configmaps": "1000"}  # changes a quota, and bounds nothing that a store has
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
        """See the port. Its controller counts what is there whenever the numbers of a quota change."""
        quotas = f"/api/v1/namespaces/{store.namespace}/resourcequotas"
        hard = dict(plan.quota)
        wanted = {"metadata": {"name": _QUOTA, "labels": _labels(store)}, "spec": {"hard": hard}}
        self._created(quotas, wanted, lease)
        if store.failures:
            self._counted(f"{quotas}/{_QUOTA}", {**hard, **_HARMLESS}, lease)
        self._counted(f"{quotas}/{_QUOTA}", hard, lease)
        self._until(lambda: self._admits(store), "the quota is not in force yet")

    def _admits(self, store: Store) -> bool:
        """Whether the admission knows the quota's numbers too: it reads them a moment later."""
        secrets = f"/api/v1/namespaces/{store.namespace}/secrets?dryRun=All"
        try:
            self._api.create(secrets, _secret(store, CREDENTIALS, {}))
        except ConflictError:
            return True
        except NotYetError:
            return False
        return True

    def _counted(self, path: str, hard: Mapping[str, str], lease: Lease) -> None:
        """Set a quota's numbers and wait until its controller has counted by them."""

        def counted() -> bool:
            found = self._api.get(path)
            if found is not None and found["spec"]["hard"] != hard:
                found = self._api.replace(path, {**found, "spec": {"hard": hard}}, not_after=lease.ends)
            return found is not None and found.get("status", {}).get("hard") == found["spec"]["hard"]

        self._until(counted, "the quota is not in force yet")

    def ensure_credentials(self, store: Store, credentials: Credentials, lease: Lease) -> Secret:
        """See the port. What is there is never read and never changed."""
        secrets = f"/api/v1/namespaces/{store.namespace}/secrets"
        found = self._api.metadata(f"{secrets}/{CREDENTIALS}")
        if found is None and store.credentials_uid:
            raise CredentialsLostError(f"the Secret {CREDENTIALS} with its passwords is gone: restore it")
        if found is None:
            found = self._api.create(
                secrets, _secret(store, CREDENTIALS, credentials.fresh()), not_after=lease.ends
            )
        return Secret(CREDENTIALS, found["metadata"]["uid"])

    def ensure_reset_password(self, store: Store, credentials: Credentials, lease: Lease) -> str:
        """See the port. The one before is kept: the pods that run were started with it."""
        secrets = f"/api/v1/namespaces/{store.namespace}/secrets"
        name = _reset(store.admin_number)
        if self._api.metadata(f"{secrets}/{name}") is None:
            password = {ADMIN_PASSWORD: credentials.fresh()[ADMIN_PASSWORD]}
            self._created(secrets, _secret(store, name, password), lease)
        self._api.delete(f"{secrets}/{_reset(store.admin_number - 2)}", not_after=lease.ends)
        return name

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


def _reset(number: int) -> str:
    return f"store-admin-{number}"


def _secret(store: Store, name: str, values: Mapping[str, str]) -> Object:
    return {
        "metadata": {"name": name, "labels": _labels(store)},
        "type": "Opaque",
        "immutable": True,
        "data": _encoded(values),
    }


def _labels(store: Store) -> dict[str, str]:
    return {STORE_LABEL: str(store.id), "app.kubernetes.io/managed-by": "urumi"}


def _encoded(values: Mapping[str, str]) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
