"""A year of billing: histories that are shuffled, doubled and late, while every function is killed.

What each subscription ends as is known to whoever made its history up, and to nobody else here.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cluster.world import World

SUBSCRIPTIONS = int(os.environ.get("URUMI_SUBSCRIPTIONS") or 200)
YEAR, AFTERWARDS = 365, 100  # days; by then every grace and retention is over
QUARTERS = 4
MESSAGES = 100  # of one publication
KILLED = (("create_store", "billing_event"), ("provision",), ("reconcile", "billing_event"), ("provision",))
LONGEST = 900.0

# What may happen next to a subscription, and what it then is; None: what it was.
NEXT: dict[str, list[tuple[float, str, str | None]]] = {
    "trialing": [(6, "activated", "active"), (1, "trial_will_end", None), (1, "expired", "ended")],
    "active": [
        (3, "past_due", "unpaid"),
        (2, "plan_changed", None),
        (2, "paused", "paused"),
        (1, "refunded", None),
        (2, "canceled", "ended"),
    ],
    "unpaid": [(5, "recovered", "active"), (1, "past_due", None), (2, "canceled", "ended")],
    "paused": [(3, "recovered", "active"), (1, "canceled", "ended")],
    "ended": [(1, "recovered", "active"), (4, "", None)],
}
# What the store is when all is over. A trial that nobody paid for is not paid.
ENDS_AS = {
    "active": "READY",
    "unpaid": "SUSPENDED",
    "paused": "SUSPENDED",
    "trialing": "SUSPENDED",
    "ended": "DELETED",
}


@dataclass
class History:
    """One subscription's events in order, and what it comes to."""

    id: str
    status: str = ""
    plan: str = "standard"
    events: list[dict[str, Any]] = field(default_factory=list)

    def happens(self, kind: str, at: datetime, **more: Any) -> None:
        """One more event."""
        data = {
            "subscription_id": self.id,
            "customer": f"customer of {self.id}",
            "occurred_at": at.isoformat(),
        }
        self.events.append(
            {
                "specversion": "1.0",
                "type": f"subscription.{kind}",
                "source": "https://billing.example.com",
                "id": f"{self.id}-{len(self.events)}",
                "data": {**data, **more},
            }
        )


def a_history(chance: random.Random, number: int, begin: datetime) -> History:
    """A year of somebody's life as a customer; times have whole seconds, as Stripe's."""
    history = History(f"sub-{number}-{chance.randrange(10**9)}")
    store = {"name": f"year-{number}", "title": f"Shop {number}", "admin_email": "owner@example.com"}
    at = begin + timedelta(days=chance.randrange(40))
    if chance.random() < 0.4:
        history.happens("trial_started", at, store=store)
        history.status = "trialing"
    else:
        history.happens("activated", at, store=store, plan="standard")
        history.status = "active"
    while True:
        weights, kinds, statuses = zip(*NEXT[history.status], strict=True)
        at += timedelta(days=chance.randrange(1, 20 if history.status == "ended" else 80))
        (choice,) = chance.choices(range(len(kinds)), weights)
        if at > begin + timedelta(days=YEAR - 30) or not kinds[choice]:
            return history
        kind, more = kinds[choice], {}
        if kind == "plan_changed":
            more, history.plan = {"plan": "business"}, "business"
        if kind == "activated":
            more = {"store": store}
        history.happens(kind, at, **more)
        history.status = statuses[choice] or history.status


def quarters(chance: random.Random, histories: list[History], begin: datetime) -> list[list[bytes]]:
    """What is delivered when: late, twice and in whatever order, but all of it by the end."""
    delivered: list[list[bytes]] = [[] for _ in range(QUARTERS)]
    for history in histories:
        for event in history.events:
            day = (datetime.fromisoformat(event["data"]["occurred_at"]) - begin).days
            first = min(QUARTERS - 1, day * QUARTERS // YEAR)
            for _ in range(chance.choice([1, 1, 1, 2, 3])):
                late = chance.choice([0, 0, 0, 0, 1, 2])
                delivered[min(QUARTERS - 1, first + late)].append(json.dumps(event).encode())
    for each in delivered:
        chance.shuffle(each)
    return delivered


@pytest.mark.timeout(2000)
def test_a_year_of_billing_ends_as_the_histories_say(world: World) -> None:
    seed = int(os.environ.get("URUMI_SEED") or time.time())
    print(f"URUMI_SEED={seed}")
    chance = random.Random(seed)  # noqa: S311 - guards nothing
    begin = datetime.now(UTC).replace(microsecond=0)
    histories = [a_history(chance, number, begin) for number in range(SUBSCRIPTIONS)]
    try:
        for quarter, bodies in enumerate(quarters(chance, histories, begin)):
            days_ahead(world, YEAR * (quarter + 1) // QUARTERS)
            deliver(world, bodies, KILLED[quarter])
            await_facts(world, histories if quarter == QUARTERS - 1 else [])
        days_ahead(world, YEAR + AFTERWARDS)
        await_ends(world, histories)
        told = world.sql("SELECT DISTINCT cause FROM audit WHERE actor = 'billing'")
        assert told
        assert all(row["cause"].startswith("billing event ") for row in told)
        world.assert_healthy([])
    finally:
        world.sql("DELETE FROM time_offset")


def days_ahead(world: World, days: int) -> None:
    """Move the platform's time."""
    world.sql(
        "INSERT INTO time_offset (ahead) VALUES (make_interval(days => :days))"
        " ON CONFLICT (only_row) DO UPDATE SET ahead = EXCLUDED.ahead",
        days=days,
    )


def deliver(world: World, bodies: list[bytes], killed: Sequence[str]) -> None:
    """Publish everything, and kill these functions on the way."""
    size = len(bodies) // (len(killed) + 1) + 1
    for number, part in enumerate([*killed, None]):
        portion = bodies[number * size : (number + 1) * size]
        for start in range(0, len(portion), MESSAGES):
            world.publish(*portion[start : start + MESSAGES], topic="billing-events")
        if part:
            time.sleep(1)  # with a part of it in flight
            world.kill(part)
            world.up()


def await_facts(world: World, histories: list[History]) -> None:
    """Until nothing more comes, and every event of these histories has come, once."""
    wanted = sum(len(each.events) for each in histories)
    give_up, before, found = time.monotonic() + LONGEST, -1, 0
    while found < wanted or found != before:
        assert time.monotonic() < give_up, f"{found} of {wanted} facts"
        time.sleep(3)
        before = found
        rows = world.sql("SELECT count(*) AS n FROM billing_facts WHERE subscription_id LIKE 'sub-%'")
        found = rows[0]["n"]
    assert not wanted or found == wanted


def await_ends(world: World, histories: list[History]) -> None:
    """Until each store is what its history comes to."""
    give_up = time.monotonic() + LONGEST
    while wrong := differences(world, histories):
        assert time.monotonic() < give_up, f"{len(wrong)} differ: {wrong[:5]}"
        time.sleep(2)


def differences(world: World, histories: list[History]) -> list[str]:
    """Whose store is not what it should be, nor on the way to nothing else."""
    rows = world.sql(
        "SELECT u.id, s.state, s.plan, s.generation - s.applied_generation AS behind, u.note, s.reason"
        " FROM subscriptions u LEFT JOIN stores s ON s.id = u.store_id WHERE u.id LIKE 'sub-%'"
    )
    found = {row["id"]: row for row in rows}
    wrong = []
    for history in histories:
        row, state = found.get(history.id), ENDS_AS[history.status]
        if row and row["state"] is None and state == "DELETED":
            continue  # what it should be became known when it was over
        if row is None or row["state"] != state or (state != "DELETED" and row["plan"] != history.plan):
            kinds = [each["type"].partition(".")[2] for each in history.events]
            wrong.append(
                f"{history.id} {kinds} -> {state} on {history.plan}, but {dict(row) if row else None}"
            )
    return wrong
