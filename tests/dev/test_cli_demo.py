"""`urumi demo`: what it says of real pods, and what of pods that only pretend."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from dev.cli import api, demo, follow, main, signing_in
from dev.machine import machine

ID = str(uuid.UUID(int=7))
ADDRESS = "http://demo-ab12.localhost:8088"
EVENT = {
    "at": "2026-11-24T04:00:09.123+00:00",
    "actor": "reconcile",
    "action": "ready",
    "from_state": "PROVISIONING",
    "to_state": "READY",
    "generation": 1,
    "reason": None,
}

CONSOLE = "http://localhost:8086"
SIGN_IN = f"{CONSOLE}/signin/once?token=t"

Run = Callable[..., Any]


@pytest.fixture
def asked() -> list[dict[str, Any]]:
    """What the API was asked to create."""
    return []


@pytest.fixture
def run(monkeypatch, tmp_path, asked) -> Run:
    """Run the demo on a machine whose pods are of that kind and whose stores end in that state."""

    def begun(pods: str, *words: str, state: str = "READY") -> Any:
        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/events"):
                return httpx.Response(200, json={"events": [EVENT]})
            if request.method == "POST":
                asked.append(json.loads(request.content))
            store = {
                **asked[0], "id": ID, "plan": "standard", "state": state, "generation": 1,
                "observed_generation": 1, "hostname": "", "address": ADDRESS,
                "reason": "the pods are not ready" if state == "FAILED" else None,
            }  # fmt: skip
            return httpx.Response(202, json=store)

        values = {
            "URUMI_API_URL": "u", "URUMI_API_TOKEN": "t", "URUMI_CONSOLE_URL": CONSOLE,
            "URUMI_PODS": pods, "URUMI_CLUSTER": "node",
        }  # fmt: skip
        monkeypatch.setattr(machine, "up", lambda place, say: values)
        made = api.Api("http://api", "token", httpx.MockTransport(answer))
        monkeypatch.setattr(demo, "Api", lambda url, token: made)
        monkeypatch.setattr(signing_in, "address", lambda place, values: SIGN_IN)
        return CliRunner().invoke(main.app, ["demo", *words])

    monkeypatch.setenv("URUMI_HOME", str(tmp_path))
    monkeypatch.setattr(follow, "PAUSE", 0)
    return begun


def test_with_real_pods_it_shows_the_address_and_how_its_owner_logs_in(run, asked):
    done = run("real")
    assert done.exit_code == 0
    assert f"Address: {ADDRESS}\n" in done.stdout
    name = asked[0]["name"]
    assert re.search(
        rf"^  \.venv/bin/urumi stores login {name} +an address that logs its owner in$",
        done.stdout,
        re.MULTILINE,
    )
    assert "SIMULATED" not in done.stderr
    assert "PROVISIONING → READY" in done.stdout


def test_with_simulated_pods_it_says_that_no_shop_answers_and_how_to_have_one(run):
    done = run("simulated")
    assert done.exit_code == 0
    assert "SIMULATED CLUSTER" in done.stderr
    assert "will not answer" in done.stderr
    assert re.findall(r"make demo CLUSTER=(\w+)", done.stderr) == ["node", "kind"]
    # Nobody could log in there.
    assert "stores login" not in done.stdout


@pytest.mark.parametrize("pods", ["real", "simulated"])
def test_its_last_lines_lead_to_the_console_and_sign_a_browser_in(run, pods):
    *_, console, _, last = run(pods).stdout.splitlines()
    assert (console, last.strip()) == (f"The console is at {CONSOLE}", SIGN_IN)


@pytest.mark.parametrize("pods", ["real", "simulated"])
def test_json_is_one_document_that_names_the_kind_of_pods(run, pods):
    done = run(pods, "--json")
    document = json.loads(done.stdout)
    assert (document["pods"], document["cluster"], document["store"]["state"]) == (pods, "node", "READY")
    assert document["events"] == [EVENT]


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["words", "json"])
def test_a_store_that_does_not_become_ready_is_a_failure_with_its_reason(run, words):
    done = run("real", *words, state="FAILED")
    assert done.exit_code == 1
    assert "is FAILED: the pods are not ready; see `urumi stores show" in done.stderr
    assert "How to go on" not in done.stdout


def test_each_demo_is_a_store_of_another_name(run, asked):
    run("real")
    run("real")
    first, second = asked
    assert first["name"] != second["name"]
