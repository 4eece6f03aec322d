"""How a function ends: when Cloud Run asks it to, and at its start when a setting is wrong."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from tests.functions_image.asking import ASKED, SECRET
from tests.functions_image.cloud_run import DRAIN_SECONDS, Instance
from tests.functions_image.settings import DATABASE_PORT, TARGETS, settings

ANSWERED = {
    "create_store": 503,
    "console": 503,
    "provision": 200,
    "reconcile": 503,
    "billing_event": 500,
    "stripe_webhook": 503,
}
WRONG = [
    ("create_store", "DATABASE_URL", None),
    ("create_store", "URUMI_LOGIN_KEYS", "{}"),
    ("console", "URUMI_OIDC_CLIENT_SECRETS", "[]"),
    ("provision", "URUMI_HELM", "/bin/true"),
    ("provision", "URUMI_CHART", "/app"),
    ("reconcile", "URUMI_BASE_DOMAIN", None),
    ("billing_event", "PUBSUB_PROJECT_ID", None),
    ("stripe_webhook", "URUMI_STRIPE_WEBHOOK_SECRET", ""),
    ("sell_stores", "FUNCTION_TARGET", "sell_stores"),
]


class Request:
    """A request that a function works on: it waits for a database that does not say a word."""

    def __init__(self, function: Instance, ask: Callable[[Instance], httpx.Response]) -> None:
        self._pool = ThreadPoolExecutor(1)
        with function.inside(lambda: socket.create_server(("127.0.0.1", DATABASE_PORT))) as database:
            database.settimeout(30)
            self._answer = self._pool.submit(ask, function)
            self._connection, _ = database.accept()
        self._connection.recv(1, socket.MSG_PEEK)  # it has begun to speak

    def answer(self) -> httpx.Response:
        """What comes back once the database has hung up."""
        self.close()
        return self._answer.result(30)

    def close(self) -> None:
        self._connection.close()
        self._pool.shutdown(wait=False)


Busy = Callable[[str], tuple[Instance, Request]]


@pytest.fixture
def busy(new: Callable[[], Instance]) -> Iterator[Busy]:
    """Makes functions with a request in flight."""
    with ExitStack() as stack:

        def make(target: str) -> tuple[Instance, Request]:
            function = new().serve({**settings(target), "URUMI_STRIPE_WEBHOOK_SECRET": SECRET})
            request = Request(function, ASKED[target])
            stack.callback(request.close)
            return function, request

        yield make


@pytest.mark.parametrize("target", TARGETS)
def test_a_request_in_flight_is_answered_after_sigterm(target: str, busy: Busy) -> None:
    function, request = busy(target)
    function.terminate()
    assert request.answer().status_code == ANSWERED[target]
    assert function.wait(DRAIN_SECONDS) == 0


def test_what_hangs_is_gone_before_cloud_run_kills(busy: Busy) -> None:
    with ThreadPoolExecutor(len(TARGETS)) as pool:
        hanging = list(pool.map(busy, TARGETS))
        for function, _ in hanging:
            function.terminate()
        statuses = list(pool.map(lambda each: each[0].wait(DRAIN_SECONDS), hanging))
    assert statuses == [0] * len(TARGETS)


@pytest.mark.parametrize(("target", "variable", "value"), WRONG)
def test_a_wrong_setting_ends_it_at_its_start_by_name(
    target: str, variable: str, value: str | None, new: Callable[[], Instance]
) -> None:
    given = {**settings(target), "PORT": "8080"}
    given.pop(variable, None)
    if value is not None:
        given[variable] = value
    function = new().start(given)
    assert function.wait() not in (0, 137)
    assert variable in function.output()
    assert "Traceback" not in function.output()
