"""`urumi stores suspend …`: what is sent, and what people are told comes of it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, NamedTuple

import httpx
import pytest
from typer.testing import CliRunner

from control_plane.domain.life import Verb
from dev.cli import api, main, stores, verbs
from tests.dev.test_cli_stores import ID, STORE, FakeApi

READY = {**STORE, "state": "READY", "observed_generation": 1, "ready_at": "2026-11-24T04:00:41Z"}
NEXT = {**READY, "generation": 2}
OFF = "off at once; kept until 2026-12-26; undo: urumi stores undelete shop"
REMOVAL = "2026-12-26T04:00:00Z"


class Case(NamedTuple):
    """What is asked, what is sent, what the API answers beside the next generation, and what is told."""

    words: tuple[str, ...]
    method: str
    path: str
    body: dict[str, str] | None
    answer: dict[str, Any]
    told: str


ASKED = [
    Case(("suspend",), "POST", "/suspend", None, {"holds": ["owner"]}, "undo: urumi stores resume shop"),
    Case(("resume",), "POST", "/resume", None, {}, "your hold is lifted; it runs again as it was"),
    Case(
        *(("resume",), "POST", "/resume", None, {"holds": ["billing", "operator"]}),
        "it stays off while held by billing and operator",
    ),
    Case(("resume",), "POST", "/resume", None, {"removal_at": REMOVAL}, "is removed on 2026-12-26"),
    Case(
        ("rename", "Käse & Co"),
        "PATCH",
        "",
        {"title": "Käse & Co"},
        {"title": "Käse & Co"},
        "Shop → Käse & Co",
    ),
    Case(
        *(("move", "cups"), "PATCH", "", {"name": "cups"}),
        {"name": "cups", "address": "http://cups-x.localhost", "former_until": REMOVAL},
        f"{STORE['address']} → http://cups-x.localhost; {STORE['hostname']} leads there until 2026-12-26",
    ),
    Case(
        ("plan", "business"), "PATCH", "", {"plan": "business"}, {"plan": "business"}, "standard → business"
    ),
    Case(("delete",), "DELETE", "", None, {"removal_at": REMOVAL}, OFF),
    Case(("delete",), "DELETE", "", None, {"state": "DELETING"}, "it is removed at once"),
    Case(("undelete",), "POST", "/undelete", None, {}, "it is kept; it runs again as it was"),
    Case(
        ("purge", "--yes-purge", "shop"),
        "POST",
        "/purge",
        {"name": "shop"},
        {"state": "DELETING"},
        "for good",
    ),
    Case(("retry",), "POST", "/retry", None, {}, "it is tried again"),
    Case(("reset-password",), "POST", "/reset-password", None, {}, "urumi stores claim shop"),
]


@pytest.fixture
def fake(monkeypatch, tmp_path):
    fake = FakeApi()
    monkeypatch.setenv("URUMI_HOME", str(tmp_path))
    made = api.Api("http://api", "token", httpx.MockTransport(fake))
    monkeypatch.setattr(api.Api, "from_environment", classmethod(lambda _: made))
    fake.will("GET", "/v1/stores", {"stores": [READY], "next_cursor": None})
    return fake


def run(*words: str, **more: str):
    return CliRunner().invoke(main.app, ["stores", words[0], "shop", *words[1:]], **more)


@pytest.mark.parametrize("case", ASKED)
def test_it_is_sent_and_what_comes_of_it_is_told(fake, case):
    after = {**NEXT, **case.answer}
    fake.will(case.method, f"/v1/stores/{ID}{case.path}", after, status=202)
    done = run(*case.words)
    assert (done.exit_code, ID in done.stdout) == (0, True), done.stderr
    sent = fake.requests[-1]
    assert (json.loads(sent.content) if sent.content else None) == case.body
    assert case.told in done.stderr
    assert f"urumi stores watch {ID}" in done.stderr
    assert json.loads(run(*case.words, "--json").stdout) == after


@pytest.mark.parametrize(("words", "method", "path"), [each[:3] for each in ASKED])
def test_what_changes_nothing_says_so(fake, words, method, path):
    fake.will(method, f"/v1/stores/{ID}{path}", READY, status=202)
    assert run(*words).stderr == "nothing to do: it was so already\n"


@pytest.mark.parametrize(("words", "method", "path"), [each[:3] for each in ASKED])
def test_a_refusal_says_what_is_possible(fake, words, method, path):
    detail = "the store is DELETING: it can only be looked at"
    fake.will(method, f"/v1/stores/{ID}{path}", {"title": "Not now", "detail": detail}, status=409)
    done = run(*words)
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", f"error: Not now: {detail}\n")


def test_every_verb_has_a_command():
    commands = {each.name or each.callback.__name__ for each in verbs.app.registered_commands}
    assert commands == {stores.COMMANDS.get(verb, verb.value) for verb in Verb}
    assert {case.words[0] for case in ASKED} == commands


class Terminal:
    """Somebody is there to be asked."""

    @staticmethod
    def isatty() -> bool:
        return True


def test_a_purge_that_nobody_confirms_is_not_sent(fake):
    done = run("purge")
    assert (done.exit_code, "--yes-purge shop" in done.stderr) == (2, True)
    assert {each.method for each in fake.requests} == {"GET"}


def test_a_purge_sends_the_name_that_somebody_typed(fake, monkeypatch):
    typed = []
    monkeypatch.setattr(verbs, "sys", SimpleNamespace(stdin=Terminal()))
    monkeypatch.setattr(verbs.typer, "prompt", lambda text, **_: typed.append(text) or "shopp")
    fake.will("POST", f"/v1/stores/{ID}/purge", {"title": "t", "detail": "another name"}, status=400)
    done = run("purge")
    assert (done.exit_code, "another name" in done.stderr) == (1, True)
    assert "nobody can bring it back" in typed[0]
    assert json.loads(fake.requests[-1].content) == {"name": "shopp"}


@pytest.mark.parametrize(
    ("ready_at", "says"), [(READY["ready_at"], "switched off now and removed later"), (None, "at once")]
)
def test_a_deletion_says_what_it_does_before_it_does_it(fake, monkeypatch, ready_at, says):
    def refuse(text, **_):
        assert says in text
        raise verbs.typer.Abort

    monkeypatch.setattr(verbs, "sys", SimpleNamespace(stdin=Terminal()))
    monkeypatch.setattr(verbs.typer, "confirm", refuse)
    fake.will("GET", "/v1/stores", {"stores": [{**READY, "ready_at": ready_at}], "next_cursor": None})
    assert run("delete").exit_code == 1
    assert {each.method for each in fake.requests} == {"GET"}


def test_plans_are_a_table_with_prices_that_people_read(fake):
    plan = {
        "name": "standard",
        "price": {"minor_units": 5, "currency": "EUR"},
        "quota": {"limits.cpu": "4", "limits.memory": "4Gi"},
        "content_storage": "10Gi",
        "database_storage": "11Gi",
        "trial_days": 14,
        "grace_days": 7,
        "retention_days": 30,
    }
    prices = [("EUR", "0.05 EUR"), ("JPY", "5 JPY"), ("KWD", "0.005 KWD")]
    plans = [{**plan, "price": {"minor_units": 5, "currency": currency}} for currency, _ in prices]
    fake.will("GET", "/v1/plans", {"plans": plans})
    lines = CliRunner().invoke(main.app, ["plans"]).stdout.splitlines()[1:]
    for line, (_, price) in zip(lines, prices, strict=True):
        assert line.split() == [
            "standard", *price.split(), "4", "4Gi", "10Gi", "11Gi",
            "14", "days", "7", "days", "30", "days",
        ]  # fmt: skip
    assert json.loads(CliRunner().invoke(main.app, ["plans", "--json"]).stdout) == {"plans": plans}
