"""Topics and subscriptions, as the cloud has them; made again after every start of the emulator.

It forgets everything when it stops, so this is idempotent and asked for at every `up`.
Over the emulator's REST API, because importing the Pub/Sub client takes longer than all of it.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any

from dev.machine.errors import MachineError

PROJECT = "urumi-local"
TOPICS = (
    "store-intents",
    "store-intents-dead",
    "rollouts",
    "billing-events",
    "billing-events-dead",
    "store-events",
)
DRAIN_SECONDS = 60  # what a pass pulled and did not park before it died comes again after this
FACT_SECONDS = 30  # what billing's function did not acknowledge before it died comes again after this
FACT_ATTEMPTS = 100  # the most that there is: nobody else has a fact
ACK_SECONDS = 600  # the emulator redelivers beside a request that still runs when this is over


def ensure(address: str, *, provision: str, reconcile: str, billing_event: str) -> None:
    """Make what is missing and point the pushes at the base URLs. Raises MachineError.

    `address` is the emulator's host:port.
    """
    wanted = subscriptions(provision=provision, reconcile=reconcile, billing_event=billing_event)
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    try:
        for topic in TOPICS:
            _call(connection, "PUT", f"topics/{topic}", {}, accept=(200, 409))
        for name, body in wanted.items():
            if _call(connection, "PUT", f"subscriptions/{name}", body, accept=(200, 409))[0] == 409:
                _correct(connection, name, body)
    except (OSError, http.client.HTTPException) as error:
        raise MachineError(f"the Pub/Sub emulator at {address} does not answer: {error}") from error
    finally:
        connection.close()


def subscriptions(*, provision: str, reconcile: str, billing_event: str) -> dict[str, dict[str, Any]]:
    """The REST bodies of all subscriptions, by name.

    A push to a function that reads messages ends in the topic's path, from which functions-framework
    tells the event's source.
    """
    return {
        "store-intents-provision": _read(
            "store-intents",
            provision,
            within=ACK_SECONDS,
            attempts=10,
            retryPolicy={"minimumBackoff": "10s", "maximumBackoff": "600s"},
        ),
        # Without a retry policy: the emulator has one deliver nothing more after a few refusals. Nobody else
        # has a fact, as a pass has an intent.
        "store-intents-dead": _dead("store-intents"),
        "billing-events-billing-event": _read(
            "billing-events",
            billing_event,
            within=FACT_SECONDS,
            attempts=FACT_ATTEMPTS,
        ),
        "billing-events-dead": _dead("billing-events"),
        "rollouts-reconcile": {
            "topic": _full("topics/rollouts"),
            "pushConfig": {"pushEndpoint": f"{reconcile}/"},
            "ackDeadlineSeconds": ACK_SECONDS,
        },
    }


def _read(topic: str, base: str, *, within: int, attempts: int, **more: Any) -> dict[str, Any]:
    """Pushes to a function, and what it never acknowledges ends on the topic for that."""
    return {
        "topic": _full(f"topics/{topic}"),
        "pushConfig": {"pushEndpoint": f"{base}/{_full(f'topics/{topic}')}"},
        "ackDeadlineSeconds": within,
        "deadLetterPolicy": {
            "deadLetterTopic": _full(f"topics/{topic}-dead"),
            "maxDeliveryAttempts": attempts,
        },
        **more,
    }


def _dead(topic: str) -> dict[str, Any]:
    """Where reconcile finds what was delivered in vain."""
    return {"topic": _full(f"topics/{topic}-dead"), "ackDeadlineSeconds": DRAIN_SECONDS}


def _correct(connection: http.client.HTTPConnection, name: str, body: Mapping[str, Any]) -> None:
    """Change an existing subscription where it pushes to another address than wanted."""
    _, found = _call(connection, "GET", f"subscriptions/{name}", None, accept=(200,))
    if "pushConfig" in body and found.get("pushConfig") != body["pushConfig"]:
        change = {"pushConfig": body["pushConfig"]}
        _call(connection, "POST", f"subscriptions/{name}:modifyPushConfig", change, accept=(200,))


def _call(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Mapping[str, Any] | None,
    *,
    accept: tuple[int, ...],
) -> tuple[int, dict[str, Any]]:
    payload = None if body is None else json.dumps(body)
    connection.request(method, f"/v1/{_full(path)}", payload, {"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read()
    if response.status not in accept:
        raise MachineError(
            f"the Pub/Sub emulator refused {path}: {response.status} {text.decode(errors='replace')}"
        )
    return response.status, json.loads(text or b"{}")


def _full(path: str) -> str:
    return f"projects/{PROJECT}/{path}"
