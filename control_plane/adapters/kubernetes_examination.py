"""What an examination reads of a cell: page by page, in the order that the API server keeps objects in.

Every kind is a stream of pages, sorted by namespace. They are read side by side, so that of all kinds
together no more than one page each is held, however many stores there are.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from control_plane.adapters import helm_records, kubernetes_evidence
from control_plane.adapters.kubernetes_api import KubernetesApi, Object
from control_plane.adapters.kubernetes_cluster import STORE_LABEL
from control_plane.adapters.kubernetes_evidence import Piece
from control_plane.domain.errors import TemporaryError
from control_plane.domain.invariants.evidence import InCell, Policy, Record, Stray
from control_plane.domain.store import namespace_of

_STORE = re.compile(r"store-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
_NAMESPACES = "/api/v1/namespaces"
_HELM = "owner=helm"
_POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
_BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
_OURS = "urumi-"
_MOST_STRAYS = 100
_BATCH = 100  # stores of which strays are looked for at once


@dataclass(frozen=True)
class _Kind:
    """One kind of object, which of them, and what they are reduced to."""

    group: str
    plural: str
    reduce: Callable[[Object], Piece]
    selector: str = ""
    metadata_only: bool = False


_RECORDS = _Kind("/api/v1", "secrets", kubernetes_evidence.record, _HELM, True)
_KINDS = (
    _RECORDS,
    _Kind("/apis/apps/v1", "deployments", kubernetes_evidence.workload("deployments"), STORE_LABEL),
    _Kind("/apis/apps/v1", "statefulsets", kubernetes_evidence.workload("statefulsets"), STORE_LABEL),
    _Kind(
        "/api/v1",
        "secrets",
        kubernetes_evidence.credentials,
        f"{STORE_LABEL},{_HELM.replace('=', '!=')}",
        True,
    ),
    _Kind("/api/v1", "persistentvolumeclaims", kubernetes_evidence.claim, "", True),
    _Kind("/api/v1", "resourcequotas", kubernetes_evidence.quota),
    _Kind(
        "/apis/networking.k8s.io/v1",
        "networkpolicies",
        kubernetes_evidence.network_policy,
        f"{STORE_LABEL},app.kubernetes.io/component=network",
    ),
    _Kind("/apis/rbac.authorization.k8s.io/v1", "rolebindings", kubernetes_evidence.binding),
)


@dataclass
class _Strays:
    """What was met in places where nothing of ours belongs."""

    found: dict[Stray, None] = field(default_factory=dict)

    def note_namespace(self, item: Object) -> None:
        """A namespace; a stray if it says that it is a store's and is not named so."""
        name = item["metadata"]["name"]
        label = item["metadata"].get("labels", {}).get(STORE_LABEL)
        if label is not None and (match := _STORE.fullmatch(f"store-{label}")) and name != match[0]:
            self._note(Stray(UUID(match[1]), f"namespace {name} labelled as store {match[1]}", False))

    def note_record(self, item: Object) -> None:
        """A record of Helm; a stray if its release is named like a store's and is in no store's namespace."""
        namespace, release = item["metadata"]["namespace"], item["metadata"]["labels"].get("name", "")
        if (match := _STORE.fullmatch(release)) and not _STORE.fullmatch(namespace):
            self._note(Stray(UUID(match[1]), f"release {release} in namespace {namespace}", True))

    def _note(self, stray: Stray) -> None:
        if len(self.found) < _MOST_STRAYS:
            self.found[stray] = None


class KubernetesExamination:
    """The `CellExamination` port."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api

    def stores(self, store_ids: Sequence[UUID] | None) -> Iterator[InCell | Stray]:
        """See the port. Each record that says failed is opened, to see who said so: one request each."""
        strays = _Strays()
        if store_ids is None:
            pieces: Iterable[tuple[str, Piece]] = self._all(strays)
        else:
            pieces = self._of(store_ids)
            self._look_for_strays(store_ids, strays)
        for name, group in groupby(pieces, key=itemgetter(0)):
            yield self._assembled(name, (piece for _, piece in group if piece))
        yield from strays.found

    def policies(self) -> Sequence[Policy]:
        """See the port."""
        bindings = [item for page in self._api.pages(_BINDINGS) for item in page["items"]]
        return [
            kubernetes_evidence.policy(item, bindings)
            for page in self._api.pages(_POLICIES)
            for item in page["items"]
            if item["metadata"]["name"].startswith(_OURS)
        ]

    def _all(self, strays: _Strays) -> Iterator[tuple[str, Piece]]:
        streams = [
            _in_order(self._namespaces(strays)),
            *(_in_order(self._kind(each, strays)) for each in _KINDS),
        ]
        return heapq.merge(*streams, key=itemgetter(0))

    def _namespaces(self, strays: _Strays) -> Iterator[tuple[str, Piece]]:
        for page in self._api.pages(_NAMESPACES, metadata_only=True):
            for item in page["items"]:
                strays.note_namespace(item)
                if _STORE.fullmatch(item["metadata"]["name"]):
                    yield item["metadata"]["name"], kubernetes_evidence.namespace(item)

    def _kind(self, kind: _Kind, strays: _Strays) -> Iterator[tuple[str, Piece]]:
        for item in self._items(kind, f"{kind.group}/{kind.plural}"):
            if kind is _RECORDS:
                strays.note_record(item)
            if _STORE.fullmatch(item["metadata"]["namespace"]):
                yield item["metadata"]["namespace"], kind.reduce(item)

    def _of(self, store_ids: Sequence[UUID]) -> Iterator[tuple[str, Piece]]:
        for name in sorted(namespace_of(each) for each in store_ids):
            found = self._api.metadata(f"{_NAMESPACES}/{name}")
            if found is None:
                continue  # with its namespace all that was in it is gone
            yield name, kubernetes_evidence.namespace(found)
            for kind in _KINDS:
                for item in self._items(kind, f"{kind.group}/namespaces/{name}/{kind.plural}"):
                    yield name, kind.reduce(item)

    def _look_for_strays(self, store_ids: Sequence[UUID], strays: _Strays) -> None:
        for start in range(0, len(store_ids), _BATCH):
            batch = store_ids[start : start + _BATCH]
            labelled = f"{STORE_LABEL} in ({','.join(map(str, batch))})"
            for page in self._api.pages(_NAMESPACES, selector=labelled, metadata_only=True):
                for item in page["items"]:
                    strays.note_namespace(item)
            named = replace(_RECORDS, selector=f"{_HELM},name in ({','.join(map(namespace_of, batch))})")
            for item in self._items(named, "/api/v1/secrets"):
                strays.note_record(item)

    def _items(self, kind: _Kind, path: str) -> Iterator[Object]:
        for page in self._api.pages(path, selector=kind.selector, metadata_only=kind.metadata_only):
            yield from page["items"]

    def _assembled(self, name: str, pieces: Iterable[tuple[str, Any]]) -> InCell:
        parts: dict[str, list[Any]] = {}
        for part, value in pieces:
            parts.setdefault(part, []).append(value)
        records = [self._opened(name, each) for each in parts.get("records", [])]
        return InCell(
            UUID(name.removeprefix("store-")),
            namespace=_only(parts, "namespace"),
            workloads=dict(parts.get("workloads", [])),
            records=records,
            claims=frozenset(parts.get("claims", [])),
            quota=_only(parts, "quota"),
            closed="closed" in parts,
            bindings=parts.get("bindings", []),
            credentials=_only(parts, "credentials"),
        )

    def _opened(self, namespace: str, record: Record) -> Record:
        if record.status != "failed":
            return record
        name = f"sh.helm.release.v1.{record.release}.v{record.revision}"
        found = self._api.get(f"{_NAMESPACES}/{namespace}/secrets/{name}")
        return replace(record, marked=found is not None and helm_records.marked(found))


def _only(parts: dict[str, list[Any]], name: str) -> Any:
    return parts[name][0] if name in parts else None


def _in_order(stream: Iterator[tuple[str, Piece]]) -> Iterator[tuple[str, Piece]]:
    """The same, as long as it is sorted: side by side with others it would be wrong otherwise."""
    last = ""
    for name, piece in stream:
        if name < last:
            raise TemporaryError("the API server does not list objects in order of their namespace")
        last = name
        yield name, piece
