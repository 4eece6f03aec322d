"""One cluster with Helm, in memory: the `Cluster`, `Releases` and `Workloads` ports over one cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

from control_plane.domain.errors import (
    CellUnreachableError,
    CredentialsLostError,
    LeaseLostError,
    TemporaryError,
)
from control_plane.domain.plans import Plan
from control_plane.domain.rollout import COMPONENTS, NamespaceState, Observation, Workload
from control_plane.domain.store import Lease, Store
from control_plane.ports.cell import Credentials, Secret
from control_plane.ports.fleet import Changes, Watermark
from tests.fakes.clock import FakeClock


@dataclass
class Namespace:
    """All that the cell has of one store."""

    store_id: UUID
    quota: Mapping[str, str] | None = None
    access: bool = False
    secret: Mapping[str, str] | None = None
    secret_uid: str = ""
    resets: dict[int, str] = field(default_factory=dict)  # administrator's passwords after the first
    quarantined: bool = False
    locked: bool = False  # by a Helm that is dead
    revision: int = 0
    digest: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    seen: Observation = field(default_factory=lambda: Observation(NamespaceState.ACTIVE, {}))


_GONE = Observation(NamespaceState.GONE, {})


class FakeCell:
    """What is in the cell, and what a test does to it."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.namespaces: dict[str, Namespace] = {}
        self.log: list[UUID] = []  # which store changed; a resourceVersion is a place in it
        self.reachable = True
        self.ready_at_once = False
        self.on_wait: Callable[[], None] = lambda: None  # what happens while a pass waits

    def ask(self, lease: Lease | None = None) -> None:
        """What every request begins with: one that changes something needs a lease that lasts."""
        if lease and lease.ends <= self.clock.monotonic():
            raise LeaseLostError(str(lease.store_id))
        if not self.reachable:
            raise CellUnreachableError("the cell does not answer")

    def of(self, store_id: UUID) -> Namespace | None:
        """The store's namespace."""
        return next((each for each in self.namespaces.values() if each.store_id == store_id), None)

    def seen(self, store_id: UUID) -> Observation:
        """What a look shows now."""
        found = self.of(store_id)
        return found.seen if found else _GONE

    def pods(self, store_id: UUID, *, ready: bool, detail: str = "0 of 1 pods ready") -> None:
        """The store's pods become ready, or stop being it."""
        found = self.of(store_id)
        if found and found.seen.workloads:
            told = "1 of 1 pods ready" if ready else detail
            pods = {
                name: Workload(each.generation, ready, told) for name, each in found.seen.workloads.items()
            }
            self.show(found, replace(found.seen, workloads=pods))

    def show(self, namespace: Namespace, seen: Observation) -> None:
        """From now on a look shows this."""
        if seen != namespace.seen:
            namespace.seen = seen
            self.log.append(namespace.store_id)

    def finish_removals(self) -> None:
        """Every namespace that is being removed is gone."""
        for name, namespace in list(self.namespaces.items()):
            if namespace.seen.namespace is NamespaceState.TERMINATING:
                del self.namespaces[name]
                self.log.append(namespace.store_id)


@dataclass(frozen=True)
class FakeCluster:
    """The `Cluster` port."""

    cell: FakeCell

    def ensure_namespace(self, store: Store, lease: Lease) -> None:
        """See the port."""
        self.cell.ask(lease)
        found = self.cell.namespaces.setdefault(store.namespace, Namespace(store.id))
        if found.seen.namespace is NamespaceState.TERMINATING:
            raise TemporaryError(f"the namespace {store.namespace} is still being removed")

    def ensure_access(self, store: Store, lease: Lease) -> None:
        """See the port."""
        self.cell.ask(lease)
        self.cell.namespaces[store.namespace].access = True

    def ensure_quota(self, store: Store, plan: Plan, lease: Lease) -> None:
        """See the port."""
        self._accessible(store, lease).quota = plan.quota

    def ensure_credentials(self, store: Store, credentials: Credentials, lease: Lease) -> Secret:
        """See the port."""
        namespace = self._accessible(store, lease)
        if namespace.secret is None:
            if store.credentials_uid:
                raise CredentialsLostError("the Secret is gone")
            namespace.secret, namespace.secret_uid = credentials.fresh(), str(uuid4())
        return Secret("credentials-1", namespace.secret_uid)

    def ensure_reset_password(self, store: Store, credentials: Credentials, lease: Lease) -> str:
        """See the port."""
        namespace = self._accessible(store, lease)
        number = store.admin_number
        if number not in namespace.resets:
            namespace.resets[number] = credentials.fresh()["admin-password"]
        namespace.resets.pop(number - 2, None)
        return f"admin-{number}"

    def remove_namespace(self, store: Store, lease: Lease) -> None:
        """See the port."""
        self.cell.ask(lease)
        if found := self.cell.namespaces.get(store.namespace):
            self.cell.show(found, replace(found.seen, namespace=NamespaceState.TERMINATING))

    def _accessible(self, store: Store, lease: Lease) -> Namespace:
        self.cell.ask(lease)
        namespace = self.cell.namespaces[store.namespace]
        if not namespace.access:
            raise CellUnreachableError("no rights in this namespace")
        return namespace


@dataclass
class FakeReleases:
    """The `Releases` port. `errors` are raised by the next calls, one each."""

    cell: FakeCell
    chart_version: str = "1.2.3"
    errors: list[Exception] = field(default_factory=list)

    @property
    def deadline(self) -> float:
        """See the port."""
        return 65.0

    def locked(self, store: Store) -> bool:
        """See the port."""
        self.cell.ask()
        return self.cell.namespaces[store.namespace].locked

    def free(self, store: Store, lease: Lease) -> None:
        """See the port."""
        self.cell.ask(lease)
        self.cell.namespaces[store.namespace].locked = False

    def apply(self, store: Store, values: Mapping[str, Any], digest: str, lease: Lease) -> int:
        """See the port."""
        self.cell.ask(lease)
        if self.errors:
            raise self.errors.pop(0)
        namespace = self.cell.namespaces[store.namespace]
        if namespace.locked:
            raise TemporaryError("another operation is in progress")
        namespace.digest = digest
        namespace.revision += 1
        namespace.values = values
        ready = self.cell.ready_at_once
        stamp = Workload(values["store"]["generation"], ready, "0 of 1 pods ready")
        self.cell.show(namespace, replace(namespace.seen, workloads=dict.fromkeys(COMPONENTS, stamp)))
        return namespace.revision


@dataclass
class FakeWorkloads:
    """The `Workloads` port."""

    cell: FakeCell

    @contextmanager
    def changes(self, since: Watermark | None) -> Iterator[Changes]:
        """See the port."""
        self.cell.ask()
        yield FakeChanges(self.cell, since)

    def diagnose(self, store_id: UUID) -> str:
        """See the port."""
        self.cell.ask()
        workloads = self.cell.seen(store_id).workloads
        return "; ".join(f"{name}: {each.detail}" for name, each in workloads.items()) or "no pod tells why"


class FakeChanges:
    """The `Changes` port: reads the cell's log from a watermark on."""

    def __init__(self, cell: FakeCell, since: Watermark | None) -> None:
        self._cell = cell
        self._anew = since is None
        self._version = int(since.versions["log"]) if since else len(cell.log)

    def wait(self, seconds: float) -> frozenset[UUID] | None:
        """See the port."""
        self._cell.clock.later(seconds)
        self._cell.on_wait()
        self._cell.ask()
        changed = frozenset(self._cell.log[self._version :])
        self._version = len(self._cell.log)
        anew, self._anew = self._anew, False
        return None if anew else changed

    def look(self, store_ids: Sequence[UUID]) -> Mapping[UUID, Observation]:
        """See the port."""
        self._cell.ask()
        return {store_id: self._cell.seen(store_id) for store_id in store_ids}

    @property
    def watermark(self) -> Watermark:
        """See the port."""
        return Watermark({"log": str(self._version)})

    @property
    def namespaces(self) -> frozenset[UUID]:
        """See the port."""
        return frozenset(each.store_id for each in self._cell.namespaces.values())
