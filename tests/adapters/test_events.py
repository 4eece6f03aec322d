"""The contracts of the ports that are Pub/Sub, on the fakes and on the real emulator."""

from __future__ import annotations

import base64
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import grpc
import httpx
import pytest
from google.pubsub_v1 import PublishRequest, PublishResponse

from control_plane.adapters.pubsub_dead_letters import PubSubDeadTopic
from control_plane.adapters.pubsub_events import PubSubEvents, pushed
from control_plane.domain.events import StoreIntent
from control_plane.domain.store_events import StoreEvent, StoreEventData, StoreEventType
from control_plane.ports.messages import Announcement
from dev.machine import emulator, topics
from tests import places
from tests.fakes.clock import FakeClock
from tests.fakes.dead_letters import FakeDeadTopic
from tests.fakes.events import FakeEvents


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """The emulator's address; its topics are there."""
    place = places.fresh()
    try:
        address = emulator.up(place, print).address
        topics.ensure(
            address, **dict.fromkeys(("provision", "reconcile", "billing_event"), "http://127.0.0.1:1")
        )
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
    assert events.announce([said(), said()], timeout=10)
    events.rollout_started("eu-1")


def test_the_very_message_arrives_and_says_for_which_cell_it_is(broker: str) -> None:
    name = subscribed(broker, "store-intents")
    announcements = [said("eu-1"), said("us-1")]
    assert PubSubEvents(topics.PROJECT, broker).announce(announcements, timeout=10)
    assert {(each["data"], each["attributes"]["cell"]) for each in pulled(broker, name)} == {
        (base64.b64encode(each.intent.encode()).decode(), each.cell) for each in announcements
    }


def test_a_wake_up_says_for_which_cell_it_is(broker: str) -> None:
    name = subscribed(broker, "rollouts")
    PubSubEvents(topics.PROJECT, broker).rollout_started("eu-1")
    assert [each["attributes"] for each in pulled(broker, name)] == [{"cell": "eu-1"}]


def test_what_was_on_a_topic_before_is_published_again_as_it_was(broker: str) -> None:
    name = subscribed(broker, "store-intents")
    body = b"\xff\x00 whatever it was"
    assert PubSubEvents(topics.PROJECT, broker).publish_again("store-intents", body, timeout=10)
    (message,) = pulled(broker, name)
    assert pushed("1", {"message": message}).body == body
    assert "attributes" not in message  # for all cells: whose it is, nobody knows


@pytest.mark.parametrize("kind", ["fake", "emulator"])
def test_what_is_on_the_dead_letter_topic_is_there_until_it_is_acknowledged(
    kind: str, request: pytest.FixtureRequest
) -> None:
    bodies = [b"", b"\xff\x00", b"x" * 5_000_000]
    topic: FakeDeadTopic | PubSubDeadTopic
    if kind == "fake":
        topic = FakeDeadTopic(FakeClock())
        for body in bodies:
            topic.arrive(body, deliveries=10)
    else:
        broker = request.getfixturevalue("broker")
        topic = PubSubDeadTopic(topics.PROJECT, broker)
        assert topic.pull(limit=100, timeout=5) == []
        give_up(broker, bodies)
    found = topic.pull(limit=100, timeout=5)
    assert [(each.message.body, each.deliveries) for each in found] == [(body, 10) for body in bodies]
    assert len({each.message.id for each in found}) == len(bodies)
    topic.acknowledge([each.receipt for each in found], timeout=5)
    assert topic.pull(limit=100, timeout=5) == []


def test_no_more_is_pulled_than_the_limit_and_what_the_broker_does_not_say_is_none(broker: str) -> None:
    topic = PubSubDeadTopic(topics.PROJECT, broker)
    give_up(broker, [b"1", b"2", b"3"], count="many")
    first, rest = topic.pull(limit=2, timeout=5), topic.pull(limit=2, timeout=5)
    assert [each.message.body for each in (*first, *rest)] == [b"1", b"2", b"3"]
    assert {each.deliveries for each in first} == {None}
    topic.acknowledge([each.receipt for each in (*first, *rest)], timeout=5)


def test_what_is_refused_again_and_again_is_moved_there_with_the_number_of_times(broker: str) -> None:
    base, name = base_of(broker), f"test-{uuid4().hex[:8]}"
    source = {
        "topic": f"projects/{topics.PROJECT}/topics/store-intents",
        "deadLetterPolicy": {
            "deadLetterTopic": f"projects/{topics.PROJECT}/topics/store-intents-dead",
            "maxDeliveryAttempts": 5,
        },
        "pushConfig": {"pushEndpoint": "http://127.0.0.1:1/"},
    }
    httpx.put(f"{base}/subscriptions/{name}", json=source).raise_for_status()
    body = uuid4().hex.encode()
    assert PubSubEvents(topics.PROJECT, broker).publish_again("store-intents", body, timeout=10)
    topic, until = PubSubDeadTopic(topics.PROJECT, broker), time.monotonic() + 60
    found: dict[bytes, int | None] = {}
    while body not in found:
        assert time.monotonic() < until, found
        time.sleep(0.2)
        moved = topic.pull(limit=100, timeout=5)
        found |= {each.message.body: each.deliveries for each in moved}
        if moved:
            topic.acknowledge([each.receipt for each in moved], timeout=5)
    assert found[body] == 5
    httpx.delete(f"{base}/subscriptions/{name}")


def happened(store_id: UUID, sequence: int) -> StoreEvent:
    data = StoreEventData(store_id=store_id, account_id=uuid4(), generation=1, reason=None)
    return StoreEvent(
        id=uuid4(),
        type=StoreEventType.READY,
        subject=store_id,
        time=datetime.now(UTC),
        sequence=sequence,
        data=data,
    )


def of_two_stores() -> list[StoreEvent]:
    stores = uuid4(), uuid4()
    return [happened(stores[number % 2], number) for number in range(1, 7)]


def test_all_events_of_all_stores_are_taken_each_stores_in_their_order(
    events: FakeEvents | PubSubEvents,
) -> None:
    said = of_two_stores()
    taken = events.tell(said, timeout=10)
    for store_id in {each.subject for each in said}:
        assert [each for each in taken if each.subject == store_id] == [
            each for each in said if each.subject == store_id
        ]
    assert len(taken) == len(said)


def test_an_event_arrives_with_its_store_as_its_ordering_key(broker: str) -> None:
    name, happened = subscribed(broker, "store-events"), of_two_stores()
    PubSubEvents(topics.PROJECT, broker).tell(happened, timeout=10)
    found = pulled(broker, name)
    read = {StoreEvent.model_validate_json(base64.b64decode(each["data"])): each for each in found}
    assert {event.id: each["orderingKey"] for event, each in read.items()} == {
        each.id: str(each.subject) for each in happened
    }


class _Strict(grpc.GenericRpcHandler):
    """Takes what Pub/Sub itself takes, which the emulator is not as strict about; and so many requests."""

    def __init__(self, takes: int, lasts: float = 0) -> None:
        self.taken: list[str] = []
        self._takes, self._lasts = takes, lasts

    def service(self, _: object) -> grpc.RpcMethodHandler[PublishRequest, PublishResponse]:
        return grpc.unary_unary_rpc_method_handler(
            self._publish, PublishRequest.deserialize, PublishResponse.serialize
        )

    def _publish(self, request: PublishRequest, context: grpc.ServicerContext) -> PublishResponse:
        time.sleep(self._lasts)
        keys = {each.ordering_key for each in request.messages}
        if len(keys) != 1:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "more than one ordering key")
        if len(self.taken) == self._takes:
            context.abort(grpc.StatusCode.UNAVAILABLE, "no more today")
        self.taken += keys
        return PublishResponse(message_ids=[str(number) for number, _ in enumerate(request.messages)])


@contextmanager
def strict(handler: _Strict) -> Iterator[PubSubEvents]:
    server = grpc.server(ThreadPoolExecutor(2), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield PubSubEvents("p-test", f"127.0.0.1:{port}")
    finally:
        server.stop(None).wait()


def test_a_request_has_the_events_of_one_store_and_what_comes_after_a_refusal_is_not_taken() -> None:
    said, all_of_it, some = of_two_stores(), _Strict(takes=9), _Strict(takes=1)
    first = [each for each in said if each.subject == said[0].subject]
    with strict(all_of_it) as events:
        assert {each.id for each in events.tell(said, timeout=10)} == {each.id for each in said}
    assert all_of_it.taken == [str(said[0].subject), str(said[1].subject)]
    with strict(some) as events:
        assert events.tell(said, timeout=10) == first


def test_many_stores_cost_no_more_than_the_time_given() -> None:
    said = [happened(uuid4(), number) for number in range(1, 30)]
    with strict(_Strict(takes=99, lasts=0.2)) as events:
        began = time.monotonic()
        taken = events.tell(said, timeout=1.5)
        assert time.monotonic() - began < 2.5
    assert taken
    assert taken == said[: len(taken)]
    assert len(taken) < len(said)


def base_of(broker: str) -> str:
    return f"http://{broker}/v1/projects/{topics.PROJECT}"


def said(cell: str = "eu-1") -> Announcement:
    """What somebody has recorded to be said."""
    return Announcement(uuid4(), StoreIntent(uuid4(), 7), cell)


def pulled(broker: str, subscription: str) -> list[dict[str, Any]]:
    """The messages that wait there."""
    url = f"{base_of(broker)}/subscriptions/{subscription}:pull"
    answer = httpx.post(url, json={"maxMessages": 9}, timeout=30).json()
    return [each["message"] for each in answer["receivedMessages"]]


def subscribed(broker: str, topic: str) -> str:
    """A new pull subscription."""
    name = f"test-{uuid4().hex[:8]}"
    full = f"projects/{topics.PROJECT}/topics/{topic}"
    httpx.put(f"{base_of(broker)}/subscriptions/{name}", json={"topic": full}).raise_for_status()
    return name


def give_up(broker: str, bodies: list[bytes], count: str = "10") -> None:
    """Put messages on the dead-letter topic as the broker does."""
    attributes = {"CloudPubSubDeadLetterSourceDeliveryCount": count}
    messages = [{"data": base64.b64encode(body).decode(), "attributes": attributes} for body in bodies]
    url = f"{base_of(broker)}/topics/store-intents-dead:publish"
    httpx.post(url, json={"messages": messages}, timeout=30).raise_for_status()


def test_a_broker_that_is_away_or_silent_costs_no_more_than_the_time_given() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        for address in ("127.0.0.1:1", f"127.0.0.1:{silent.getsockname()[1]}"):
            began = time.monotonic()
            assert not PubSubEvents("p-test", address).announce([said()], timeout=1)
            assert PubSubEvents("p-test", address).tell(of_two_stores(), timeout=1) == []
            assert PubSubDeadTopic("p-test", address).pull(limit=100, timeout=1) == []
            PubSubDeadTopic("p-test", address).acknowledge(["1"], timeout=1)
            assert time.monotonic() - began < 7


def test_after_a_failure_the_same_publisher_works_again(broker: str) -> None:
    """With the batching client it did not."""
    host, _, port = broker.partition(":")
    with socket.socket() as probe:
        probe.bind((host, 0))
        free = probe.getsockname()[1]
    events = PubSubEvents(topics.PROJECT, f"{host}:{free}")
    assert not events.announce([said()], timeout=1)
    with _Forward(free, int(port)):
        give_up = time.monotonic() + 10
        while not events.announce([said()], timeout=1):
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
