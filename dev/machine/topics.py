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
TOPICS = ("store-intents", "store-intents-dead", "rollouts")
DRAIN_SECONDS = 60  # what a pass pulled and did not park before it died comes again after this
ACK_SECONDS = 600  # the emulator redelivers beside a request that still runs when this is over


def ensure(address: str, *, provision: str, reconcile: str) -> None:
    """Make what is missing and point the pushes at the two base URLs. Raises MachineError.

    `address` is the emulator's host:port.
    """
    wanted = subscriptions(provision=provision, reconcile=reconcile)
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


def subscriptions(*, provision: str, reconcile: str) -> dict[str, dict[str, Any]]:
    """The REST bodies of all subscriptions, by name.

    The push to provision ends in the topic's path, from which functions-framework tells the
    event's source.
    """
    return {
        "store-intents-provision": {
            "topic": _full("topics/store-intents"),
            "pushConfig": {"pushEndpoint": f"{provision}/{_full('topics/store-intents')}"},
            "ackDeadlineSeconds": ACK_SECONDS,
            "deadLetterPolicy": {
                "deadLetterTopic": _full("topics/store-intents-dead"),
                "maxDeliveryAttempts": 10,
            },
            "retryPolicy": {"minimumBackoff": "10s", "maximumBackoff": "600s"},
        },
        "store-intents-dead": {
            "topic": _full("topics/store-intents-dead"),
            "ackDeadlineSeconds": DRAIN_SECONDS,
        },
        "rollouts-reconcile": {
            "topic": _full("topics/rollouts"),
            "pushConfig": {"pushEndpoint": f"{reconcile}/"},
            "ackDeadlineSeconds": ACK_SECONDS,
        },
    }


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
