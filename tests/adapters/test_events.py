"""The contract of the `Events` port, on the fake and on the real emulator."""

from __future__ import annotations

import base64
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from control_plane.adapters.pubsub_events import PubSubEvents
from control_plane.domain.events import StoreIntent
from dev.machine import emulator, topics
from tests import places
from tests.fakes.clock import FakeClock
from tests.fakes.events import FakeEvents


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """The emulator's address; its topics are there."""
    place = places.fresh()
    try:
        address = emulator.up(place, print).address
        topics.ensure(address, provision="http://127.0.0.1:1", reconcile="http://127.0.0.1:1")
        yield address
    finally:
        emulator.down(place)
        places.remove(place)


@pytest.fixture(params=["fake", "emulator"])
def events(request: pytest.FixtureRequest) -> FakeEvents | PubSubEvents:
    if request.param == "fake":
        return FakeEvents(FakeClock())
    return PubSubEvents(topics.PROJECT, request.getfixturevalue("broker"))


def test_what_is_announced_is_taken(events: FakeEvents | PubSubEvents) -> None:
    assert events.announce([StoreIntent(uuid4(), 1), StoreIntent(uuid4(), 2)], timeout=10)
    events.rollout_started()


def test_the_very_message_arrives(broker: str) -> None:
    base = f"http://{broker}/v1/projects/{topics.PROJECT}"
    name = f"test-{uuid4().hex[:8]}"
    topic = f"projects/{topics.PROJECT}/topics/store-intents"
    httpx.put(f"{base}/subscriptions/{name}", json={"topic": topic}).raise_for_status()
    intent = StoreIntent(uuid4(), 7)
    assert PubSubEvents(topics.PROJECT, broker).announce([intent], timeout=10)
    pulled = httpx.post(f"{base}/subscriptions/{name}:pull", json={"maxMessages": 9}, timeout=30).json()
    assert [base64.b64decode(each["message"]["data"]) for each in pulled["receivedMessages"]] == [
        intent.encode()
    ]


def test_a_broker_that_is_away_or_silent_costs_no_more_than_the_time_given() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        for address in ("127.0.0.1:1", f"127.0.0.1:{silent.getsockname()[1]}"):
            began = time.monotonic()
            assert not PubSubEvents("p-test", address).announce([StoreIntent(uuid4(), 1)], timeout=1)
            assert time.monotonic() - began < 3


def test_after_a_failure_the_same_publisher_works_again(broker: str) -> None:
    """With the batching client it did not."""
    host, _, port = broker.partition(":")
    with socket.socket() as probe:
        probe.bind((host, 0))
        free = probe.getsockname()[1]
    events = PubSubEvents(topics.PROJECT, f"{host}:{free}")
    assert not events.announce([StoreIntent(uuid4(), 1)], timeout=1)
    with _Forward(free, int(port)):
        give_up = time.monotonic() + 10
        while not events.announce([StoreIntent(uuid4(), 1)], timeout=1):
            assert time.monotonic() < give_up
            time.sleep(0.1)


class _Forward:
    """A TCP forwarder on loopback: the broker, come back at the address where it was missed."""

    def __init__(self, listen: int, to: int) -> None:
        self._listen, self._to = listen, to

    def __enter__(self) -> None:
        code = (
            "import asyncio, sys\n"
            "async def pump(a, b):\n"
            "    while data := await a.read(65536):\n"
            "        b.write(data); await b.drain()\n"
            "    b.close()\n"
            "async def serve(r, w):\n"
            "    r2, w2 = await asyncio.open_connection('127.0.0.1', int(sys.argv[2]))\n"
            "    await asyncio.gather(pump(r, w2), pump(r2, w), return_exceptions=True)\n"
            "async def main():\n"
            "    server = await asyncio.start_server(serve, '127.0.0.1', int(sys.argv[1]))\n"
            "    await server.serve_forever()\n"
            "asyncio.run(main())\n"
        )
        self._child = subprocess.Popen([sys.executable, "-c", code, str(self._listen), str(self._to)])

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.wait()
