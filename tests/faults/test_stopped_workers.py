"""A worker is stopped, as a machine that is suspended stops it; another one finishes; it goes on."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from tests.cluster.world import World
from tests.faults.hands import Child, Hands, hands, rest

BEFORE_HELM = ("cluster.ensure_namespace", "cluster.ensure_credentials", "releases.locked", "releases.apply")
AFTER_HELM = ("work.record_release", "events.rollout_started", "work.finish")
LONGEST = 120.0  # seconds: Helm's lease, a wake-up, and the work


def test_a_stopped_worker_that_goes_on_writes_nothing(world: World, tmp_path: Path) -> None:
    with hands(world, tmp_path) as mine:
        rest(world)
        stopped: dict[str, Child] = {}
        for moment in (*BEFORE_HELM, *AFTER_HELM):
            store_id = _create(mine)
            stopped[store_id] = mine.begin("provision", at=moment, how="stop", store_id=store_id)
        in_helm = _create(mine)
        stopped[in_helm], helms = _stop_within_helm(mine, in_helm)
        for child in stopped.values():
            if child is not stopped[in_helm]:
                child.await_stop()

        world.up()  # another worker
        world.settle(list(stopped), seconds=LONGEST)

        # `timeout`, a process of its own, has ended Helm within the lease, although its worker is stopped.
        assert not [helm for helm in helms if helm.is_running()]
        world.assert_whole(list(stopped))
        before = {store_id: _all_that_is_known(world, store_id) for store_id in stopped}
        for child in stopped.values():
            child.go_on().wait()
        assert {each: _all_that_is_known(world, each) for each in stopped} == before
        for store_id, child in stopped.items():
            assert child.error is None, (store_id, child.error)
            deployed = [
                record
                for record in world.release_records(f"store-{store_id}")
                if record["status"] == "deployed"
            ]
            assert len(deployed) == 1
        world.assert_healthy(list(stopped))


def test_a_stopped_worker_does_not_bring_a_deleted_store_back(world: World, tmp_path: Path) -> None:
    with hands(world, tmp_path) as mine:
        rest(world)
        stopped = {}
        for moment in ("cluster.ensure_namespace", "releases.apply"):
            store_id = _create(mine)
            stopped[store_id] = mine.begin("provision", at=moment, how="stop", store_id=store_id).await_stop()
            mine.run("ask", store_id=store_id, what="delete")

        world.up()
        assert world.settle(list(stopped), seconds=LONGEST) == {"DELETED": 2}

        for store_id, child in stopped.items():
            child.go_on().wait()
            assert world.cluster.get(f"/api/v1/namespaces/store-{store_id}") is None
            assert world.show_row(store_id)["state"] == "DELETED"


def test_a_stopped_pass_that_goes_on_does_not_write_what_it_saw_before(world: World, tmp_path: Path) -> None:
    with hands(world, tmp_path) as mine:
        rest(world)
        store_id = _create(mine)
        assert mine.run("provision", store_id=store_id).error is None
        time.sleep(2)  # its pods are ready by now, and the pass is about to say so
        stopped = mine.begin("reconcile", at="fleet.record", how="stop").await_stop()
        world.let_database_start(store_id, may=False)

        give_up = time.monotonic() + 60
        while not mine.run("reconcile").result["ran"]:  # another pass, when the lease is over
            assert time.monotonic() < give_up, "no other pass runs"

        stopped.go_on().wait()
        told = world.sql("SELECT to_state FROM audit WHERE store_id = :id ORDER BY position", id=store_id)
        assert [row["to_state"] for row in told] == ["QUEUED", "PROVISIONING", "PROVISIONING"]

        world.up()
        world.let_database_start(store_id, may=True)
        world.assert_whole([store_id])


def _create(mine: Hands) -> str:
    name = f"shop-{uuid4().hex[:8]}"
    store_id: str = mine.run("create", name=name, key=name).result
    return store_id


def _stop_within_helm(mine: Hands, store_id: str) -> tuple[Child, list[psutil.Process]]:
    """Stop a worker and its Helm: neither can do anything about itself any more."""
    child = mine.begin("provision", store_id=store_id)
    worker = psutil.Process(child.pid)
    give_up = time.monotonic() + 60
    while not (helms := [each for each in _below(worker) if _upgrades(each)]):
        assert time.monotonic() < give_up, f"no helm was seen: {child.calls}"
        time.sleep(0.002)
    for process in (*helms, worker):
        os.kill(process.pid, signal.SIGSTOP)
    assert child.status is None
    return child, helms


def _below(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return list(process.children(recursive=True))
    return []


def _upgrades(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.name() == "helm" and "upgrade" in process.cmdline()
    return False


def _all_that_is_known(world: World, store_id: str) -> dict[str, Any]:
    """The row, its audit and attempts, and the version of every object in the namespace."""
    base = f"namespaces/store-{store_id}"
    versions = {}
    for kind in (
        "api/v1/{}/secrets",
        "api/v1/{}/configmaps",
        "api/v1/{}/services",
        "api/v1/{}/resourcequotas",
        "api/v1/{}/persistentvolumeclaims",
        "apis/apps/v1/{}/deployments",
        "apis/apps/v1/{}/statefulsets",
        "apis/networking.k8s.io/v1/{}/networkpolicies",
        "apis/rbac.authorization.k8s.io/v1/{}/rolebindings",
    ):
        for page in world.cluster.pages("/" + kind.format(base)):
            for item in page["items"]:
                versions[kind, item["metadata"]["name"]] = item["metadata"]["resourceVersion"]
    return {
        "row": world.show_row(store_id),
        "audit": world.sql("SELECT id FROM audit WHERE store_id = :id ORDER BY position", id=store_id),
        "attempts": world.sql("SELECT lease_token FROM attempts WHERE store_id = :id", id=store_id),
        "objects": versions,
    }
