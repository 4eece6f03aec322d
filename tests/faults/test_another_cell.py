"""A store of another cell, on the running platform: this cell's functions see its messages, and let it be."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from dev.machine.place import Place
from tests.cluster.world import World, an_intent
from tests.faults.hands import Hands, hands

PASSES = 3


@pytest.fixture
def cell(world: World) -> str:
    """One more cell on the platform's database. It has no functions but those that a test runs by hand."""
    name = f"cell-{uuid4().hex[:8]}"
    world.sql("INSERT INTO cells (id, name) VALUES (gen_random_uuid(), :name)", name=name)
    return name


def test_it_is_touched_by_nobody_but_its_own_cells_functions(world: World, cell: str, tmp_path: Path) -> None:
    with hands(world, tmp_path) as mine, _a_store(world, mine.in_cell(cell)) as store_id:
        of_it = mine.in_cell(cell)
        # The emulator applies no filters: the message of its creation came to provision, and this one does.
        world.publish(an_intent(store_id))
        assert world.push(an_intent(store_id)).status_code == 200
        _let_pass(world, PASSES)
        assert row_of(world, store_id) == {"state": "QUEUED", "applied_generation": 0, "lease_token": 0}
        assert not world.sql("SELECT 1 FROM attempts WHERE store_id = :id", id=store_id)
        assert not world.sql("SELECT 1 FROM dead_letters WHERE store_id = :id", id=store_id)
        assert world.cluster.get(f"/api/v1/namespaces/store-{store_id}") is None
        assert "store_of_another_cell" in log_of(world.place, "provision")
        assert UUID(store_id) not in world.examine().by_store

        # Lost on nobody: its own cell's pass has it announced again.
        _let_it_be_due(world, store_id)
        passed = of_it.run("reconcile").result
        assert passed["published"] >= 1
        of_it.run("provision", store_id=store_id)
        _until(world, of_it, store_id, "READY")
        actors = world.sql("SELECT DISTINCT cause FROM audit WHERE store_id = :id", id=store_id)
        assert all(str(each["cause"]).startswith("fault") for each in actors), actors


@contextmanager
def _a_store(world: World, of_it: Hands) -> Iterator[str]:
    """One of that cell, gone at the end: this cell's doctor would tell of it, as they share a cluster."""
    store_id = str(of_it.run("create", name=f"shop-{uuid4().hex[:8]}", key=uuid4().hex).result)
    try:
        yield store_id
    finally:
        world.purge(store_id)
        of_it.run("provision", store_id=store_id)
        _until(world, of_it, store_id, "DELETED")


def _until(world: World, of_it: Hands, store_id: str, state: str) -> None:
    """Have that cell's passes bring it there."""
    give_up = time.monotonic() + 60
    while row_of(world, store_id)["state"] != state:
        assert time.monotonic() < give_up, world.told([store_id])
        of_it.run("reconcile")


def row_of(world: World, store_id: str) -> Mapping[str, Any]:
    """What of the row changes when somebody works on it."""
    row = world.show_row(store_id)
    return {name: row[name] for name in ("state", "applied_generation", "lease_token")}


def log_of(place: Place, part: str) -> str:
    """All that a part has said."""
    return place.log(part).read_text()


def _let_pass(world: World, passes: int) -> None:
    """So many passes of this cell."""
    token = "SELECT pass_token FROM cells WHERE name = 'local'"
    begun, give_up = world.sql(token)[0]["pass_token"], time.monotonic() + 60
    while world.sql(token)[0]["pass_token"] < begun + passes:
        assert time.monotonic() < give_up, "no passes"
        httpx.post(world.values["URUMI_RECONCILE_URL"], timeout=60)


def _let_it_be_due(world: World, store_id: str) -> None:
    """So much time that whoever was announced should have been taken up."""
    world.sql(
        "UPDATE outbox SET created_at = created_at - interval '1 hour' WHERE store_id = :id", id=store_id
    )
