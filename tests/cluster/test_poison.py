"""What nobody can act on is parked once, with its reason, and the other stores do not notice."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

import pytest

from dev.machine.place import CHECKOUT
from tests.cluster.world import World, an_intent

LONGEST = 240.0
REDELIVERY = 3.0  # seconds; the emulator sends a refused message again after one


@pytest.fixture(autouse=True)
def letters_answered(world: World) -> Iterator[None]:
    """Other tests of this ring find no letters of these."""
    yield
    world.sql(
        "UPDATE dead_letters SET answer = 'discarded', answered_at = clock_timestamp() WHERE answer IS NULL"
    )
    world.sql("DELETE FROM dead_letters")


def poison() -> dict[str, tuple[bytes, str, str]]:
    """A body of each kind that is told from all others, its kind, and what its reason says."""
    mark = uuid4().hex
    unknown = str(uuid4())
    return {
        "bad JSON": (b"this is not JSON " + mark.encode(), "malformed", "the message is not JSON"),
        "not an object": (json.dumps([mark]).encode(), "malformed", "not a JSON object"),
        "unknown version": (an_intent(str(uuid4()), schema_version=99), "malformed", "schema version 99"),
        "not an id": (an_intent(mark + "x"), "malformed", "does not name a store"),
        "unknown store": (an_intent(unknown), "unknown-store", unknown),
    }


@pytest.mark.parametrize("name", list(poison()))
def test_a_message_that_nobody_can_act_on_is_parked_once_with_its_reason(world: World, name: str) -> None:
    body, kind, reason = poison()[name]
    world.publish(body)
    (letter,) = _await(lambda: letters_of(world, body), "it was never parked")
    assert (letter["kind"], letter["source"], letter["answer"]) == (kind, "store-intents", None)
    assert reason in letter["reason"]
    time.sleep(REDELIVERY)
    assert [each["deliveries"] for each in letters_of(world, body)] == [1]


def test_what_the_broker_gave_up_is_parked_by_the_next_pass(world: World) -> None:
    body = f"given up {uuid4()}".encode()
    world.publish(body, topic="store-intents-dead")
    (letter,) = _await(lambda: letters_of(world, body), "it was never parked")
    assert (letter["kind"], letter["deliveries"]) == ("undeliverable", 1)


def test_a_store_that_the_chart_refuses_is_parked_and_requeued_when_it_is_mended(world: World) -> None:
    store_id = a_row(world, hostname="NO HOST NAME")
    world.publish(an_intent(store_id))
    letter = the_refusal_of(world, store_id)
    assert "the chart was refused" in letter["reason"]

    refused = urumi(world, "queue", "requeue", str(uuid4()))
    assert (refused.returncode, refused.stdout) == (1, "")
    world.sql("UPDATE stores SET hostname = :id || '.localhost' WHERE id = :id", id=store_id)
    requeued = urumi(world, "queue", "requeue", str(letter["id"])[:12], "--as", "anna", "--reason", "mended")
    assert (requeued.returncode, requeued.stderr) == (0, "")

    assert world.settle([store_id], seconds=LONGEST) == {"READY": 1}
    assert letters_of(world, letter["body"])[0]["answer"] == "requeued"
    (operation,) = world.sql("SELECT * FROM operations WHERE subject = :id", id=str(letter["id"]))
    assert (operation["operator"], operation["action"], operation["reason"]) == (
        "anna",
        "dead letter requeued",
        "mended",
    )


def test_a_store_that_a_quota_refuses_is_parked_and_requeued_when_there_is_room(world: World) -> None:
    store_id = a_row(world)
    namespace = f"store-{store_id}"
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    world.cluster.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    world.cluster.create(quotas, {"metadata": {"name": "foreign"}, "spec": {"hard": {"services": "0"}}})
    _await(lambda: (world.cluster.get(f"{quotas}/foreign") or {})["status"].get("hard"), "never in force")

    world.publish(an_intent(store_id))
    letter = the_refusal_of(world, store_id)
    assert "quota" in letter["reason"]

    world.cluster.delete(f"{quotas}/foreign")
    assert urumi(world, "queue", "requeue", str(letter["id"])).returncode == 0
    assert world.settle([store_id], seconds=LONGEST) == {"READY": 1}


def test_an_operator_sees_discards_and_publishes_again(world: World) -> None:
    bodies = [f"poison {uuid4()}".encode() for _ in range(2)]
    world.publish(*bodies)
    _await(lambda: all(letters_of(world, body) for body in bodies), "they were never parked")
    listed = json.loads(urumi(world, "queue", "list", "--json").stdout)["letters"]
    ids = {each["body"]: each["id"] for each in listed}
    first, second = (ids[body.decode()] for body in bodies)

    assert urumi(world, "queue", "discard", first, "--reason", "noise").returncode == 0
    assert urumi(world, "queue", "requeue", second).returncode == 0

    # Still bad, the second comes back as a message of its own.
    again = _await(lambda: [each for each in letters_of(world, bodies[1]) if not each["answer"]], "lost")
    assert [each["deliveries"] for each in again] == [1]
    assert [each["answer"] for each in letters_of(world, bodies[0])] == ["discarded"]


def test_fifty_messages_of_poison_hold_up_none_of_ten_stores(world: World) -> None:
    clean = timed(world, [])
    bodies = [body for _ in range(10) for body, _, _ in poison().values()]
    beside = timed(world, bodies)
    print(f"\nten stores READY after {clean:.1f} s; beside 50 messages of poison after {beside:.1f} s")

    _await(lambda: all(letters_of(world, body) for body in bodies), "not all of it was parked")
    time.sleep(REDELIVERY)
    assert Counter(each["deliveries"] for body in bodies for each in letters_of(world, body)) == {1: 50}
    ids = [letters_of(world, body)[0]["message_id"] for body in bodies]
    log = world.place.log("provision").read_text()
    assert [log.count(f'"letter": "{each}"') for each in ids] == [1] * 50


def timed(world: World, bodies: Sequence[bytes]) -> float:
    """Seconds until ten stores, ordered while this poison arrives, are READY."""
    began = time.monotonic()
    if bodies:
        world.publish(*bodies)
    ids = world.create_many(10)
    assert world.settle(ids, seconds=LONGEST) == {"READY": 10}
    took = time.monotonic() - began
    world.assert_whole(ids)
    return took


def letters_of(world: World, body: bytes) -> Sequence[Mapping[str, Any]]:
    """The letters with this body, oldest first."""
    return world.sql("SELECT * FROM dead_letters WHERE body = :body ORDER BY parked_at", body=body)


def the_refusal_of(world: World, store_id: str) -> Mapping[str, Any]:
    """The one letter of a store that is to be given up, as soon as it is."""
    assert world.settle([store_id], seconds=LONGEST) == {"FAILED": 1}
    (letter,) = world.sql("SELECT * FROM dead_letters WHERE store_id = :id", id=store_id)
    assert (letter["kind"], letter["generation"], letter["deliveries"]) == ("refused", 1, 1)
    assert letter["reason"] == world.show_row(store_id)["reason"]
    return letter


def a_row(world: World, **columns: str) -> str:
    """A store made by hand in the database, which nobody announces."""
    store_id = str(uuid4())
    values = {
        "id": store_id,
        "name": f"poison-{store_id[:8]}",
        "hostname": f"{store_id}.localhost",
        **columns,
    }
    world.sql(
        """INSERT INTO stores (id, customer_id, name, title, admin_email, plan, hostname, cell, quiet_until)
        SELECT :id, accounts.id, :name, 'Poison', 'a@example.com', 'standard', :hostname, cells.id,
            clock_timestamp() + interval '1 hour' FROM cells, accounts WHERE accounts.plan = 'partner'""",
        **values,
    )
    return store_id


def urumi(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    """The command, in the place of this world."""
    environment = {
        **os.environ,
        "URUMI_HOME": str(world.place.root),
    }
    command = [str(CHECKOUT / ".venv" / "bin" / "urumi"), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def _await(look: Callable[[], Any], otherwise: str) -> Any:
    """What `look` finds, as soon as it finds something."""
    give_up = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < give_up, otherwise
        time.sleep(0.1)
    return found
