"""A store's passwords are in its Secret and nowhere else, however one looks."""

from __future__ import annotations

import base64
import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from dev.machine import database
from tests.cluster.world import World

SECRET = "store-credentials-1"
TOPICS = ("store-intents", "rollouts", "store-intents-dead", "store-events")
KINDS = (
    "/api/v1/{}/configmaps",
    "/api/v1/{}/events",
    "/api/v1/{}/persistentvolumeclaims",
    "/api/v1/{}/pods",
    "/api/v1/{}/resourcequotas",
    "/api/v1/{}/services",
    "/api/v1/{}/serviceaccounts",
    "/apis/apps/v1/{}/deployments",
    "/apis/apps/v1/{}/replicasets",
    "/apis/apps/v1/{}/statefulsets",
    "/apis/events.k8s.io/v1/{}/events",
    "/apis/networking.k8s.io/v1/{}/ingresses",
    "/apis/rbac.authorization.k8s.io/v1/{}/rolebindings",
)


@pytest.fixture(scope="module")
def places(whole: World) -> dict[str, bytes]:
    """Everything that was said and kept while three stores were made and one removed, by where."""
    whole.up()
    project, host = whole.values["PUBSUB_PROJECT_ID"], whole.values["PUBSUB_EMULATOR_HOST"]
    broker = f"http://{host}/v1/projects/{project}"
    for topic in TOPICS:
        body = {"topic": f"projects/{project}/topics/{topic}"}
        httpx.put(f"{broker}/subscriptions/seen-{topic}", json=body).raise_for_status()
    found: dict[str, bytes] = {}
    with _processes_watched() as watched:
        ids = [whole.create() for _ in range(3)]
        whole.assert_whole(ids)
    found |= watched
    found["passwords"] = json.dumps([_passwords(whole, store_id) for store_id in ids]).encode()
    for store_id in ids:
        found |= _objects(whole, store_id)
        for path in (f"/v1/stores/{store_id}", f"/v1/stores/{store_id}/events"):
            found[f"GET {path}"] = whole.request("GET", path).content
    found["GET /v1/stores"] = whole.request("GET", "/v1/stores").content
    found["DELETE"] = whole.request("DELETE", f"/v1/stores/{ids[0]}").content
    found["purge"] = whole.purge(ids[0]).content
    whole.settle(ids)
    for topic in TOPICS:
        found[f"messages of {topic}"] = _messages(f"{broker}/subscriptions/seen-{topic}")
    for file in whole.place.logs.iterdir():
        found[f"log {file.name}"] = file.read_bytes()
    found |= _tables(whole)
    return found


@pytest.fixture(scope="module")
def passwords(places: dict[str, bytes]) -> list[str]:
    """All passwords of all stores."""
    return [each for store in json.loads(places["passwords"]) for each in store]


def test_there_is_something_to_look_at(places: dict[str, bytes], passwords: list[str]) -> None:
    assert len(passwords) >= 9
    assert len(set(passwords)) == len(passwords)
    assert all(len(each) >= 16 for each in passwords)
    assert any(b"upgrade\x00--install" in content for where, content in places.items() if "cmdline" in where)
    for where in ("log provision.log", "table stores", "table audit", "messages of store-intents"):
        assert places[where], where
    assert any(where.startswith("release record") for where in places)


def test_no_password_is_anywhere_but_in_the_secret(places: dict[str, bytes], passwords: list[str]) -> None:
    leaks = {
        where: password[:3] + "…"
        for where, content in places.items()
        if where != "passwords"
        for password in passwords
        if _contains(content, password)
    }
    assert not leaks


def test_the_platforms_own_keys_are_on_no_command_line_and_in_no_log(
    whole: World, places: dict[str, bytes]
) -> None:
    keys = [whole.values["URUMI_API_TOKEN"]]
    keys += [value.split("@")[0].rpartition(":")[2] for name, value in whole.values.items() if "://" in value]
    for file in (whole.place.data / "credentials").glob("*.kubeconfig"):
        keys.append(json.loads(file.read_text())["users"][0]["user"]["token"])
    keys = [each for each in keys if len(each) >= 16]
    assert len(keys) >= 4
    shown = ("cmdline", "log ", "table ", "messages ", "GET ", "DELETE")
    leaks = [
        where
        for where, content in places.items()
        if where.startswith(shown) and any(_contains(content, key) for key in keys)
    ]
    assert not leaks


@pytest.mark.parametrize("times", [0, 1, 2])
@pytest.mark.parametrize("before", [b"", b"x", b"xy"])
def test_a_canary_is_found_however_it_was_encoded(times: int, before: bytes) -> None:
    content = before + b'{"password": "canary-0123456789"}'
    for _ in range(times):
        content = base64.b64encode(content)
    assert _contains(b"something " + content, "canary-0123456789")
    assert _contains(content.hex().encode(), "canary-0123456789") or times
    assert not _contains(content, "canary-9876543210")


def _contains(content: bytes, secret: str) -> bool:
    return any(form in content for form in _forms(secret))


def _forms(secret: str) -> set[bytes]:
    """The secret in clear, in hex, and as it stands inside base64 of longer texts, once and twice."""
    plain = secret.encode()
    once = _inside_base64(plain)
    return {plain, plain.hex().encode(), *once, *(form for each in once for form in _inside_base64(each))}


def _inside_base64(text: bytes) -> set[bytes]:
    """What base64 makes of the text at each of the three places it may begin at, without doubtful ends."""
    forms = set()
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + text + b"\0\0")
        begin = -(-before * 4 // 3)
        forms.add(encoded[begin : (before + len(text)) * 4 // 3])
    return forms


@contextmanager
def _processes_watched() -> Iterator[dict[str, bytes]]:
    """The command line of every process of this machine, as often as can be."""
    seen: set[bytes] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            for process in Path("/proc").iterdir():
                if process.name.isdigit():
                    with suppress(OSError):
                        seen.add((process / "cmdline").read_bytes())
            time.sleep(0.001)

    found: dict[str, bytes] = {}
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()
        found["cmdline of all processes"] = b"\n".join(seen)


def _passwords(world: World, store_id: str) -> list[str]:
    secret = world.cluster.get(f"/api/v1/namespaces/store-{store_id}/secrets/{SECRET}")
    assert secret
    values = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    return [value for name, value in values.items() if "password" in name]


def _objects(world: World, store_id: str) -> dict[str, bytes]:
    base = f"namespaces/store-{store_id}"
    found = {
        f"{kind} of {store_id}": json.dumps(list(world.cluster.pages(kind.format(base)))).encode()
        for kind in KINDS
    }
    for page in world.cluster.pages(f"/api/v1/{base}/secrets"):
        for secret in page["items"]:
            name = secret["metadata"]["name"]
            if name.startswith("sh.helm.release"):
                found[f"release record {name}"] = _unpacked(secret)
            elif name != SECRET:
                found[f"secret {name}"] = json.dumps(secret).encode()
    return found


def _unpacked(record: dict[str, Any]) -> bytes:
    return gzip.decompress(base64.b64decode(base64.b64decode(record["data"]["release"])))


def _messages(subscription: str) -> bytes:
    body = {"maxMessages": 1000, "returnImmediately": True}
    answer = httpx.post(f"{subscription}:pull", json=body, timeout=30).raise_for_status().json()
    received = [each["message"] for each in answer.get("receivedMessages", [])]
    httpx.delete(subscription).raise_for_status()
    bodies = [base64.b64decode(each.get("data", "")) for each in received]
    return json.dumps(received).encode() + b"\n".join(bodies)


def _tables(world: World) -> dict[str, bytes]:
    connection = database.connect(world.values["DATABASE_URL"])
    try:
        names = connection.run("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {
            f"table {name}": "\n".join(
                str(row[0])
                for row in connection.run(f"SELECT each::text FROM {name} AS each")  # noqa: S608 - from the catalog
            ).encode()
            for (name,) in names
        }
    finally:
        connection.close()
