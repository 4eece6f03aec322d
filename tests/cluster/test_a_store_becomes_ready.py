"""One store through the whole chain: HTTP, Postgres, Pub/Sub, Helm, API server, READY; and away again."""

from __future__ import annotations

import base64
import json
import statistics
import time
from collections import Counter
from datetime import datetime
from typing import Any

from tests.cluster.world import World, an_order

MOST_REQUESTS = 70  # to the API server, for provisioning one store


def test_a_store_goes_from_post_to_ready(world: World) -> None:
    title = "Nine $(WORDPRESS_DB_PASSWORD) {{ .Values }} 'lives' \x7f\u0085 \U0001f600"
    store_id = world.create(title=title)

    world.assert_whole([store_id])

    shown = world.show(store_id)
    assert (shown["state"], shown["title"], shown["observed_generation"]) == ("READY", title, 1)
    site = world.cluster.get(f"/api/v1/namespaces/store-{store_id}/configmaps/storefront-site")
    assert site
    assert base64.b64decode(site["binaryData"]["title"]).decode() == title
    events = world.request("GET", f"/v1/stores/{store_id}/events").json()["events"]
    moves = [each["to_state"] for each in events if each["from_state"] != each["to_state"]]
    assert moves == ["QUEUED", "PROVISIONING", "READY"]


def test_ready_means_that_the_pods_are(world: World) -> None:
    store_id = world.create()
    world.assert_whole([store_id])

    ready_at = datetime.fromisoformat(world.show(store_id)["ready_at"]).timestamp()
    for page in world.cluster.pages(f"/api/v1/namespaces/store-{store_id}/pods", selector=""):
        assert len(page["items"]) == 2
        for pod in page["items"]:
            ready = next(each for each in pod["status"]["conditions"] if each["type"] == "Ready")
            assert ready["status"] == "True"
            # The API server's times have whole seconds.
            assert datetime.fromisoformat(ready["lastTransitionTime"]).timestamp() <= ready_at


def test_a_ready_store_whose_pod_goes_bad_is_degraded_and_heals(world: World) -> None:
    store_id = world.create()
    world.assert_whole([store_id])
    world.let_database_start(store_id, may=False)
    _await_state(world, store_id, "DEGRADED")
    assert "database" in world.show(store_id)["reason"]

    world.let_database_start(store_id, may=True)
    _await_state(world, store_id, "READY")


def test_deletion_works_from_every_state_and_leaves_nothing(world: World) -> None:
    ready, queued = world.create(), world.create()
    world.assert_whole([ready])

    for store_id in (queued, ready, ready):
        world.purge(store_id)

    assert world.settle([ready, queued]) == {"DELETED": 2}
    for store_id in (ready, queued):
        assert world.cluster.get(f"/api/v1/namespaces/store-{store_id}") is None
    assert len(world.request("GET", f"/v1/stores/{ready}/events").json()["events"]) >= 6


def test_a_name_is_free_again_after_deletion(world: World) -> None:
    order = an_order()
    first = world.request("POST", "/v1/stores", json=order).json()["id"]
    assert world.request("POST", "/v1/stores", json=order).status_code == 409
    world.purge(first)
    world.settle([first])
    assert world.request("POST", "/v1/stores", json=order).status_code == 202


def test_provisioning_one_store_takes_few_requests(world: World) -> None:
    world.assert_whole([world.create()])
    before = len(world.place.log("audit").read_text().splitlines())
    store_id = world.create()
    world.assert_whole([store_id])

    asked = [
        entry
        for line in world.place.log("audit").read_text().splitlines()[before:]
        if (entry := json.loads(line))["stage"] == "ResponseComplete"
        and (entry["userAgent"].startswith("Helm") or f"store-{store_id}" in _about(entry))
        and entry["userAgent"].startswith(("Helm", "urumi"))
    ]
    print(dict(Counter((entry["userAgent"].partition("/")[0], entry["verb"]) for entry in asked)))
    assert 20 < len(asked) <= MOST_REQUESTS
    # The server's schemas are megabytes; Helm would read them for what the server refuses by itself.
    assert not [entry["requestURI"] for entry in asked if entry["requestURI"].startswith("/openapi")]


def _about(entry: dict[str, Any]) -> str:
    return f"{entry['requestURI']} {entry.get('objectRef', '')}"


def test_a_hundred_stores_at_once_all_become_ready(world: World) -> None:
    began = time.monotonic()
    ids = world.create_many(100)
    accepted = time.monotonic() - began

    world.settle(ids, seconds=240)

    print(f"100 accepted in {accepted:.1f} s, READY after {time.monotonic() - began:.1f} s")
    world.assert_whole(ids)
    assert len(set(ids)) == 100
    assert all(len(world.release_records(f"store-{store_id}")) == 1 for store_id in ids)


def test_from_post_to_ready_takes_about(world: World) -> None:
    took = []
    for _ in range(7):
        began = time.monotonic()
        world.settle([world.create()])
        took.append(time.monotonic() - began)
    print(f"POST to READY, pods without delay: median {statistics.median(took):.2f} s of {took}")


def _await_state(world: World, store_id: str, state: str) -> None:
    give_up = time.monotonic() + 60
    while world.show(store_id)["state"] != state:
        assert time.monotonic() < give_up, world.show(store_id)
        time.sleep(0.1)
