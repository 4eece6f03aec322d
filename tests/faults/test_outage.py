"""A cell that does not answer for half an hour: nobody's store is given up, and all go on afterwards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from dev.machine import database
from tests.cluster.world import World
from tests.faults.hands import Hands, hands, rest

MINUTES, ROUNDS = 40, 10
_TIMES = {
    "stores": "lease_until next_attempt_at quiet_until deadline_at created_at updated_at",
    "outbox": "created_at published_at",
    "cells": "pass_until seen_at full_pass_at",
}


def test_half_an_hour_without_the_cell_fails_nobody(world: World, tmp_path: Path) -> None:
    with hands(world, tmp_path) as mine:
        rest(world)
        queued = [_create(mine) for _ in range(2)]
        rolling, deleting = _created_and_applied(mine), _created_and_applied(mine)
        world.let_database_start(rolling, may=False)
        mine.run("reconcile")
        mine.run("ask", store_id=deleting, what="purge", given=world.show_row(deleting)["name"])
        ids = [*queued, rolling, deleting]
        before = {each: world.show_row(each)["state"] for each in ids}
        assert sorted(before.values()) == ["DELETING", "PROVISIONING", "QUEUED", "QUEUED"]

        world.kill("kube-apiserver")
        for _ in range(ROUNDS):
            _time_passes(world, 60 * MINUTES / ROUNDS)
            with ThreadPoolExecutor(4) as threads:
                list(threads.map(lambda each: mine.run("provision", store_id=each), ids))
            assert mine.run("reconcile").result["cell_answered"] is False
            rows = [world.show_row(each) for each in ids]
            assert "FAILED" not in {row["state"] for row in rows}, rows
            assert {row["failures"] for row in rows} == {0}
        assert {world.show_row(each)["reason"] for each in queued} == {"waiting for the cell to answer"}

        # Kubernetes's own parts wait for up to a minute after such an outage: started anew they do not.
        for part in ("kube-controller-manager", "kube-scheduler", "kwok"):
            world.kill(part)
        world.up()
        # Its fifteen minutes were over long ago, but most of them nobody could see its pods.
        _await_pass(world)
        assert world.show_row(rolling)["state"] == "PROVISIONING"
        world.let_database_start(rolling, may=True)
        world.settle(ids)
        world.assert_whole([*queued, rolling])
        assert world.show_row(deleting)["state"] == "DELETED"
        world.assert_healthy(ids)


def _create(mine: Hands) -> str:
    name = f"shop-{uuid4().hex[:8]}"
    store_id: str = mine.run("create", name=name, key=name).result
    return store_id


def _created_and_applied(mine: Hands) -> str:
    store_id = _create(mine)
    assert mine.run("provision", store_id=store_id).error is None
    return store_id


def _time_passes(world: World, seconds: float) -> None:
    """All that is written moves into the past, behind the triggers' back."""
    connection = database.connect(world.values["DATABASE_URL"])
    try:
        connection.run("SET session_replication_role = replica")
        for table, columns in _TIMES.items():
            moved = ", ".join(f"{each} = {each} - make_interval(secs => :by)" for each in columns.split())
            connection.run(f"UPDATE {table} SET {moved}", by=seconds)  # noqa: S608 - constants
    finally:
        connection.close()


def _await_pass(world: World) -> None:
    """One whole pass that saw the cell."""
    seen = "SELECT 1 FROM cells WHERE seen_at > clock_timestamp() - interval '60 seconds'"
    for _ in range(600):
        if world.sql(seen):
            return
        world.sql("SELECT pg_sleep(0.1)")
    raise AssertionError("no pass saw the cell")
