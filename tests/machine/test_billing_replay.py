"""A year of billing through the real broker: shuffled, doubled, and the function killed in between."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest

from control_plane.domain.billing import Fact, FactKind, Subscription, fold, learned, meaning
from control_plane.domain.billing_events import decode
from control_plane.plan_file import plans
from dev.machine import database, emulator, topics
from dev.machine.place import CHECKOUT
from dev.machine.ports import free_port
from tests import places
from tests.builders import BASE_DOMAIN, CELL
from tests.postgres_server import Server

K = FactKind
SUBSCRIPTIONS = 24
KILLS = 3
SECONDS = 200.0
NOW = datetime.now(UTC).replace(microsecond=0)
_PLANS = ("standard", "business")
# What may follow what, so that a history is one that a billing system could tell.
NEXT = {
    K.TRIAL_STARTED: (K.TRIAL_WILL_END, K.ACTIVATED, K.ACTIVATED, K.PAST_DUE, K.PAUSED, K.CANCELED),
    K.TRIAL_WILL_END: (K.ACTIVATED, K.ACTIVATED, K.PAST_DUE, K.CANCELED),
    K.ACTIVATED: (K.PLAN_CHANGED, K.PAST_DUE, K.REFUNDED, K.CANCELED, K.PAUSED),
    K.PLAN_CHANGED: (K.PLAN_CHANGED, K.PAST_DUE, K.CANCELED),
    K.REFUNDED: (K.CANCELED, K.PAST_DUE),
    K.PAST_DUE: (K.PAST_DUE, K.RECOVERED, K.RECOVERED, K.CANCELED, K.EXPIRED),
    K.RECOVERED: (K.PLAN_CHANGED, K.PAST_DUE, K.CANCELED),
    K.PAUSED: (K.RECOVERED, K.CANCELED),
    K.CANCELED: (K.ACTIVATED,),
    K.EXPIRED: (K.ACTIVATED, K.RECOVERED),
}


def a_history(number: int, chance: random.Random) -> list[bytes]:
    """The events of one subscription, in order."""
    subscription = f"sub_{number}"
    kind = chance.choice((K.TRIAL_STARTED, K.ACTIVATED))
    at = NOW - timedelta(days=chance.uniform(200, 365))
    events = []
    while at < NOW:
        data: dict[str, Any] = {
            "subscription_id": subscription,
            "customer": f"cus_{number // 2}",
            "occurred_at": at.isoformat(),
        }
        if kind in (K.TRIAL_STARTED, K.ACTIVATED):
            name = f"shop-{number}"
            data["store"] = {"name": name, "title": name.upper(), "admin_email": f"{name}@example.com"}
        if kind is K.PLAN_CHANGED:
            # Not the smaller one again: a store's volumes stay as large as they were made.
            data["plan"] = "business"
        events.append(
            {
                "specversion": "1.0",
                "type": f"subscription.{kind}",
                "source": "https://billing.example.com",
                "id": f"evt_{number}_{len(events)}",
                "data": data,
            }
        )
        # Whole seconds, and some of them shared.
        at += timedelta(days=chance.choice((0, 1, chance.randint(10, 60), chance.randint(10, 60))))
        kind = chance.choice(NEXT[kind])
    return [json.dumps(event).encode() for event in events]


class Function:
    """`billing_event` as a process that can be killed and started again at the same port."""

    def __init__(self, login: str, broker: str) -> None:
        self.port = free_port()
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "FUNCTION_TARGET": "billing_event",
            "DATABASE_URL": login,
            "PUBSUB_PROJECT_ID": topics.PROJECT,
            "PUBSUB_EMULATOR_HOST": broker,
            "URUMI_NEW_STORES_CELL": CELL,
            "URUMI_BASE_DOMAIN": BASE_DOMAIN,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it answers afterwards."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "control_plane.launcher"],
            env=self._environment,
            cwd=CHECKOUT,
            start_new_session=True,
        )
        give_up = time.monotonic() + 30
        while True:
            with suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{self.port}/robots.txt", timeout=5)
                return
            assert time.monotonic() < give_up, "it does not answer"
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL it and all its children."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@pytest.fixture
def broker() -> Iterator[str]:
    place = places.fresh()
    try:
        yield emulator.up(place, print).address
    finally:
        emulator.down(place)
        places.remove(place)


class Taker(BaseHTTPRequestHandler):
    """Stands for the other functions: takes every message. One that is refused slows down all others."""

    def do_POST(self) -> None:
        """Acknowledge."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def taker() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def function(postgres: Server, database_url: str, broker: str, taker: str) -> Iterator[Function]:
    function = Function(postgres.logins(database_url)["billing_event"], broker)
    function.start()
    here = f"http://127.0.0.1:{function.port}"
    topics.ensure(broker, provision=taker, reconcile=taker, billing_event=here)
    yield function
    function.kill()


def publish(broker: str, bodies: list[bytes]) -> None:
    url = f"http://{broker}/v1/projects/{topics.PROJECT}/topics/billing-events:publish"
    messages = [{"data": base64.b64encode(body).decode()} for body in bodies]
    assert httpx.post(url, json={"messages": messages}, timeout=30).status_code == 200


def test_a_year_of_billing_ends_where_the_model_does(
    function: Function, broker: str, database_url: str
) -> None:
    chance = random.Random(20260301)  # noqa: S311 - the same in every run
    histories = [a_history(number, chance) for number in range(SUBSCRIPTIONS)]
    facts = [[decode(event) for event in history] for history in histories]
    events = [event for history in histories for event in history]
    mixed = [*events, *chance.sample(events, len(events) // 3), b"poison", b"{}"]
    chance.shuffle(mixed)
    with closing(database.connect(database_url)) as connection:
        deliver(function, broker, chance, mixed)
        await_all(connection, len(events))
        stores = connection.run("SELECT count(*), count(DISTINCT customer_id) FROM stores")
        assert stores == [[SUBSCRIPTIONS, SUBSCRIPTIONS // 2]]
        compare(connection, facts)
        letters = connection.run("SELECT reason FROM dead_letters ORDER BY reason")
        assert letters == [["the event has no type"], ["the message is not JSON"]]


def deliver(function: Function, broker: str, chance: random.Random, mixed: list[bytes]) -> None:
    """Publish all of it, with kills in between."""
    part = len(mixed) // (KILLS + 1)
    for kill in range(KILLS + 1):
        publish(broker, mixed[kill * part : (kill + 1) * part if kill < KILLS else None])
        if kill < KILLS:
            time.sleep(chance.uniform(0.1, 0.6))
            function.kill()
            function.start()


def await_all(connection: Any, events: int) -> None:
    """Wait until each event is recorded, and see that none is twice."""

    def recorded() -> int:
        return int(connection.run("SELECT count(*) FROM billing_facts")[0][0])

    give_up = time.monotonic() + SECONDS
    while recorded() < events:
        assert time.monotonic() < give_up, f"{recorded()} of {events} are recorded"
        time.sleep(0.5)
    time.sleep(1)  # what is doubled may still come
    assert recorded() == events


def compare(connection: Any, facts: list[list[Fact]]) -> None:
    """Each subscription and its store with what the model says of its facts."""
    for number, history in enumerate(facts):
        folded: Subscription = fold(history)
        (row,) = connection.run(
            "SELECT sub.status, sub.since, sub.plan, sub.note, s.holds, s.notice, s.plan"
            " FROM subscriptions sub JOIN stores s ON s.id = sub.store_id WHERE sub.id = :id",
            id=f"sub_{number}",
        )
        plan = plans().stores[folded.plan or "standard"]
        # All of it is known of since now: nothing is suspended without notice, nor removed yet.
        now = datetime.now(UTC)
        wish, _ = meaning(learned(folded, Subscription(), now), plan, now)
        holds = [] if wish.runs else ["billing"]
        found = (folded.status, folded.since, folded.plan, "", holds, wish.notice, folded.plan or "standard")
        assert tuple(row) == found, f"sub_{number}"
