"""Each function from the image's own files, under Cloud Run's constraints, with nothing to reach."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.functions_image.asking import create, notify, push_fact, push_intent, sign_in, tick
from tests.functions_image.cloud_run import Instance, resident
from tests.functions_image.settings import TARGETS, settings

MIB = 1024 * 1024
IMPORTING = """
import sys, time
began = time.perf_counter()
import functions_framework
from control_plane.targets import source_of
functions_framework.create_app(sys.argv[1], str(source_of(sys.argv[1])))
print(f"{time.perf_counter() - began:.2f} s for {len(sys.modules)} modules")
"""


@pytest.fixture(scope="module")
def serving(instance: Callable[[], Instance]) -> Iterator[dict[str, Instance]]:
    """One instance of each function that answers, side by side: each has a network of its own."""
    made = {target: instance() for target in TARGETS}
    try:
        with ThreadPoolExecutor(len(TARGETS)) as pool:
            list(pool.map(lambda target: made[target].serve(settings(target)), TARGETS))
        yield made
    finally:
        for each in made.values():
            each.close()


def assert_problem(answer: httpx.Response, status: int) -> None:
    """A clean answer of ours, without what went on inside."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert "Traceback" not in answer.text
    assert "database" not in answer.text


def test_the_api_describes_itself(serving: dict[str, Instance]) -> None:
    api = serving["create_store"]
    described = api.ask("GET", "/openapi.json")
    assert (described.status_code, described.json()["openapi"][:3]) == (200, "3.1")
    assert api.ask("GET", "/docs").status_code == 200


def test_without_a_database_the_api_asks_to_come_back(serving: dict[str, Instance]) -> None:
    refused = create(serving["create_store"])
    assert_problem(refused, 503)
    assert refused.headers["Retry-After"]


def test_the_console_shows_pages(serving: dict[str, Instance]) -> None:
    shown = serving["console"].ask("GET", "/signin")  # with nobody to sign in with
    assert (shown.status_code, shown.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "URUMI_PUBLIC_URL" in shown.text


def test_without_a_database_nobody_signs_in_and_no_address_is_told(serving: dict[str, Instance]) -> None:
    refused = sign_in(serving["console"], "a-secret")
    assert refused.status_code == 503
    assert "Set-Cookie" not in refused.headers
    assert "a-secret" not in serving["console"].output()


def test_without_a_database_a_pass_does_not_succeed(serving: dict[str, Instance]) -> None:
    assert_problem(tick(serving["reconcile"]), 503)


def test_without_a_database_provision_leaves_an_intent_to_the_next_pass(serving: dict[str, Instance]) -> None:
    # The row has the intent, and a refused delivery would slow down the messages of all stores.
    assert push_intent(serving["provision"]).status_code == 200
    assert "message_left_to_the_next_pass" in serving["provision"].output()


def test_without_a_database_billing_has_a_fact_delivered_again(serving: dict[str, Instance]) -> None:
    answer = push_fact(serving["billing_event"])
    assert answer.status_code == 500
    assert "Traceback" not in answer.text


def test_there_is_no_webhook_without_its_secret(serving: dict[str, Instance]) -> None:
    assert_problem(notify(serving["stripe_webhook"]), 404)


def test_a_log_line_is_one_object_with_a_severity(serving: dict[str, Instance]) -> None:
    create(serving["create_store"])
    lines = [json.loads(line) for line in serving["create_store"].output().splitlines()]
    assert {line["severity"] for line in lines} == {"WARNING"}


def test_how_long_importing_takes_and_how_much_memory_serving(
    serving: dict[str, Instance], new: Callable[[], Instance], figure: Callable[[str], None]
) -> None:
    for target in TARGETS:
        memory = sum(resident(each) for each in serving[target].processes())
        status, took = new().run("python", "-c", IMPORTING, target, settings=settings(target))
        assert status == 0, took
        figure(f"{target:15} imports in {took.strip()}, {memory / MIB:.0f} MiB resident when it serves")
