"""A store's whole life on real parts: every verb, in every state, and what is left of the store's own."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from control_plane.domain.life import Verb
from control_plane.domain.store import StoreState
from control_plane.domain.store_events import StoreEvent, StoreEventType
from control_plane.plan_file import PACKAGED, plans
from tests.cluster.conftest import a_world
from tests.cluster.world import World
from tests.faults.hands import rest

PLANS = plans().stores
STANDARD, BUSINESS = PLANS["standard"], PLANS["business"]
LONGEST = 60.0


def ask(world: World, store_id: str, verb: Verb, **more: Any) -> httpx.Response:
    """One request for a verb."""
    path = f"/v1/stores/{store_id}"
    match verb:
        case Verb.RENAME:
            return world.request("PATCH", path, json={"title": "Another title"}, **more)
        case Verb.MOVE:
            return world.request("PATCH", path, json={"name": f"moved-{store_id[:8]}"}, **more)
        case Verb.CHANGE_PLAN:
            return world.request("PATCH", path, json={"plan": "business"}, **more)
        case Verb.DELETE:
            return world.request("DELETE", path, **more)
        case Verb.PURGE:
            return world.request("POST", f"{path}/purge", json={"name": world.show(store_id)["name"]}, **more)
    return world.request("POST", f"{path}/{verb}", **more)


def do(world: World, store_id: str, verb: Verb, until: str) -> dict[str, Any]:
    """Ask, and wait until the newest generation has arrived there."""
    answer = ask(world, store_id, verb)
    assert answer.status_code == 202, answer.text
    generation = answer.json()["generation"]
    arrived = lambda seen: seen["state"] == until and seen["observed_generation"] >= generation  # noqa: E731
    return await_store(world, store_id, arrived)


def await_store(world: World, store_id: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The store, once that holds of it."""
    give_up = time.monotonic() + LONGEST
    while not holds(seen := world.show(store_id)):
        assert time.monotonic() < give_up, seen
        time.sleep(0.1)
    return seen


def kept(world: World, store_id: str) -> dict[str, str]:
    """The uids of what must outlive a suspension: volumes, Secrets that are not Helm's, Services, Ingress."""
    found = {}
    for group, kind in (
        ("/api/v1", "persistentvolumeclaims"),
        ("/api/v1", "secrets"),
        ("/api/v1", "services"),
        ("/apis/networking.k8s.io/v1", "ingresses"),
    ):
        for page in world.cluster.pages(f"{group}/namespaces/store-{store_id}/{kind}"):
            for item in page["items"]:
                if item["metadata"].get("labels", {}).get("owner") != "helm":
                    found[f"{kind}/{item['metadata']['name']}"] = item["metadata"]["uid"]
    return found


def pods(world: World, store_id: str) -> int:
    """How many there are."""
    path = f"/api/v1/namespaces/store-{store_id}/pods"
    return sum(len(page["items"]) for page in world.cluster.pages(path))


@contextmanager
def days_later(world: World, days: int) -> Iterator[None]:
    """The platform's time is ahead by that much."""
    world.sql("INSERT INTO time_offset (ahead) VALUES (make_interval(days => :days))", days=days)
    try:
        yield
    finally:
        world.sql("DELETE FROM time_offset")


def ready(world: World) -> str:
    """A store that is READY."""
    store_id = world.create()
    world.assert_whole([store_id])
    return store_id


def test_a_suspended_store_has_no_pod_and_comes_back_as_it_was(world: World) -> None:
    store_id = ready(world)
    before = kept(world, store_id)
    assert len(before) >= 6
    seen = do(world, store_id, Verb.SUSPEND, "SUSPENDED")
    assert seen["holds"] == ["owner"]
    assert pods(world, store_id) == 0
    assert kept(world, store_id) == before
    seen = do(world, store_id, Verb.RESUME, "READY")
    assert (seen["holds"], kept(world, store_id)) == ([], before)
    assert pods(world, store_id) == 2
    world.assert_healthy([])


def test_a_deletion_is_undone_and_another_ends_after_its_retention(world: World) -> None:
    undone, gone, purged = ready(world), ready(world), ready(world)
    before = kept(world, undone)
    for store_id in (undone, gone):
        assert do(world, store_id, Verb.DELETE, "SUSPENDED")["removal_at"]
        assert pods(world, store_id) == 0
    assert do(world, undone, Verb.UNDELETE, "READY")["removal_at"] is None
    assert kept(world, undone) == before

    do(world, purged, Verb.SUSPEND, "SUSPENDED")
    assert world.purge(purged).status_code == 202
    with days_later(world, STANDARD.retention_days - 1):
        time.sleep(3)  # several ticks
        assert world.show(gone)["state"] == "SUSPENDED"
    with days_later(world, STANDARD.retention_days + 1):
        await_store(world, gone, lambda seen: seen["state"] == "DELETED")
    await_store(world, purged, lambda seen: seen["state"] == "DELETED")
    for store_id in (gone, purged):
        assert world.cluster.get(f"/api/v1/namespaces/store-{store_id}") is None
    assert "retention ended" in world.request("GET", f"/v1/stores/{gone}/events").text


def test_a_larger_plan_reaches_quota_pods_and_volumes_and_a_smaller_one_is_refused(world: World) -> None:
    store_id = ready(world)
    volumes = {key: uid for key, uid in kept(world, store_id).items() if "claims" in key}
    do(world, store_id, Verb.CHANGE_PLAN, "READY")
    namespace = f"/api/v1/namespaces/store-{store_id}"
    quota = world.cluster.get(f"{namespace}/resourcequotas/plan")
    assert quota
    assert quota["spec"]["hard"] == dict(BUSINESS.quota)
    claim = world.cluster.get(f"{namespace}/persistentvolumeclaims/storefront-content")
    assert claim
    assert claim["spec"]["resources"]["requests"]["storage"] == BUSINESS.content_storage
    assert {key: uid for key, uid in kept(world, store_id).items() if "claims" in key} == volumes
    workload = world.cluster.get(f"/apis/apps/v1/namespaces/store-{store_id}/deployments/storefront")
    assert workload
    web = next(each for each in workload["spec"]["template"]["spec"]["containers"] if each["name"] == "web")
    assert web["resources"] == BUSINESS.web.as_values()

    refused = world.request("PATCH", f"/v1/stores/{store_id}", json={"plan": "standard"})
    assert refused.status_code == 409
    assert all(number in refused.json()["detail"] for number in ("10Gi", "40Gi", "20Gi"))
    world.assert_healthy([])


def test_a_changed_plan_file_reaches_stores_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone with its stores: five at a time, those of all other tests would come first."""
    with a_world() as world:
        ids = [ready(world) for _ in range(6)]
        file = tmp_path / "plans.yaml"
        file.write_text(PACKAGED.read_text().replace('count/secrets: "20"', 'count/secrets: "21"'))
        monkeypatch.setenv("URUMI_PLANS", str(file))
        world.up()
        for store_id in ids:
            await_store(world, store_id, lambda seen: seen["observed_generation"] == 2)
            quota = world.cluster.get(f"/api/v1/namespaces/store-{store_id}/resourcequotas/plan")
            assert quota
            assert quota["spec"]["hard"]["count/secrets"] == "21"
            assert "refreshed" in world.request("GET", f"/v1/stores/{store_id}/events").text


def test_a_moved_store_answers_at_both_names_for_a_while(world: World) -> None:
    store_id = ready(world)
    former = world.show(store_id)["hostname"]
    seen = do(world, store_id, Verb.MOVE, "READY")
    assert (seen["former_hostname"], seen["hostname"] != former) == (former, True)
    hosts = lambda: {  # noqa: E731
        rule["host"]
        for page in world.cluster.pages(f"/apis/networking.k8s.io/v1/namespaces/store-{store_id}/ingresses")
        for item in page["items"]
        for rule in item["spec"]["rules"]
    }
    assert hosts() == {former.partition(":")[0], seen["hostname"].partition(":")[0]}
    with days_later(world, 31):
        await_store(
            world,
            store_id,
            lambda seen: not seen["former_hostname"] and seen["observed_generation"] == seen["generation"],
        )
    assert hosts() == {seen["hostname"].partition(":")[0]}


def test_what_happens_is_told_to_other_systems_in_order(world: World) -> None:
    base = f"http://{world.values['PUBSUB_EMULATOR_HOST']}/v1/projects/{world.values['PUBSUB_PROJECT_ID']}"
    subscription = f"{base}/subscriptions/told-{uuid4().hex[:8]}"
    topic = f"projects/{world.values['PUBSUB_PROJECT_ID']}/topics/store-events"
    made = httpx.put(subscription, json={"topic": topic, "enableMessageOrdering": True})
    made.raise_for_status()
    store_id = ready(world)
    do(world, store_id, Verb.SUSPEND, "SUSPENDED")
    do(world, store_id, Verb.RESUME, "READY")
    world.purge(store_id)
    world.settle([store_id])
    told: dict[int, StoreEvent] = {}
    give_up = time.monotonic() + LONGEST
    while not told or max(told.items())[1].type is not StoreEventType.DELETED:
        assert time.monotonic() < give_up, told
        pulled = httpx.post(f"{subscription}:pull", json={"maxMessages": 100}, timeout=20).json()
        for each in pulled.get("receivedMessages", []):
            event = StoreEvent.model_validate_json(base64.b64decode(each["message"]["data"]))
            if str(event.subject) == store_id:
                assert each["message"]["orderingKey"] == store_id
                told[event.sequence] = event
            ack = {"ackIds": [each["ackId"]]}
            httpx.post(f"{subscription}:acknowledge", json=ack).raise_for_status()
    assert [told[sequence].type.value for sequence in sorted(told)] == [
        "store.created", "store.ready", "store.suspended", "store.resumed", "store.deleting", "store.deleted",
    ]  # fmt: skip
    assert list(told) == sorted(told)
    httpx.delete(subscription)


def test_several_verbs_while_one_runs_end_in_what_was_asked_last(world: World) -> None:
    store_id = ready(world)
    for verb in (Verb.SUSPEND, Verb.RENAME, Verb.RESUME, Verb.DELETE, Verb.UNDELETE):
        assert ask(world, store_id, verb).status_code == 202
    seen = do(world, store_id, Verb.SUSPEND, "SUSPENDED")
    assert (seen["title"], seen["holds"], seen["removal_at"], seen["generation"]) == (
        "Another title", ["owner"], None, 7,
    )  # fmt: skip
    do(world, store_id, Verb.RESUME, "READY")


@pytest.mark.parametrize("state", StoreState)
def test_every_verb_in_every_state_does_as_the_table_says(idle: tuple[World, str], state: StoreState) -> None:
    world, store_id = idle
    for removal, holds in ((None, "{}"), (None, "{owner,billing}"), ("1 day", "{}")):
        put = {"state": state, "holds": holds}
        restore(world, store_id, put, removal)
        before = world.show(store_id)
        for verb in set(Verb) - set(before["possible"]):
            answer = ask(world, store_id, verb)
            assert answer.status_code in (202, 409), f"{verb} of {put}: {answer.text}"
            if answer.status_code == 409:
                told = answer.json()["detail"]
                assert all(each in told for each in before["possible"]) or "held by" in told, told
        assert world.show(store_id) == before
        for verb in before["possible"]:
            restore(world, store_id, put, removal)
            answer = ask(world, store_id, Verb(verb))
            assert answer.status_code == 202, f"{verb} of {put}: {answer.text}"
            assert answer.json()["generation"] > before["generation"]
            before["generation"] = answer.json()["generation"]


@pytest.fixture(scope="module")
def idle(whole: World) -> Iterator[tuple[World, str]]:
    """A store that nobody works on, so that it stays in the state that it is put into."""
    whole.up()
    store_id = ready(whole)
    rest(whole)
    yield whole, store_id
    restore(whole, store_id, {"state": StoreState.READY, "holds": "{}"}, None)
    whole.up()


def restore(world: World, store_id: str, put: dict[str, str], removal: str | None) -> None:
    """Make a row what it is to be, past the table of moves."""
    going = put["state"] in ("DELETING", "DELETED")
    reason = "because" if put["state"] == "FAILED" else None
    world.sql(
        """
        WITH past_triggers AS (SELECT set_config('session_replication_role', 'replica', true))
        UPDATE stores SET state = :state, holds = CAST(:holds AS text[]), reason = :reason,
            plan = 'standard', desired = :desired, title = 'As it was', name = :name,
            removal_at = clock_timestamp() + CAST(:removal AS interval), ready_at = clock_timestamp(),
            applied_generation = generation, observed_generation = generation
        FROM past_triggers WHERE id = :id
        """,
        id=store_id,
        name=f"shop-{store_id[:8]}",
        reason=reason,
        desired="deleted" if going else "running",
        removal=removal,
        **put,
    )
