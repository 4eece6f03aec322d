"""What reconcile sees of a cell: the workloads and namespaces of all stores, as they change.

Each watched kind has a thread that reads its stream into one queue. Objects are reduced to
what a judgement needs as they come in. Only what changed is read, whatever the cell's size.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import UUID

from control_plane.adapters.kubernetes_api import ExpiredError, KubernetesApi, Object, Watch
from control_plane.adapters.kubernetes_cluster import STORE_LABEL
from control_plane.adapters.kubernetes_diagnosis import diagnose
from control_plane.domain.rollout import NamespaceState, Observation, Workload
from control_plane.domain.store import namespace_of
from control_plane.ports.fleet import Changes, Watermark

_GENERATION = "urumi.dev/generation"
_PATHS = {
    "deployments": "/apis/apps/v1/deployments",
    "statefulsets": "/apis/apps/v1/statefulsets",
    "namespaces": "/api/v1/namespaces",
}
COMPONENT_OF = {"deployments": "storefront", "statefulsets": "database"}
_WATCH_SECONDS = 300  # longer than any pass: a pass closes its streams itself
_MANY = 150  # from this many unknown objects on, a LIST of all is cheaper than their GETs


@dataclass(frozen=True)
class _Seen:
    """One object of one store at one version; `what` is None once it is gone."""

    kind: str
    version: int
    store_id: UUID | None  # None: nothing but the version is told (a bookmark)
    what: Workload | Observation | None


@dataclass(frozen=True)
class _Ended:
    """A kind's stream ended: in good order, because its version was too old, or by an error."""

    kind: str
    error: Exception | None


class KubernetesWorkloads:
    """The `Workloads` port."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api

    @contextmanager
    def changes(self, since: Watermark | None) -> Iterator[Changes]:
        """See the port."""
        changes = KubernetesChanges(self._api)
        try:
            changes.start(since)
            yield changes
        finally:
            changes.close()

    def diagnose(self, store_id: UUID) -> str:
        """See the port."""
        return diagnose(self._api, namespace_of(store_id))


class KubernetesChanges:
    """The `Changes` port: one pass's view of the cell."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api
        self._queue: queue.Queue[_Seen | _Ended] = queue.Queue()
        self._watches: dict[str, Watch] = {}
        self._lock = threading.Lock()  # of _watches and _closed
        self._closed = False
        self._known: dict[tuple[str, UUID], _Seen] = {}
        self._versions: dict[str, int] = {}
        self._changed: set[UUID] = set()
        self._anew = False

    def start(self, since: Watermark | None) -> None:
        """Listen from there on; from None, look at everything first."""
        for kind in _PATHS:
            if since is None:
                self._list(kind)
            else:
                self._versions[kind] = int(since.versions[kind])
        for kind in _PATHS:
            self._listen(kind)

    @property
    def watermark(self) -> Watermark:
        """See the port."""
        return Watermark({kind: str(version) for kind, version in self._versions.items()})

    @property
    def namespaces(self) -> frozenset[UUID]:
        """See the port."""
        return frozenset(
            store_id for (kind, store_id), seen in self._known.items() if kind == "namespaces" and seen.what
        )

    def wait(self, seconds: float) -> frozenset[UUID] | None:
        """See the port."""
        give_up = time.monotonic() + seconds
        while True:
            left = 0.0 if self._changed or self._anew else give_up - time.monotonic()
            try:
                item = self._queue.get(timeout=left) if left > 0 else self._queue.get_nowait()
            except queue.Empty:
                changed, anew = frozenset(self._changed), self._anew
                self._changed, self._anew = set(), False
                return None if anew else changed
            if isinstance(item, _Seen):
                self._versions[item.kind] = max(item.version, self._versions[item.kind])
                self._note(item)
            else:
                self._resume(item)

    def look(self, store_ids: Sequence[UUID]) -> Mapping[UUID, Observation]:
        """See the port. What no event has told yet is asked for."""
        missing = [(kind, each) for each in store_ids for kind in _PATHS if (kind, each) not in self._known]
        if len(missing) >= _MANY:
            for kind in _PATHS:
                self._list(kind)
            for kind, store_id in missing:
                self._known.setdefault((kind, store_id), _Seen(kind, 0, store_id, None))
        else:
            for kind, store_id in missing:
                self._note(self._get(kind, store_id))
        return {store_id: self._observation(store_id) for store_id in store_ids}

    def close(self) -> None:
        """Stop listening."""
        with self._lock:
            self._closed = True
            for watch in self._watches.values():
                watch.close()

    def _note(self, seen: _Seen) -> None:
        # Events of the past may come after a newer answer to a question: those are no news.
        if seen.store_id is None:
            return
        before = self._known.get((seen.kind, seen.store_id))
        if before is None or before.version <= seen.version:
            self._known[seen.kind, seen.store_id] = seen
            self._changed.add(seen.store_id)

    def _list(self, kind: str) -> None:
        listed: set[UUID] = set()
        for page in self._api.pages(_PATHS[kind], selector=STORE_LABEL):
            version = int(page["metadata"]["resourceVersion"])
            for item in page["items"]:
                seen = _seen(kind, item)
                if seen.store_id:
                    listed.add(seen.store_id)
                    self._note(seen)
        self._versions[kind] = max(version, self._versions.get(kind, 0))
        for known_kind, store_id in list(self._known):
            if known_kind == kind and store_id not in listed:
                self._note(_Seen(kind, version, store_id, None))
        self._anew = True

    def _get(self, kind: str, store_id: UUID) -> _Seen:
        namespace = namespace_of(store_id)
        found = (
            self._api.get(f"{_PATHS[kind]}/{namespace}")
            if kind == "namespaces"
            else self._api.get(f"/apis/apps/v1/namespaces/{namespace}/{kind}/{COMPONENT_OF[kind]}")
        )
        if found is None:
            return _Seen(kind, 0, store_id, None)
        # Asked for by name, so it is the store's, whatever became of its labels.
        return _Seen(kind, int(found["metadata"]["resourceVersion"]), store_id, _reduced(kind, found))

    def _listen(self, kind: str) -> None:
        version = str(self._versions[kind])
        threading.Thread(target=self._follow, args=(kind, version), daemon=True, name=f"watch-{kind}").start()

    def _follow(self, kind: str, version: str) -> None:
        ended: Exception | None = None
        try:
            watch = self._api.watch(
                _PATHS[kind], selector=STORE_LABEL, version=version, seconds=_WATCH_SECONDS
            )
            with self._lock:
                self._watches[kind] = watch
                if self._closed:
                    watch.close()
            for event in watch:
                self._queue.put(_seen(kind, event["object"], event["type"]))
        except Exception as error:  # noqa: BLE001 - told to the pass, which is another thread
            ended = error
        self._queue.put(_Ended(kind, ended))

    def _resume(self, ended: _Ended) -> None:
        if isinstance(ended.error, ExpiredError):
            self._list(ended.kind)
        elif ended.error:
            raise ended.error
        self._listen(ended.kind)

    def _observation(self, store_id: UUID) -> Observation:
        seen = {kind: self._known[kind, store_id].what for kind in _PATHS}
        namespace = seen["namespaces"]
        workloads = {COMPONENT_OF[kind]: what for kind, what in seen.items() if isinstance(what, Workload)}
        if not isinstance(namespace, Observation):
            return Observation(NamespaceState.GONE, workloads)
        return replace(namespace, workloads=workloads)


def _seen(kind: str, item: Object, event: str = "LISTED") -> _Seen:
    version = int(item["metadata"]["resourceVersion"])
    try:
        store_id = UUID(item["metadata"]["labels"][STORE_LABEL])
    except (KeyError, ValueError):
        return _Seen(kind, version, None, None)  # a bookmark, or somebody else's use of our label
    ours = namespace_of(store_id), COMPONENT_OF.get(kind, namespace_of(store_id))
    if (item["metadata"].get("namespace", ours[0]), item["metadata"]["name"]) != ours:
        return _Seen(kind, version, None, None)
    if event == "DELETED":
        return _Seen(kind, version, store_id, None)
    return _Seen(kind, version, store_id, _reduced(kind, item))


def _reduced(kind: str, item: Object) -> Workload | Observation:
    return _namespace(item) if kind == "namespaces" else workload_of(item)


def _namespace(item: Object) -> Observation:
    if not item["metadata"].get("deletionTimestamp"):
        return Observation(NamespaceState.ACTIVE, {})
    conditions = item.get("status", {}).get("conditions", [])
    messages = [each.get("message", each["type"]) for each in conditions if each["status"] == "True"]
    detail = f"still being removed: {'; '.join(messages)}"[:500] if messages else ""
    return Observation(NamespaceState.TERMINATING, {}, detail)


def workload_of(item: Object) -> Workload:
    """The generation stamped on a Deployment or StatefulSet, and whether that is rolled out."""
    metadata, spec, status = item["metadata"], item["spec"], item.get("status", {})
    wanted = spec.get("replicas", 1)
    counts = [
        status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    ]
    rolled_out = (
        status.get("observedGeneration", 0) >= metadata["generation"]
        and all(count == wanted for count in counts)
        and status.get("currentRevision") == status.get("updateRevision")
        and not metadata.get("deletionTimestamp")
    )
    stamp = metadata.get("annotations", {}).get(_GENERATION, "")
    generation = int(stamp) if stamp.isascii() and stamp.isdigit() else 0
    return Workload(generation, rolled_out, f"{status.get('readyReplicas', 0)} of {wanted} pods ready")
