"""Parts die and messages misbehave while stores are in flight: every accepted store arrives, whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import psutil
import pytest

from tests.cluster.world import World, an_intent, an_order

IN_FLIGHT = 20
LONGEST = 240.0  # seconds: the longest lease, a wake-up, and the work of all stores on two cores


@pytest.mark.parametrize("part", ["emulator", "postgres", "provision", "reconcile", "kube-apiserver"])
def test_a_part_is_killed_and_started_again_with_stores_in_flight(world: World, part: str) -> None:
    ids = world.create_many(IN_FLIGHT)
    _await(lambda: world.states(ids)["QUEUED"] < IN_FLIGHT, "nobody has begun")

    world.kill(part)
    time.sleep(1)
    world.up()

    world.settle(ids, seconds=LONGEST)
    world.assert_whole(ids)


def test_postgres_restarts_under_load_and_no_accepted_store_is_lost(world: World) -> None:
    accepted: list[str] = []
    stop = threading.Event()

    def order() -> None:
        while not stop.is_set():
            try:
                answer = world.request("POST", "/v1/stores", json=an_order())
            except httpx.HTTPError:
                continue
            assert answer.status_code in (202, 503), answer.text
            if answer.status_code == 202:
                accepted.append(answer.json()["id"])
            else:
                assert answer.headers["Retry-After"]
            time.sleep(0.15)

    with ThreadPoolExecutor(2) as threads:
        orders = [threads.submit(order) for _ in range(2)]
        time.sleep(1)
        world.kill("postgres")
        time.sleep(1)
        world.up()
        time.sleep(1)
        stop.set()
        for each in orders:
            each.result()

    assert len(accepted) >= 5
    rows = world.sql("SELECT id FROM stores WHERE id = ANY(CAST(:ids AS uuid[]))", ids=accepted)
    assert len(rows) == len(accepted)
    world.settle(accepted, seconds=LONGEST)
    world.assert_whole(accepted)


def test_provision_is_killed_while_helm_runs(world: World) -> None:
    ids = [world.create() for _ in range(4)]
    _await(lambda: bool(_helms(world)), "no helm was seen", pause=0.005)

    helms = _helms(world)
    world.kill("provision")
    for helm in helms:
        _kill_quietly(helm)  # as a machine that dies takes all its processes with it
    world.up()

    world.settle(ids, seconds=LONGEST)
    world.assert_whole(ids)


def test_reconcile_is_called_five_times_at_once(world: World) -> None:
    ids = world.create_many(5)

    with ThreadPoolExecutor(5) as threads:
        calls = [
            threads.submit(httpx.post, world.values["URUMI_RECONCILE_URL"], timeout=90) for _ in range(5)
        ]
        answers = [call.result() for call in calls]

    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json()["ran"] for answer in answers) <= 2
    world.assert_whole(ids)


def test_the_same_message_is_delivered_ten_times_at_once(world: World) -> None:
    store_id = world.create()

    with ThreadPoolExecutor(10) as threads:
        calls = [threads.submit(world.push, an_intent(store_id)) for _ in range(10)]
        assert {call.result().status_code for call in calls} == {200}

    world.assert_whole([store_id])
    assert len(world.release_records(f"store-{store_id}")) == 1
    world.push(an_intent(store_id))
    world.push(an_intent(store_id, generation=7))
    assert len(world.release_records(f"store-{store_id}")) == 1


def _helms(world: World) -> list[psutil.Process]:
    helm = world.values["URUMI_HELM"]
    return [process for process in psutil.process_iter(["exe"]) if process.info["exe"] == helm]


def _kill_quietly(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


def _await(happens: Callable[[], bool], otherwise: str, *, pause: float = 0.05) -> None:
    give_up = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < give_up, otherwise
        time.sleep(pause)
