"""What provision makes in a cell before Helm: namespace, quota and credentials."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping

from control_plane.adapters.kubernetes_api import ConflictError, KubernetesApi, Object
from control_plane.domain.errors import TemporaryError
from control_plane.domain.plans import Plan
from control_plane.domain.store import Store
from control_plane.ports.cell import Credentials

STORE_LABEL = "urumi.dev/store"
_POD_SECURITY = "pod-security.kubernetes.io"
_POD_SECURITY_VERSION = "v1.36"  # pinned: a newer cluster must not change what a store's pods may do
_CREDENTIALS = "store-credentials-1"
_QUOTA = "plan"
_QUOTA_SECONDS = 10.0


class KubernetesCluster:
    """The `Cluster` port."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api

    def ensure_namespace(self, store: Store) -> None:
        """See the port."""
        labels = {STORE_LABEL: str(store.id), "urumi.dev/customer": str(store.customer_id)}
        for mode in ("enforce", "warn", "audit"):
            labels[f"{_POD_SECURITY}/{mode}"] = "restricted"
            labels[f"{_POD_SECURITY}/{mode}-version"] = _POD_SECURITY_VERSION
        namespace = {"metadata": {"name": store.namespace, "labels": labels}}
        if self._created("/api/v1/namespaces", namespace):
            return
        path = f"/api/v1/namespaces/{store.namespace}"
        found = self._api.get(path)
        if found is None or found["metadata"].get("deletionTimestamp"):
            raise TemporaryError(f"the namespace {store.namespace} is still being removed")
        has = found["metadata"].get("labels", {})
        if labels.items() - has.items():
            found["metadata"]["labels"] = {**has, **labels}
            self._api.replace(path, found)

    def ensure_quota(self, store: Store, plan: Plan) -> None:
        """See the port. A quota counts only once its controller has filled in `status.hard`."""
        quotas = f"/api/v1/namespaces/{store.namespace}/resourcequotas"
        wanted = {"metadata": {"name": _QUOTA, "labels": _labels(store)}, "spec": {"hard": dict(plan.quota)}}
        self._created(quotas, wanted)
        give_up = time.monotonic() + _QUOTA_SECONDS
        pause = 0.02
        while True:
            found = self._api.get(f"{quotas}/{_QUOTA}")
            if found is not None and found["spec"]["hard"] != wanted["spec"]["hard"]:  # type: ignore[index]
                found = self._api.replace(f"{quotas}/{_QUOTA}", {**found, "spec": wanted["spec"]})
            if found is not None and found.get("status", {}).get("hard") == found["spec"]["hard"]:
                return
            if time.monotonic() > give_up:
                raise TemporaryError("the quota is not in force yet")
            time.sleep(pause)
            pause = min(2 * pause, 0.5)

    def ensure_credentials(self, store: Store, credentials: Credentials) -> str:
        """See the port. What is there is never read and never changed."""
        secrets = f"/api/v1/namespaces/{store.namespace}/secrets"
        secret = {
            "metadata": {"name": _CREDENTIALS, "labels": _labels(store)},
            "type": "Opaque",
            "immutable": True,
            "data": _encoded(credentials.fresh()),
        }
        self._created(secrets, secret)
        return _CREDENTIALS

    def remove_namespace(self, store: Store) -> None:
        """See the port."""
        self._api.delete(f"/api/v1/namespaces/{store.namespace}")

    def _created(self, path: str, body: Object) -> bool:
        try:
            self._api.create(path, body)
        except ConflictError:
            return False
        return True


def _labels(store: Store) -> dict[str, str]:
    return {STORE_LABEL: str(store.id), "app.kubernetes.io/managed-by": "urumi"}


def _encoded(values: Mapping[str, str]) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
