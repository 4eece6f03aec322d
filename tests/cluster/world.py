"""The whole chain on real parts, as the tests of this ring see it."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import Engine, create_engine, text

from control_plane import bootstrap
from control_plane.adapters.kubernetes_api import KubernetesApi
from control_plane.domain.invariants.findings import Report
from control_plane.settings import DoctorSettings
from dev.machine import machine, processes
from dev.machine.functions import CELL
from dev.machine.place import Place


@dataclass
class World:
    """One running copy of everything, and hands to use and to break it."""

    place: Place
    values: dict[str, str]

    def up(self) -> None:
        """Start what does not run, as a person would with `urumi up`."""
        self.values = machine.up(self.place, lambda _: None)

    def kill(self, part: str) -> None:
        """SIGKILL a part with all its processes."""
        assert processes.running(self.place, part), f"{part} does not run, so it cannot be killed"
        processes.kill(self.place, part)

    @property
    def cluster(self) -> KubernetesApi:
        """The API server, as the cluster's admin."""
        return KubernetesApi(self.values["KUBECONFIG"])

    def sql(self, statement: str, **parameters: Any) -> Sequence[Any]:
        """Rows of the database."""
        with self._database.begin() as connection:
            result = connection.execute(text(statement), parameters)
            return result.mappings().all() if result.returns_rows else []

    # A log-in and a context for TLS take 30 ms of CPU each, and tests ask ten times a second.
    @cached_property
    def _database(self) -> Engine:
        return create_engine(self.values["DATABASE_URL"], pool_pre_ping=True)

    @cached_property
    def _client(self) -> httpx.Client:
        # No connection is kept: a test may have killed who was at its other end.
        return httpx.Client(timeout=30, limits=httpx.Limits(max_keepalive_connections=0))

    def close(self) -> None:
        """Let go of the database and the API, before their parts are stopped."""
        self._database.dispose()
        self._client.close()

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request to the public API."""
        headers = {"Authorization": f"Bearer {self.values['URUMI_API_TOKEN']}", **more.pop("headers", {})}
        return self._client.request(method, self.values["URUMI_API_URL"] + path, headers=headers, **more)

    def create(self, **fields: Any) -> str:
        """Create one store and return its id; it must be accepted."""
        answer = self.request("POST", "/v1/stores", json=an_order(**fields))
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def create_many(self, count: int) -> list[str]:
        """Create stores, eight at a time."""
        with ThreadPoolExecutor(8) as threads:
            return list(threads.map(lambda _: self.create(), range(count)))

    def purge(self, store_id: str) -> httpx.Response:
        """Ask for a store's removal at once; it must be accepted."""
        name = self.show(store_id)["name"]
        answer = self.request("POST", f"/v1/stores/{store_id}/purge", json={"name": name})
        assert answer.status_code == 202, answer.text
        return answer

    def show(self, store_id: str) -> dict[str, Any]:
        """A store as its customer sees it."""
        shown: dict[str, Any] = self.request("GET", f"/v1/stores/{store_id}").json()
        return shown

    def show_row(self, store_id: str) -> dict[str, Any]:
        """A store as the database has it."""
        return dict(self.sql("SELECT * FROM stores WHERE id = :id", id=store_id)[0])

    def states(self, ids: Iterable[str]) -> Counter[str]:
        """How many of these stores are in which state."""
        rows = self.sql(
            "SELECT state, count(*) AS n FROM stores WHERE id = ANY(CAST(:ids AS uuid[])) GROUP BY state",
            ids=list(ids),
        )
        return Counter({row["state"]: row["n"] for row in rows})

    def settle(self, ids: Sequence[str], *, seconds: float = 120) -> Counter[str]:
        """Wait until every store has arrived somewhere, unaided; the states at the end."""
        give_up = time.monotonic() + seconds
        while (moving := self._moving(ids)) and time.monotonic() < give_up:
            time.sleep(0.1)
        assert not moving, f"not settled after {seconds} s: {[dict(row) for row in moving]}"
        return self.states(ids)

    def _moving(self, ids: Sequence[str]) -> Sequence[Any]:
        """Those that somebody still has to do something for."""
        return self.sql(
            "SELECT id, state, reason, failures FROM stores WHERE id = ANY(CAST(:ids AS uuid[])) AND ("
            " state NOT IN ('READY', 'SUSPENDED', 'FAILED', 'DELETED')"
            " OR (applied_generation < generation AND state <> 'FAILED'))",
            ids=list(ids),
        )

    def assert_whole(self, ids: Sequence[str]) -> None:
        """What must hold of stores that were to become READY, whatever happened meanwhile."""
        states = self.settle(ids)
        assert states == {"READY": len(ids)}, self.told(ids)
        for store_id in ids:
            name = f"store-{store_id}"
            records = self.release_records(name)
            assert [each["status"] for each in records][-1] == "deployed", records
            assert {each["name"] for each in records} == {name}
        give_up = time.monotonic() + 30  # the last wake-ups may still be waiting for the relay
        while self.sql("SELECT id FROM outbox WHERE published_at IS NULL LIMIT 1"):
            assert time.monotonic() < give_up, "the outbox is never emptied"
            time.sleep(0.1)
        forbidden = self.sql("""
            SELECT a.* FROM audit a WHERE from_state <> to_state
            AND NOT EXISTS (SELECT FROM moves m WHERE m.from_state = a.from_state AND m.to_state = a.to_state)
        """)
        assert not forbidden

    def told(self, ids: Sequence[str]) -> list[tuple[Any, ...]]:
        """Everything in the audit of these stores, for the message of a test that fails."""
        rows = self.sql(
            "SELECT store_id, actor, action, to_state, generation, reason FROM audit"
            " WHERE store_id = ANY(CAST(:ids AS uuid[])) ORDER BY position",
            ids=list(ids),
        )
        return [tuple(row.values()) for row in rows]

    def examine(
        self, ids: Sequence[str] | None = None, accepted: Sequence[str] = (), cell: str = CELL
    ) -> Report:
        """What the doctor says of these stores, or of all, when everything is said to be settled."""
        settings = DoctorSettings.model_validate(
            {
                "URUMI_OPERATOR_DATABASE_URL": self.values["URUMI_OPERATOR_DATABASE_URL"],
                "URUMI_OPERATOR_KUBECONFIG": self.values["URUMI_OPERATOR_KUBECONFIG"],
                "URUMI_CELL": cell,
            }
        )
        these = None if ids is None else [UUID(each) for each in ids]
        return bootstrap.doctor(settings)(these, accepted=[UUID(each) for each in accepted])

    def assert_healthy(self, accepted: Sequence[str]) -> None:
        """Every invariant holds, of the whole platform; `accepted` are stores that somebody was promised."""
        report = self.examine(accepted=accepted)
        assert not report.problems, report.problems
        named = {each.invariant.name: each.evidence for each in report.invariants if each.evidence}
        assert not named, named

    def let_database_start(self, store_id: str, *, may: bool) -> None:
        """From now on the pod of a store's database can, or cannot, be scheduled."""
        path = f"/apis/apps/v1/namespaces/store-{store_id}/statefulsets/database"
        found = self.cluster.get(path)
        assert found
        found["spec"]["template"]["spec"]["nodeSelector"] = {} if may else {"urumi.dev/nowhere": "true"}
        del found["metadata"]["resourceVersion"]  # its controller writes down its status meanwhile
        changed = self.cluster.replace(path, found)["metadata"]["generation"]
        give_up = time.monotonic() + 60
        while (self.cluster.get(path) or {})["status"].get("observedGeneration", 0) < changed:
            assert time.monotonic() < give_up, "the StatefulSet's controller does not see the change"
            time.sleep(0.05)
        # A StatefulSet does not replace a pod that never started: somebody has to.
        self.cluster.delete(f"/api/v1/namespaces/store-{store_id}/pods/database-0")

    def release_records(self, namespace: str) -> list[dict[str, str]]:
        """The labels of Helm's records in a namespace, oldest first."""
        path = f"/api/v1/namespaces/{namespace}/secrets"
        pages = self.cluster.pages(path, selector="owner=helm")
        labels = [item["metadata"]["labels"] for page in pages for item in page["items"]]
        return sorted(labels, key=lambda each: int(each["version"]))

    def push(self, body: bytes) -> httpx.Response:
        """Deliver a message to provision as Pub/Sub would."""
        message = {"data": base64.b64encode(body).decode(), "messageId": str(uuid4()), "attributes": {}}
        return httpx.post(
            self.values["URUMI_PROVISION_URL"] + "/projects/p/topics/store-intents",
            json={"subscription": "projects/p/subscriptions/s", "message": message},
            timeout=90,
        )

    def publish(self, *bodies: bytes, topic: str = "store-intents") -> None:
        """Put messages on a real topic."""
        messages = [{"data": base64.b64encode(body).decode()} for body in bodies]
        project, host = self.values["PUBSUB_PROJECT_ID"], self.values["PUBSUB_EMULATOR_HOST"]
        httpx.post(
            f"http://{host}/v1/projects/{project}/topics/{topic}:publish", json={"messages": messages}
        ).raise_for_status()


def an_order(**fields: Any) -> dict[str, Any]:
    """The body of POST /v1/stores, with a fresh name."""
    name = f"shop-{uuid4().hex[:12]}"
    return {"name": name, "title": f"The shop {name}", "admin_email": "owner@example.com", **fields}


def an_intent(store_id: str, generation: int = 1, schema_version: int = 1) -> bytes:
    """The body of a message."""
    fields = {"store_id": store_id, "generation": generation, "schema_version": schema_version}
    return json.dumps(fields).encode()
