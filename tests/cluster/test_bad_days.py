"""Parts die and messages misbehave while stores are in flight: every accepted store arrives, whole."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import uuid4

import httpx
import psutil
import pytest

from dev.machine.place import CHECKOUT
from tests.cluster.world import World, an_intent, an_order

IN_FLIGHT = 20
CHART = CHECKOUT / "chart"
MINIMAL_VALUES = CHART / "ci" / "minimal.yaml"
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
                answer = world.request("POST", "/stores", json=an_order())
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


def test_a_release_that_a_killed_helm_left_locked_is_freed(world: World) -> None:
    store_id = str(uuid4())
    world.sql(
        """INSERT INTO stores
            (id, customer_id, name, title, admin_email, plan, hostname, cell, quiet_until)
        SELECT :id, :customer, :name, 'Locked', 'a@example.com', 'standard', :name || '.localhost', id,
            clock_timestamp() + interval '1 hour' FROM cells""",
        id=store_id,
        customer=str(uuid4()),
        name=f"locked-{store_id[:8]}",
    )
    name = f"store-{store_id}"
    world.cluster.create("/api/v1/namespaces", {"metadata": {"name": name}})
    values = world.place.root / "values.yaml"
    values.write_text(re.sub("id: .*", f"id: {store_id}", MINIMAL_VALUES.read_text()))
    with subprocess.Popen(
        [world.values["URUMI_HELM"], "install", name, CHART, "-n", name, "-f", values],
        env={"KUBECONFIG": world.values["KUBECONFIG"], "HOME": str(world.place.root)},
    ) as helm:
        _await(lambda: bool(world.release_records(name)), "helm has recorded nothing", pause=0.005)
        helm.kill()
    assert world.release_records(name)[-1]["status"] == "pending-install"

    world.publish(an_intent(store_id))

    world.settle([store_id], seconds=LONGEST)
    assert world.show_row(store_id)["state"] == "READY"
    # The record that was locked is the first revision still: nothing was uninstalled.
    records = world.release_records(name)
    assert [each["version"] for each in records] == ["1", "2"]
    assert records[-1]["status"] == "deployed"
    namespace = world.cluster.get(f"/api/v1/namespaces/{name}")
    assert namespace
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


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


@pytest.mark.parametrize(
    "body",
    [
        b"this is not JSON",
        b"[]",
        an_intent(str(uuid4())),
        an_intent(str(uuid4()), schema_version=99),
        an_intent("not-a-uuid"),
    ],
    ids=["not JSON", "not an object", "unknown store", "unknown version", "not an id"],
)
def test_a_message_that_nobody_can_act_on_is_acknowledged_and_holds_up_nobody(
    world: World, body: bytes
) -> None:
    world.publish(body)
    assert world.push(body).status_code == 200
    world.assert_whole([world.create()])


def test_a_part_that_was_stopped_for_a_while_does_no_harm(world: World) -> None:
    """The cell does not answer for a while: nothing is given up, and all goes on afterwards."""
    world.kill("kube-apiserver")
    ids = world.create_many(3)
    time.sleep(5)
    assert "FAILED" not in world.states(ids)
    reasons = world.sql("SELECT DISTINCT failures FROM stores WHERE id = ANY(CAST(:ids AS uuid[]))", ids=ids)
    assert {row["failures"] for row in reasons} == {0}

    world.up()

    world.settle(ids, seconds=LONGEST)
    world.assert_whole(ids)


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
