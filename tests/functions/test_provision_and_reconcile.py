"""Messages are acknowledged or come again; a tick runs a pass."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from werkzeug.test import Client

from control_plane.domain.errors import DatabaseUnavailableError, MisconfiguredError
from control_plane.domain.events import StoreIntent
from control_plane.domain.store import StoreState
from dev.machine.place import CHECKOUT
from tests.builders import STORE, a_new_store
from tests.fakes.dead_letters import FakeParking
from tests.fakes.work import FakeWork
from tests.use_cases.platform import Platform

PATH = "/projects/test-project/topics/store-intents"


def a_push(body: bytes) -> dict[str, Any]:
    data = base64.b64encode(body).decode()
    return {"subscription": "projects/p/subscriptions/s", "message": {"data": data, "messageId": "1"}}


@pytest.mark.parametrize("shape", ["emulator", "cloud"])
def test_a_pushed_intent_is_worked_on(provision: Client, platform: Platform, shape: str) -> None:
    platform.add(a_new_store(id=STORE))
    body = json.loads((CHECKOUT / "tests" / "events" / f"{shape}.push.json").read_text())
    assert provision.post(PATH, json=body).status_code == 200
    assert platform.state(STORE) is StoreState.PROVISIONING


def test_a_binary_cloud_event_is_worked_on_too(provision: Client, platform: Platform) -> None:
    platform.add(a_new_store(id=STORE))
    body = json.loads((CHECKOUT / "tests" / "events" / "cloud.push.json").read_text())
    headers = {
        "ce-id": "1",
        "ce-source": "//pubsub.googleapis.com/projects/p/topics/store-intents",
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        "ce-specversion": "1.0",
    }
    assert provision.post("/", json=body, headers=headers).status_code == 200
    assert platform.state(STORE) is StoreState.PROVISIONING


def an_intent(**changes: object) -> bytes:
    fields = {"store_id": str(STORE), "generation": 1, "schema_version": 1, **changes}
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"not JSON", "malformed", "the message is not JSON"),
        (b"[1]", "malformed", "the message is not a JSON object"),
        (b"", "malformed", "the message is not JSON"),
        (an_intent(schema_version=9), "malformed", "unknown schema version 9"),
        (an_intent(store_id=7), "malformed", "the message does not name a store and a generation"),
        (an_intent(generation=1e999), "malformed", "the message does not name a store and a generation"),
        (an_intent(), "unknown-store", str(STORE)),
    ],
)
def test_what_can_never_be_acted_on_is_parked_and_acknowledged(
    provision: Client, platform: Platform, body: bytes, kind: str, reason: str
) -> None:
    for _ in range(2):
        assert provision.post(PATH, json=a_push(body)).status_code == 200
    (letter,) = platform.letters.letters(answered=False, limit=9)
    assert (letter.kind, letter.body, letter.deliveries, letter.source) == (kind, body, 2, "store-intents")
    assert reason in letter.reason


@pytest.mark.parametrize("message", [{"data": "no base64!"}, {"data": "e30"}], ids=["not base64", "cut"])
def test_a_message_whose_data_cannot_be_read_is_parked_as_it_came(
    provision: Client, platform: Platform, message: dict[str, str]
) -> None:
    push = {"subscription": "projects/p/subscriptions/s", "message": {**message, "messageId": "1"}}
    assert provision.post(PATH, json=push).status_code == 200
    (letter,) = platform.letters.letters(answered=False, limit=9)
    assert message["data"] in letter.body.decode()


def test_poison_that_cannot_be_parked_comes_again(
    provision: Client, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise DatabaseUnavailableError("the database does not answer")

    bear_errors(provision)
    with monkeypatch.context() as broken:
        broken.setattr(FakeParking, "park", away)
        assert provision.post(PATH, json=a_push(b"poison")).status_code == 500
    assert provision.post(PATH, json=a_push(b"poison")).status_code == 200
    assert len(platform.letters.letters(answered=False, limit=9)) == 1


def test_a_database_that_is_away_slows_down_nobody_and_a_pass_wakes_the_store(
    provision: Client,
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def away(*_: object, **__: object) -> None:
        raise DatabaseUnavailableError("the database does not answer")

    store = platform.create()
    push = a_push(StoreIntent(store.id, 1).encode())
    with monkeypatch.context() as broken:
        broken.setattr(FakeWork, "take", away)
        assert provision.post(PATH, json=push).status_code == 200
    assert "message_left_to_the_next_pass" in capsys.readouterr().out
    assert not platform.tables.dead_letters

    platform.events.published.clear()
    platform.clock.later(60)
    platform.run_pass()
    platform.clock.later(3)
    platform.run_pass()
    assert [each.store_id for each in platform.events.published] == [store.id]


@pytest.mark.parametrize("error", [RuntimeError("secret detail"), MisconfiguredError("secret detail")])
def test_what_nobody_foresaw_and_what_is_set_wrongly_comes_again(
    provision: Client, platform: Platform, error: Exception
) -> None:
    platform.add(a_new_store(id=STORE))
    platform.releases.errors = [error]
    body = (CHECKOUT / "tests" / "events" / "emulator.push.json").read_text()
    bear_errors(provision)
    answer = provision.post(PATH, json=json.loads(body))
    assert answer.status_code == 500
    assert b"secret" not in answer.get_data()


def bear_errors(client: Client) -> None:
    """Have the framework answer errors as it does in production."""
    client.application.testing = False  # type: ignore[attr-defined]
    client.application.config["PROPAGATE_EXCEPTIONS"] = False  # type: ignore[attr-defined]


def test_a_tick_runs_a_pass_and_tells_what_it_did(reconcile: Client, platform: Platform) -> None:
    platform.add(a_new_store(id=STORE))
    platform.deliver(STORE)
    platform.cell.pods(STORE, ready=True)
    answer = reconcile.post("/")
    assert answer.status_code == 200
    assert answer.get_json() == {
        "ran": True,
        "published": 0,
        "judged": 1,
        "given_up": 0,
        "parked": 0,
        "cell_answered": True,
    }
    assert platform.state(STORE) is StoreState.READY


def test_a_tick_parks_what_could_not_be_delivered(reconcile: Client, platform: Platform) -> None:
    platform.dead_topic.arrive(b"never acknowledged", deliveries=10)
    assert reconcile.post("/").get_json()["parked"] == 1
    assert reconcile.post("/").get_json()["parked"] == 0
