"""Messages are acknowledged or come again; a tick runs a pass."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from werkzeug.test import Client

from control_plane.domain.store import StoreState
from dev.machine.place import CHECKOUT
from tests.builders import ACTOR, STORE, a_new_store
from tests.use_cases.platform import Platform

PATH = "/projects/test-project/topics/store-intents"


def a_push(body: bytes) -> dict[str, Any]:
    data = base64.b64encode(body).decode()
    return {"subscription": "projects/p/subscriptions/s", "message": {"data": data, "messageId": "1"}}


@pytest.mark.parametrize("shape", ["emulator", "cloud"])
def test_a_pushed_intent_is_worked_on(provision: Client, platform: Platform, shape: str) -> None:
    platform.stores.add(a_new_store(id=STORE), None, ACTOR)
    body = json.loads((CHECKOUT / "tests" / "events" / f"{shape}.push.json").read_text())
    assert provision.post(PATH, json=body).status_code == 200
    assert platform.state(STORE) is StoreState.PROVISIONING


def test_a_binary_cloud_event_is_worked_on_too(provision: Client, platform: Platform) -> None:
    platform.stores.add(a_new_store(id=STORE), None, ACTOR)
    body = json.loads((CHECKOUT / "tests" / "events" / "cloud.push.json").read_text())
    headers = {
        "ce-id": "1",
        "ce-source": "//pubsub.googleapis.com/projects/p/topics/store-intents",
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        "ce-specversion": "1.0",
    }
    assert provision.post("/", json=body, headers=headers).status_code == 200
    assert platform.state(STORE) is StoreState.PROVISIONING


@pytest.mark.parametrize(
    "body",
    [
        b"not JSON",
        b"{}",
        b"",
        json.dumps({"store_id": str(STORE), "generation": 1, "schema_version": 9}).encode(),
        json.dumps({"store_id": str(STORE), "generation": 1, "schema_version": 1}).encode(),
    ],
    ids=["not JSON", "no fields", "empty", "unknown version", "unknown store"],
)
def test_what_can_never_be_acted_on_is_acknowledged(
    provision: Client, body: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    assert provision.post(PATH, json=a_push(body)).status_code == 200
    assert "message_refused" in capsys.readouterr().out


def test_what_nobody_foresaw_comes_again(provision: Client, platform: Platform) -> None:
    platform.stores.add(a_new_store(id=STORE), None, ACTOR)
    platform.releases.errors = [RuntimeError("secret detail")]
    body = (CHECKOUT / "tests" / "events" / "emulator.push.json").read_text()
    provision.application.testing = False  # type: ignore[attr-defined]
    provision.application.config["PROPAGATE_EXCEPTIONS"] = False  # type: ignore[attr-defined]
    answer = provision.post(PATH, json=json.loads(body))
    assert answer.status_code == 500
    assert b"secret" not in answer.get_data()


def test_a_tick_runs_a_pass_and_tells_what_it_did(reconcile: Client, platform: Platform) -> None:
    platform.stores.add(a_new_store(id=STORE), None, ACTOR)
    platform.deliver(STORE)
    platform.cell.pods(STORE, ready=True)
    answer = reconcile.post("/")
    assert answer.status_code == 200
    assert answer.get_json() == {
        "ran": True,
        "published": 0,
        "judged": 1,
        "given_up": 0,
        "cell_answered": True,
    }
    assert platform.state(STORE) is StoreState.READY
