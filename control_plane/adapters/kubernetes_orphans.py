"""The namespaces of orphans: labelled, or removed."""

from __future__ import annotations

import time
from uuid import UUID

from control_plane.adapters.kubernetes_api import KubernetesApi, Object
from control_plane.adapters.kubernetes_cluster import QUARANTINED_LABEL, STORE_LABEL
from control_plane.domain.store import namespace_of

_SECONDS = 10.0  # from when the database was asked; a process that was stopped for longer changes nothing


class KubernetesOrphans:
    """The `OrphanNamespaces` port."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api

    def quarantine(self, store_id: UUID) -> None:
        """See the port. Written only if the namespace has not changed since it was read."""
        not_after = time.monotonic() + _SECONDS
        found = self._find(store_id)
        if found and found["metadata"]["labels"].get(QUARANTINED_LABEL) != "true":
            found["metadata"]["labels"][QUARANTINED_LABEL] = "true"
            self._api.replace(_path(store_id), found, not_after=not_after)

    def remove(self, store_id: UUID) -> None:
        """See the port."""
        not_after = time.monotonic() + _SECONDS
        if self._find(store_id):
            self._api.delete(_path(store_id), not_after=not_after)

    def _find(self, store_id: UUID) -> Object | None:
        # Only what says of itself that it is this store's, as what the pass had found did.
        found = self._api.get(_path(store_id))
        labels = found["metadata"].get("labels", {}) if found else {}
        return found if labels.get(STORE_LABEL) == str(store_id) else None


def _path(store_id: UUID) -> str:
    return f"/api/v1/namespaces/{namespace_of(store_id)}"
