"""Releases as killed Helms leave them: each is brought on, with its objects, claims and passwords kept."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from dev.machine.place import CHECKOUT
from tests.cluster.world import World
from tests.faults.hands import Hands, hands, rest

CUSTOMER = str(uuid4())
CHART = str(CHECKOUT / "chart")
KEPT = ("persistentvolumeclaims/database-data", "persistentvolumeclaims/storefront-content")


@dataclass(frozen=True)
class Helm:
    """Somebody's Helm, on one store's release."""

    world: World
    store_id: str

    @property
    def name(self) -> str:
        """Of the namespace and the release."""
        return f"store-{self.store_id}"

    def run(self, *arguments: str) -> None:
        """To its end."""
        with self._start(*arguments) as helm:
            assert helm.wait(60) == 0

    def die(self, status: str, *arguments: str) -> None:
        """Until its newest record says `status`; then it is killed."""
        with self._start(*arguments) as helm:
            _await(lambda: self.status() == status, f"{arguments} never came to {status}")
            helm.kill()
        assert self.status() == status

    def end(self, status: str, *arguments: str) -> None:
        """Until its newest record says `status`; then it is told to end, and can still clean up."""
        with self._start(*arguments) as helm:
            _await(lambda: self.status() == status, f"{arguments} never came to {status}")
            helm.terminate()

    def status(self) -> str:
        """What the newest record says."""
        records = self.world.release_records(self.name)
        return records[-1]["status"] if records else ""

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {"KUBECONFIG": self.world.values["KUBECONFIG"], "HOME": str(self.world.place.root)}
        argv = [self.world.values["URUMI_HELM"], *arguments, "--namespace", self.name]
        return subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL)


def _pending_install(helm: Helm) -> None:
    # The first install died, and with it all that it had made but the record: nothing to keep.
    helm.run("uninstall", helm.name)
    values = helm.world.place.root / f"{helm.store_id}.yaml"
    values.write_text(_values_of(helm.store_id))
    helm.die("pending-install", "install", helm.name, CHART, "--values", str(values))


def _pending_upgrade(helm: Helm) -> None:
    helm.die("pending-upgrade", "upgrade", helm.name, CHART, "--reuse-values")


def _pending_rollback(helm: Helm) -> None:
    helm.run("upgrade", helm.name, CHART, "--reuse-values")
    helm.die("pending-rollback", "rollback", helm.name, "1")


def _failed(helm: Helm) -> None:
    helm.end("pending-upgrade", "upgrade", helm.name, CHART, "--reuse-values")


def _uninstalling(helm: Helm) -> None:
    helm.die("uninstalling", "uninstall", helm.name)


def _deployed(helm: Helm) -> None:
    assert helm.status() == "deployed"


@pytest.fixture(scope="module")
def found(whole: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Every way to be stuck, side by side: what stood before, and after all have settled."""
    ways = (_pending_install, _pending_upgrade, _pending_rollback, _failed, _uninstalling, _deployed)
    stores: dict[str, dict[str, Any]] = {}
    whole.up()
    with hands(whole, tmp_path_factory.mktemp("hands")) as mine:
        rest(whole)
        for way in ways:
            store_id = _installed(mine)
            # The row does not know of the release: its worker died before it could say so.
            whole.sql("UPDATE stores SET applied_generation = 0 WHERE id = :id", id=store_id)
            helm = Helm(whole, store_id)
            stores[way.__name__] = {"helm": helm, "kept": _uids(whole, store_id)}
            way(helm)
            stores[way.__name__]["status"] = helm.status()
    whole.up()
    whole.settle([each["helm"].store_id for each in stores.values()])
    return stores


@pytest.mark.parametrize(
    ("way", "status"),
    [
        ("_pending_install", "pending-install"),
        ("_pending_upgrade", "pending-upgrade"),
        ("_pending_rollback", "pending-rollback"),
        ("_failed", "failed"),
        ("_uninstalling", "uninstalling"),
        ("_deployed", "deployed"),
    ],
)
def test_it_is_brought_on_with_all_that_it_had(
    whole: World, found: dict[str, dict[str, Any]], way: str, status: str
) -> None:
    store = found[way]
    helm: Helm = store["helm"]
    assert store["status"] == status
    whole.assert_whole([helm.store_id])
    assert _uids(whole, helm.store_id) == store["kept"]
    freed = whole.sql(
        "SELECT lease_token FROM audit WHERE store_id = :id AND action = 'release freed'", id=helm.store_id
    )
    assert len(freed) == (status.startswith("pending") or status == "uninstalling")


def test_a_namespace_that_somebody_holds_is_reported_and_never_forced(world: World) -> None:
    store_id = world.create()
    world.assert_whole([store_id])
    held = {"metadata": {"name": "held", "finalizers": ["example.com/somebody"]}}
    path = f"/api/v1/namespaces/store-{store_id}/configmaps"
    world.cluster.create(path, held)

    world.request("DELETE", f"/stores/{store_id}")
    _await(lambda: world.show_row(store_id)["applied_generation"] == 2, "nobody removes it")
    # As if two minutes had passed: a removal of seconds needs no reason.
    past = "UPDATE stores SET updated_at = updated_at - interval '2 minutes' WHERE id = :id"
    world.sql(past, id=store_id)
    _await(lambda: "example.com/somebody" in (world.show(store_id)["reason"] or ""), "no reason is given")
    assert world.show(store_id)["state"] == "DELETING"
    found = world.cluster.get(f"{path}/held")
    assert found
    assert found["metadata"]["finalizers"] == ["example.com/somebody"]

    found["metadata"]["finalizers"] = []
    world.cluster.replace(f"{path}/held", found)
    assert world.settle([store_id]) == {"DELETED": 1}


def _installed(mine: Hands) -> str:
    name = f"shop-{uuid4().hex[:8]}"
    store_id: str = mine.run("create", customer_id=CUSTOMER, name=name, key=name).result
    assert mine.run("provision", store_id=store_id).error is None
    return store_id


def _values_of(store_id: str) -> str:
    lines = (CHECKOUT / "chart" / "ci" / "minimal.yaml").read_text().splitlines()
    return "\n".join(f"  id: {store_id}" if line.startswith("  id:") else line for line in lines)


def _uids(world: World, store_id: str) -> dict[str, str]:
    base = f"/api/v1/namespaces/store-{store_id}"
    found = {path: world.cluster.get(f"{base}/{path}") for path in (*KEPT, "secrets/store-credentials-1")}
    found["namespace"] = world.cluster.get(base)
    return {path: each["metadata"]["uid"] for path, each in found.items() if each}


def _await(happens: Callable[[], bool], otherwise: str) -> None:
    give_up = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < give_up, otherwise
        time.sleep(0.005)
