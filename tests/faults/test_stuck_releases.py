"""Releases as killed Helms leave them: each is brought on, with its objects, claims and passwords kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import pytest

from tests.cluster.world import World
from tests.faults.hands import Hands, hands, rest
from tests.faults.helm import Helm

KEPT = ("persistentvolumeclaims/database-data", "persistentvolumeclaims/storefront-content")


def _pending_install(helm: Helm) -> None:
    # The first install died, and with it all that it had made but the claims.
    helm.uninstall()
    helm.die_installing()


WAYS: Mapping[str, Callable[[Helm], None]] = {
    "pending-install": _pending_install,
    "pending-upgrade": Helm.die_upgrading,
    "pending-rollback": Helm.die_rolling_back,
    "failed": Helm.fail_upgrading,
    "uninstalling": Helm.die_uninstalling,
    "deployed": lambda _: None,  # without the row's knowledge
}


@pytest.fixture(scope="module")
def found(whole: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Every way to be stuck, side by side: what stood before, and after all have settled."""
    stores: dict[str, dict[str, Any]] = {}
    whole.up()
    with hands(whole, tmp_path_factory.mktemp("hands")) as mine:
        rest(whole)
        for status, way in WAYS.items():
            store_id = _installed(mine)
            # The row does not know of the release: its worker died before it could say so.
            whole.sql("UPDATE stores SET applied_generation = 0 WHERE id = :id", id=store_id)
            helm = Helm(whole, store_id)
            stores[status] = {"helm": helm, "kept": _uids(whole, store_id)}
            way(helm)
            stores[status]["status"] = helm.status()
    whole.up()
    whole.settle([each["helm"].store_id for each in stores.values()])
    return stores


@pytest.mark.parametrize("status", WAYS)
def test_it_is_brought_on_with_all_that_it_had(
    whole: World, found: dict[str, dict[str, Any]], status: str
) -> None:
    store = found[status]
    helm: Helm = store["helm"]
    assert store["status"] == status
    whole.assert_whole([helm.store_id])
    assert _uids(whole, helm.store_id) == store["kept"]
    freed = whole.sql(
        "SELECT lease_token FROM audit WHERE store_id = :id AND action = 'release freed'", id=helm.store_id
    )
    assert len(freed) == (status.startswith("pending") or status == "uninstalling")
    named = [each for judged in whole.examine([helm.store_id]).invariants for each in judged.evidence]
    assert not named


def test_a_namespace_that_somebody_holds_is_reported_and_never_forced(world: World) -> None:
    store_id = world.create()
    world.assert_whole([store_id])
    held = {"metadata": {"name": "held", "finalizers": ["example.com/somebody"]}}
    path = f"/api/v1/namespaces/store-{store_id}/configmaps"
    world.cluster.create(path, held)

    world.purge(store_id)
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
    store_id: str = mine.run("create", name=name, key=name).result
    assert mine.run("provision", store_id=store_id).error is None
    return store_id


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
