"""Helm's own records of a release: Secrets in the release's namespace.

Helm takes a `pending-*` status as a lock and never frees one that a killed Helm has left.
Its state is read from the labels of the newest record; freeing it means that this record
says `failed`, in the label and in the payload, written by compare-and-swap on its
resourceVersion. That is safe only under the store's lease.
"""

from __future__ import annotations

import base64
import gzip
import json
from enum import Enum, auto

from control_plane.adapters.kubernetes_api import KubernetesApi, Object
from control_plane.domain.errors import TemporaryError

MARKED = "marked failed: the Helm process that held it is dead"


class Status(Enum):
    """What has to happen before an upgrade can."""

    FREE = auto()
    PENDING = auto()
    UNINSTALLING = auto()


class HelmRecords:
    """The records of releases that are named like their namespace."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api

    def status(self, name: str) -> Status:
        """What the newest record says; FREE if there is none."""
        newest = self._newest(name)
        label = newest["metadata"]["labels"].get("status", "") if newest else ""
        if label.startswith("pending-"):
            return Status.PENDING
        return Status.UNINSTALLING if label == "uninstalling" else Status.FREE

    def mark_failed(self, name: str, *, not_after: float) -> None:
        """Free the release. Raises ConflictError if the record changed since it was read.

        Nothing is sent after `not_after` on the monotonic clock: LeaseLostError.
        """
        record = self._newest(name)
        if record is None:
            raise TemporaryError(f"the release {name} has no record any more")
        release = _release(record)
        release["info"]["status"] = "failed"
        release["info"]["description"] = MARKED
        payload = base64.b64encode(gzip.compress(json.dumps(release).encode()))
        record["data"]["release"] = base64.b64encode(payload).decode()
        record["metadata"]["labels"]["status"] = "failed"
        self._api.replace(f"{_secrets(name)}/{record['metadata']['name']}", record, not_after=not_after)

    def _newest(self, name: str) -> Object | None:
        selector = f"owner=helm,name={name}"
        pages = self._api.pages(_secrets(name), selector=selector)
        records: list[Object] = [item for page in pages for item in page["items"]]
        return max(records, key=lambda each: int(each["metadata"]["labels"]["version"]), default=None)


def marked(record: Object) -> bool:
    """Whether this record says failed because `mark_failed` wrote it."""
    return bool(_release(record)["info"].get("description") == MARKED)


def _release(record: Object) -> Object:
    packed = base64.b64decode(base64.b64decode(record["data"]["release"]))
    release: Object = json.loads(gzip.decompress(packed))
    return release


def _secrets(name: str) -> str:
    return f"/api/v1/namespaces/{name}/secrets"
