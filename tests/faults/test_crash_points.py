"""A SIGKILL between any two side effects of creating, provisioning, deleting and reconciling.

The platform's own workers rest while the deaths happen; then it is started and has to settle by
itself within three passes from the moment when the longest lease of the dead is over.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from tests.cluster.world import World
from tests.faults.hands import Child, Hands, hands, rest

# Helm's 15 s, its grace and the margin: the longest that these tests' settings have a lease last.
LONGEST_LEASE = 25.0
PASSES = 3
READY_BEFORE = 20  # stores that are updated: one for each moment of an update
CALLS_OF_A_PASS = (
    "fleet.begin_pass",
    "terms.ended",
    "terms.refresh",
    "fleet.wake_due",
    "outbox.unpublished",
    "events.announce",
    "outbox.mark_published",
    "events.untold",
    "teller.tell",
    "events.mark_told",
    "fleet.excuse_outage",
    "fleet.in_motion",
    "fleet.standings",
    "fleet.record",
    "fleet.overdue",
    "fleet.end_pass",
)


@dataclass
class Deaths:
    """What died where, and what is to become of the stores."""

    of: dict[str, str] = field(default_factory=dict)  # store id to the moment of death
    wanted: dict[str, str] = field(default_factory=dict)  # store id to its state in the end
    moments: Counter[str] = field(default_factory=Counter)

    def note(self, verb: str, child: Child, store_id: str | None, state: str) -> None:
        """A child has died; its store is to arrive at `state`."""
        assert child.status == -signal.SIGKILL, (verb, child.status, child.calls)
        self.moments[verb] += 1
        if store_id:
            self.of[store_id] = f"{verb} before {child.calls[-1]} ({len(child.calls)})"
            self.wanted[store_id] = state


@pytest.mark.timeout(600)
def test_a_kill_between_any_two_side_effects_is_settled_unaided(world: World, tmp_path: Path) -> None:
    deaths = Deaths()
    running = world.create_many(READY_BEFORE)
    world.settle(running)
    with hands(world, tmp_path) as mine:
        rest(world)
        _kill_creations(mine, world, deaths)
        _kill_installations(mine, deaths)
        _kill_updates(mine, world, deaths, running)
        _kill_passes(mine, deaths)
        _kill_removals(mine, deaths)

    world.up()
    passes = _settle(world, deaths)

    print(f"{dict(deaths.moments)} moments; {passes} passes after the longest lease")
    states = {store_id: world.show_row(store_id)["state"] for store_id in deaths.wanted}
    assert states == deaths.wanted, [
        (deaths.of[each], states[each], world.show_row(each)["reason"])
        for each in states
        if states[each] != deaths.wanted[each]
    ]
    assert passes <= PASSES
    world.assert_whole([each for each, state in deaths.wanted.items() if state == "READY"])
    world.assert_healthy(list(deaths.wanted))


def _kill_creations(mine: Hands, world: World, deaths: Deaths) -> None:
    whole = _create(mine)
    deaths.wanted[whole.result] = "READY"
    for at in _moments(whole):
        order = {"name": f"shop-{uuid4().hex[:8]}", "key": str(uuid4())}
        died = mine.begin("create", at=at, how="kill", **order).wait()
        again = mine.run("create", **order).result  # whoever got no answer asks again
        rows = world.sql("SELECT id FROM stores WHERE name = :name", name=order["name"])
        assert [str(row["id"]) for row in rows] == [again]
        deaths.note("create", died, again, "READY")


def _kill_installations(mine: Hands, deaths: Deaths) -> None:
    first = _create(mine).result
    whole = mine.run("provision", store_id=first)
    assert whole.error is None
    deaths.wanted[first] = "READY"
    stores = [(at, _create(mine).result) for at in _moments(whole)]
    dying = [mine.begin("provision", at=at, how="kill", store_id=store_id) for at, store_id in stores]
    for (_, store_id), child in zip(stores, dying, strict=True):
        deaths.note("provision", child.wait(120), store_id, "READY")


def _kill_updates(mine: Hands, world: World, deaths: Deaths, running: Sequence[str]) -> None:
    """Stores that were READY are suspended; every second one is removed for good when its worker has died."""
    first, *others = running
    mine.run("ask", store_id=first, what="suspend")
    whole = mine.run("provision", store_id=first)
    deaths.wanted[first] = "SUSPENDED"
    moments = _moments(whole)
    assert len(moments) <= len(others), "make READY_BEFORE larger"
    deaths.wanted |= dict.fromkeys(others[len(moments) :], "READY")

    def die_updating(at: int, store_id: str) -> None:
        mine.run("ask", store_id=store_id, what="suspend")
        died = mine.begin("provision", at=at, how="kill", store_id=store_id).wait()
        if at % 2:
            mine.run("ask", store_id=store_id, what="purge", given=world.show_row(store_id)["name"])
        deaths.note("update", died, store_id, "DELETED" if at % 2 else "SUSPENDED")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(die_updating, moments, others))


def _kill_removals(mine: Hands, deaths: Deaths) -> None:
    asked = _delete(mine, _installed(mine))
    first = _installed(mine)
    _delete(mine, first)
    removed = mine.run("provision", store_id=first)
    deaths.wanted[first] = "DELETED"

    def die_asking(at: int) -> None:
        store_id = _installed(mine)
        arguments = {"store_id": store_id, "what": "delete"}
        died = mine.begin("ask", at=at, how="kill", **arguments).wait()
        mine.run("ask", **arguments)  # whoever got no answer asks again
        deaths.note("delete", died, store_id, "DELETED")

    def die_removing(at: int) -> None:
        store_id = _installed(mine)
        _delete(mine, store_id)
        died = mine.begin("provision", at=at, how="kill", store_id=store_id).wait()
        deaths.note("remove", died, store_id, "DELETED")

    with ThreadPoolExecutor(4) as threads:
        done = [
            *(threads.submit(die_asking, at) for at in _moments(asked)),
            *(threads.submit(die_removing, at) for at in _moments(removed)),
        ]
        for each in done:
            each.result()


def _kill_passes(mine: Hands, deaths: Deaths) -> None:
    """There is something to publish and to judge by now, and each death leaves it to the next pass."""
    for call in CALLS_OF_A_PASS:
        give_up = time.monotonic() + 30  # the one that died before still has its lease
        while (child := mine.begin("reconcile", at=call, how="kill").wait()).status != -signal.SIGKILL:
            assert time.monotonic() < give_up, f"no pass came to {call}: {child.calls}"
            time.sleep(0.2)
        deaths.note("reconcile", child, None, "")


def _create(mine: Hands) -> Child:
    return mine.run("create", name=f"shop-{uuid4().hex[:8]}", key=str(uuid4()))


def _installed(mine: Hands) -> str:
    store_id: str = _create(mine).result
    assert mine.run("provision", store_id=store_id).error is None
    return store_id


def _delete(mine: Hands, store_id: str) -> Child:
    return mine.run("ask", store_id=store_id, what="delete")


def _moments(whole: Child) -> Sequence[int]:
    """Before each call, and after the last."""
    assert whole.error is None
    return range(1, len(whole.calls) + 1)


def _settle(world: World, deaths: Deaths) -> int:
    """Wait until all have arrived; how many passes began after the longest lease was over."""
    time.sleep(LONGEST_LEASE)
    before = _passes(world)
    world.settle(list(deaths.wanted), seconds=150)
    return _passes(world) - before


def _passes(world: World) -> int:
    return int(world.sql("SELECT pass_token FROM cells")[0]["pass_token"])
