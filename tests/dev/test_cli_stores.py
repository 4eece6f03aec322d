"""`urumi stores`: what scripts and people get, against an API of which we know every answer."""

from __future__ import annotations

import json
import uuid

import httpx
import pytest
from typer.testing import CliRunner

from dev.cli import api, follow, main
from dev.cli.failures import UNREACHABLE, CommandError

ID = str(uuid.UUID(int=7))
STORE = {
    "id": ID,
    "name": "shop",
    "title": "Shop",
    "admin_email": "o@example.com",
    "plan": "standard",
    "state": "QUEUED",
    "reason": None,
    "generation": 1,
    "observed_generation": 0,
    "hostname": "shop-ab12.localhost:8088",
    "address": "http://shop-ab12.localhost:8088",
    "created_at": "2026-11-24T04:00:00+00:00",
    "updated_at": "2026-11-24T04:00:00+00:00",
    "ready_at": None,
    "holds": [],
    "removal_at": None,
    "former_hostname": None,
    "former_until": None,
    "notice": "",
    "possible": ["rename", "change-plan", "delete"],
}
PAYING = {
    "id": "sub_42",
    "status": "past-due",
    "since": "2026-04-01T12:00:07Z",
    "plan": "standard",
    "trial_ends_at": None,
    "next": {"at": "2026-04-08T12:00:07Z", "then": "suspended"},
    "note": "",
}
PROBLEM = {"type": "t", "title": "Invalid request", "detail": "at least 3 characters", "field": "name"}


class FakeApi:
    """Answers from a list of responses by method and path; the last one of a list stays."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], list[httpx.Response]] = {}
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answers = self.answers[request.method, request.url.path]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def will(self, method: str, path: str, *bodies: object, status: int = 200) -> None:
        self.answers[method, path] = [httpx.Response(status, json=body) for body in bodies]


@pytest.fixture
def fake(monkeypatch, tmp_path):
    fake = FakeApi()
    monkeypatch.setenv("URUMI_HOME", str(tmp_path))
    made = api.Api("http://api", "token", httpx.MockTransport(fake))
    monkeypatch.setattr(api.Api, "from_environment", classmethod(lambda _: made))
    monkeypatch.setattr(follow, "PAUSE", 0)
    return fake


def run(*words: str):
    return CliRunner().invoke(main.app, ["stores", *words])


def test_create_sends_what_was_asked_and_shows_json(fake):
    fake.will("POST", "/v1/stores", STORE, status=202)
    done = run("create", "shop", "--title", "Käse & Co", "--key", "k1", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == STORE
    sent = fake.requests[0]
    assert json.loads(sent.content) == {
        "name": "shop",
        "title": "Käse & Co",
        "admin_email": "owner@example.com",
    }
    assert sent.headers["Idempotency-Key"] == "k1"
    assert sent.headers["Authorization"] == "Bearer token"


def test_a_problem_is_one_line_with_title_detail_and_field(fake):
    fake.will("POST", "/v1/stores", PROBLEM, status=422)
    done = run("create", "ab")
    assert done.exit_code == 1
    assert done.stderr == "error: Invalid request: at least 3 characters (field: name)\n"
    assert done.stdout == ""


def test_an_answer_without_a_problem_is_told_as_well(fake):
    fake.answers["GET", "/v1/stores"] = [httpx.Response(502, text="<html>")]
    assert "answered 502" in run("list").stderr


def test_list_goes_through_all_pages(fake):
    pages = [
        {"stores": [STORE], "next_cursor": "c2"},
        {"stores": [{**STORE, "name": "two"}], "next_cursor": None},
    ]
    fake.will("GET", "/v1/stores", *pages)
    done = run("list", "--json", "--state", "ready")
    assert [one["name"] for one in json.loads(done.stdout)["stores"]] == ["shop", "two"]
    assert [dict(one.url.params) for one in fake.requests] == [
        {"state": "READY", "limit": "100"},
        {"state": "READY", "limit": "100", "cursor": "c2"},
    ]


def test_a_name_finds_the_store_that_lives(fake):
    dead = {**STORE, "id": str(uuid.UUID(int=8)), "state": "DELETED"}
    longer = {**STORE, "id": str(uuid.UUID(int=9)), "name": "shop-2"}
    fake.will("GET", "/v1/stores", {"stores": [longer, dead, STORE], "next_cursor": None})
    fake.will("GET", f"/v1/stores/{ID}", {**STORE, "subscription": PAYING})
    fake.will("GET", f"/v1/stores/{ID}/events", {"events": []})
    shown = json.loads(run("show", "shop", "--json").stdout)
    assert (shown["id"], shown["subscription"]) == (ID, PAYING)


def test_an_unknown_name_is_an_error(fake):
    fake.will("GET", "/v1/stores", {"stores": [], "next_cursor": None})
    done = run("show", "nosuch")
    assert done.exit_code == 1
    assert "no store 'nosuch'" in done.stderr


@pytest.mark.parametrize(
    ("states", "code"),
    [
        (["QUEUED", "PROVISIONING", "READY"], 0),
        (["QUEUED", "PROVISIONING", "FAILED"], 1),
        (["QUEUED", "DELETED"], 1),
        (["DELETING", "DELETED"], 0),
        (["QUEUED", "SUSPENDED"], 1),
    ],
)
def test_watch_succeeds_only_when_the_store_ends_as_wanted(fake, states, code):
    rests = ("READY", "SUSPENDED")
    seen = [{**STORE, "state": state, "observed_generation": int(state in rests)} for state in states]
    fake.will("GET", f"/v1/stores/{ID}", *seen)
    done = run("watch", ID)
    assert done.exit_code == code
    assert [line.split()[1] for line in done.stderr.splitlines()] == states


@pytest.mark.parametrize("off", [{"holds": ["owner"]}, {"removal_at": "2026-12-26T04:00:00Z"}])
def test_watch_of_what_was_switched_off_succeeds_when_it_is_suspended(fake, off):
    asked = {**STORE, **off, "generation": 2, "observed_generation": 1}
    seen = [
        {**asked, "state": "READY"},
        {**asked, "state": "UPDATING"},
        {**asked, "state": "SUSPENDED", "observed_generation": 2},
    ]
    fake.will("GET", f"/v1/stores/{ID}", *seen)
    assert run("watch", ID).exit_code == 0


def test_show_tells_what_holds_it_and_what_can_be_asked(fake):
    off = {"holds": ["billing", "owner"], "removal_at": "2026-12-26T04:00:00Z", "notice": "past-due"}
    moved = {"former_hostname": "pots-ab12.localhost:8088", "former_until": "2026-12-24T04:00:00Z"}
    fake.will("GET", f"/v1/stores/{ID}", {**STORE, **off, **moved})
    fake.will("GET", f"/v1/stores/{ID}/events", {"events": []})
    shown = dict(line.split(maxsplit=1) for line in run("show", ID).stdout.splitlines()[:19] if line)
    assert shown["held_by"] == "billing, owner"
    assert shown["possible"] == "rename, plan, delete"
    assert {name: shown[name] for name in (*off, *moved) if name != "holds"} == {
        name: value for name, value in {**off, **moved}.items() if name != "holds"
    }


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "sub_42: past due since 2026-04-01; suspended on 2026-04-08 unless it is paid"),
        (
            {"status": "canceled", "next": {"at": "2026-05-01T12:00:07Z", "then": "removed"}},
            "sub_42: canceled since 2026-04-01; removed for good on 2026-05-01 unless it is paid",
        ),
        (
            {"status": "trialing", "next": {"at": "2026-04-15T12:00:07Z", "then": "notice"}},
            "sub_42: trialing since 2026-04-01; its administrators get a notice on 2026-04-15"
            " unless it is paid",
        ),
        ({"status": "active", "next": None}, "sub_42: active since 2026-04-01"),
        ({"status": "active", "next": None, "note": "no plan"}, "sub_42: active since 2026-04-01; no plan"),
        ({"status": "not-begun", "since": None, "next": None}, "sub_42: not begun"),
    ],
)
def test_show_tells_the_subscription_and_what_comes_next(fake, changes, says):
    fake.will("GET", f"/v1/stores/{ID}", {**STORE, "subscription": {**PAYING, **changes}})
    fake.will("GET", f"/v1/stores/{ID}/events", {"events": []})
    shown = dict(line.split(maxsplit=1) for line in run("show", ID).stdout.splitlines() if line)
    assert (shown["plan"], shown["subscription"]) == ("standard", says)
    assert [each.url.path for each in fake.requests] == [f"/v1/stores/{ID}", f"/v1/stores/{ID}/events"]


def test_show_says_nothing_of_a_subscription_where_there_is_none(fake):
    fake.will("GET", f"/v1/stores/{ID}", {**STORE, "subscription": None})
    fake.will("GET", f"/v1/stores/{ID}/events", {"events": []})
    assert "subscription" not in run("show", ID).stdout


def test_ready_at_an_older_generation_is_not_the_end():
    old = {**STORE, "state": "READY", "generation": 2, "observed_generation": 1}
    assert not follow.settled(old)
    assert follow.settled({**old, "observed_generation": 2})


def test_watch_bears_an_api_that_is_away_for_a_moment(fake):
    ready = httpx.Response(200, json={**STORE, "state": "READY", "observed_generation": 1})
    first = httpx.Response(200, json=STORE)
    answers = iter([first, httpx.ConnectError("refused"), httpx.ConnectError("refused"), ready])

    def answer(request: httpx.Request) -> httpx.Response:
        now = next(answers)
        if isinstance(now, Exception):
            raise now
        return now

    client = api.Api("http://api", "token", httpx.MockTransport(answer))
    last = follow.follow(client, client.show(ID), lambda _: None)
    assert last["state"] == "READY"


def test_watch_gives_up_when_the_api_stays_away(monkeypatch):
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(follow, "PAUSE", 0)
    monkeypatch.setattr(follow, "PATIENCE", 0)
    client = api.Api("http://api", "token", httpx.MockTransport(refuse))
    with pytest.raises(CommandError) as caught:
        follow.follow(client, STORE, lambda _: None)
    assert caught.value.code == UNREACHABLE
