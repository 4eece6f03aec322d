"""The Pub/Sub emulator as the machine runs it."""

from __future__ import annotations

import http.client
import json
import os
import signal
from typing import Any

import pytest

from dev.machine import emulator, processes, topics
from dev.machine.place import Place


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.delenv("URUMI_EMULATOR_HOST", raising=False)
    place = Place(tmp_path)
    yield place
    emulator.down(place)


def _up(place: Place) -> emulator.Emulator:
    return emulator.up(place, lambda _: None)


def _subscription(address: str, name: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request("GET", f"/v1/projects/{topics.PROJECT}/subscriptions/{name}")
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer
    finally:
        connection.close()


def test_topics_are_made_again_after_a_kill_and_follow_a_new_port(place):
    first = _up(place)
    topics.ensure(
        first.address,
        provision="http://127.0.0.1:8081",
        reconcile="http://127.0.0.1:8082",
        billing_event="http://127.0.0.1:8083",
    )
    topics.ensure(
        first.address,
        provision="http://127.0.0.1:9000",
        reconcile="http://127.0.0.1:8082",
        billing_event="http://127.0.0.1:8083",
    )
    pushed = _subscription(first.address, "store-intents-provision")["pushConfig"]["pushEndpoint"]
    assert pushed == f"http://127.0.0.1:9000/projects/{topics.PROJECT}/topics/store-intents"

    record = processes.running(place, emulator.PART)
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)
    second = _up(place)
    assert second.address == first.address
    assert "error" in _subscription(second.address, "store-intents-provision")
    topics.ensure(
        second.address,
        provision="http://127.0.0.1:9000",
        reconcile="http://127.0.0.1:8082",
        billing_event="http://127.0.0.1:8083",
    )
    made = _subscription(second.address, "store-intents-provision")
    assert made["ackDeadlineSeconds"] == 600
    assert made["deadLetterPolicy"]["maxDeliveryAttempts"] == 10


def test_two_places_have_an_emulator_each(place, tmp_path):
    other = Place(tmp_path / "other")
    try:
        assert _up(place).address != _up(other).address
    finally:
        emulator.down(other)
