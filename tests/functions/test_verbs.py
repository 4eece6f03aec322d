"""What can be asked of a store over the API: each verb, and that API and the one table agree in all cases."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from werkzeug.test import Client, TestResponse

from control_plane.domain.accounts import Role
from control_plane.domain.life import FORMER_HOSTNAME_DAYS, Verb, possible
from control_plane.domain.store import Desired, Hold, Store, StoreState
from control_plane.use_cases.create_token import digest_of
from tests.builders import CUSTOMER, PLANS, TOKENS
from tests.fakes.accounts import a_fake_token
from tests.fakes.tables import Row
from tests.functions.documented import operations
from tests.functions.test_create_store import refusal, with_scopes
from tests.use_cases.platform import Platform

AUTH = {"Authorization": f"Bearer {TOKENS[CUSTOMER]}"}
NAME = "pottery"
# How each verb is asked for, so that it changes a store that is named `NAME`.
ASKED: Mapping[Verb, tuple[str, str, Mapping[str, str] | None]] = {
    Verb.RENAME: ("PATCH", "", {"title": "Cups"}),
    Verb.MOVE: ("PATCH", "", {"name": "cups"}),
    Verb.CHANGE_PLAN: ("PATCH", "", {"plan": "business"}),
    Verb.RESET_PASSWORD: ("POST", "/reset-password", None),
    Verb.SUSPEND: ("POST", "/suspend", None),
    Verb.RESUME: ("POST", "/resume", None),
    Verb.RETRY: ("POST", "/retry", None),
    Verb.DELETE: ("DELETE", "", None),
    Verb.UNDELETE: ("POST", "/undelete", None),
    Verb.PURGE: ("POST", "/purge", {"name": NAME}),
}


def ask(api: Client, store_id: UUID, verb: Verb, headers: Mapping[str, str] = AUTH) -> TestResponse:
    """One verb, as any client would send it."""
    method, below, body = ASKED[verb]
    return api.open(f"/v1/stores/{store_id}{below}", method=method, json=body, headers=headers)


def show(api: Client, store_id: UUID, headers: Mapping[str, str] = AUTH) -> dict[str, Any]:
    """The store as it is."""
    shown: dict[str, Any] = api.get(f"/v1/stores/{store_id}", headers=headers).get_json()
    return shown


def an_operator(platform: Platform) -> dict[str, str]:
    """The header of somebody who runs the platform."""
    a_fake_token(platform.tables, CUSTOMER, digest_of("urumi_operators"), role=Role.OPERATOR)
    return {"Authorization": "Bearer urumi_operators"}


def settle(platform: Platform, store_id: UUID) -> StoreState:
    """Provision and reconcile do what was asked."""
    platform.deliver(store_id)
    platform.cell.pods(store_id, ready=True)
    platform.run_pass()
    return platform.state(store_id)


class TestEveryCase:
    """The API answers 202 where the table says that the verb is possible, or nothing is to be done."""

    @pytest.mark.parametrize("verb", Verb, ids=str)
    def test_api_and_table_agree(self, api: Client, platform: Platform, verb: Verb) -> None:
        table = _Table(api, platform, Hold.OWNER, AUTH)
        for row in _cases(platform):
            table.assert_agrees(row, verb)

    @pytest.mark.parametrize("verb", [Verb.SUSPEND, Verb.RESUME], ids=str)
    def test_they_agree_about_an_operators_hold(self, api: Client, platform: Platform, verb: Verb) -> None:
        table = _Table(api, platform, Hold.OPERATOR, an_operator(platform))
        for row in _cases(platform):
            table.assert_agrees(row, verb)

    @pytest.mark.parametrize("by", [Hold.OWNER, Hold.OPERATOR], ids=str)
    def test_what_is_possible_is_shown(self, api: Client, platform: Platform, by: Hold) -> None:
        headers = AUTH if by is Hold.OWNER else an_operator(platform)
        for row in _cases(platform):
            platform.tables.rows[row.id] = row
            platform.tables.accounts[CUSTOMER].requests_left = 1e9
            verbs = possible(row.store(), by)
            assert show(api, row.id, headers)["possible"] == [each for each in Verb if each in verbs]

    def test_no_verb_is_left_out(self) -> None:
        assert set(ASKED) == set(Verb)
        unsafe = {
            (each.method, each.path.removeprefix("/v1/stores/{store_id}"))
            for each in operations()
            if "store_id" in each.ids and each.method != "GET"
        }
        assert unsafe - {(method, below) for method, below, _ in ASKED.values()} == {
            ("POST", "/credentials:claim"),  # which change nothing of the store
            ("POST", "/login-link"),
        }


def _cases(platform: Platform) -> Iterator[Row]:
    first = platform.tables.rows[platform.create(NAME).id]
    now = platform.tables.now
    holds = [frozenset(some) for n in range(4) for some in itertools.combinations(Hold, n)]
    for state, held, removal_at, ready_at in itertools.product(
        StoreState, holds, (None, now + timedelta(days=9)), (None, now)
    ):
        gone = state in (StoreState.DELETING, StoreState.DELETED)
        yield replace(
            first, state=state, holds=held, removal_at=removal_at, ready_at=ready_at,
            desired=Desired.DELETED if gone else Desired.RUNNING,
            reason="a test's" if state is StoreState.FAILED else None,
        )  # fmt: skip


@dataclass(frozen=True)
class _Table:
    """The API as somebody meets it, beside the table."""

    api: Client
    platform: Platform
    by: Hold
    headers: Mapping[str, str]

    def assert_agrees(self, row: Row, verb: Verb) -> None:
        """This verb, asked of a store with this row, is answered as the table says."""
        tables = self.platform.tables
        tables.rows[row.id], tables.accounts[CUSTOMER].requests_left = row, 1e9
        store = row.store()
        verbs = possible(store, self.by)
        answer = ask(self.api, row.id, verb, self.headers)
        after, so_already = tables.rows[row.id], _is_so_already(verb, store, self.by)
        case = (verb, store.state, sorted(store.holds), store.removal_at, store.ready_at, answer.get_json())
        assert (answer.status_code == 202) == (verb in verbs or so_already), case
        if verb in verbs:
            assert not so_already, case
            assert after.generation == row.generation + 1, case
            return
        assert after == row, case
        if so_already:
            return
        detail = refusal(answer, 409, "not-now")["detail"]
        told = re.search(r"(what can be asked of it is (.+)|it can only be looked at)$", detail)
        assert told, case
        assert set((told[2] or "").split(", ")) - {""} == set(verbs), case
        if verb is Verb.RESUME and store.desired is Desired.RUNNING:
            assert all(each in detail for each in store.holds), case


def _is_so_already(verb: Verb, store: Store, by: Hold) -> bool:
    gone = store.desired is Desired.DELETED
    return {
        Verb.SUSPEND: by in store.holds and not gone,
        Verb.RESUME: not store.holds and not gone,
        Verb.DELETE: gone or store.removal_at is not None,
        Verb.UNDELETE: store.removal_at is None and not gone,
        Verb.PURGE: gone,
    }.get(verb, False)


class TestSuspending:
    def test_a_store_is_off_until_its_owner_resumes_it(self, api: Client, platform: Platform) -> None:
        store = platform.ready()
        answer = ask(api, store.id, Verb.SUSPEND).get_json()
        assert (answer["holds"], answer["generation"]) == (["owner"], 2)
        assert "resume" in answer["possible"]
        assert "suspend" not in answer["possible"]
        assert settle(platform, store.id) is StoreState.SUSPENDED
        assert ask(api, store.id, Verb.RESUME).get_json()["holds"] == []
        assert settle(platform, store.id) is StoreState.READY

    def test_what_an_operator_suspends_the_owner_does_not_resume(
        self, api: Client, platform: Platform
    ) -> None:
        operator, store = an_operator(platform), platform.ready()
        assert ask(api, store.id, Verb.SUSPEND, operator).get_json()["holds"] == ["operator"]
        problem = refusal(ask(api, store.id, Verb.RESUME), 409, "not-now")
        assert "held by operator" in problem["detail"]
        ask(api, store.id, Verb.SUSPEND)
        assert show(api, store.id)["holds"] == ["operator", "owner"]
        assert ask(api, store.id, Verb.RESUME).get_json()["holds"] == ["operator"]
        assert ask(api, store.id, Verb.RESUME, operator).get_json()["holds"] == []

    def test_each_sees_what_they_can_ask(self, api: Client, platform: Platform) -> None:
        operator, store = an_operator(platform), platform.ready()
        ask(api, store.id, Verb.SUSPEND)
        assert {"suspend", "resume"} & set(show(api, store.id)["possible"]) == {"resume"}
        assert {"suspend", "resume"} & set(show(api, store.id, operator)["possible"]) == {"suspend"}
        assert show(api, store.id, with_scopes(api, "stores:read"))["possible"] == []
        retrying = with_scopes(api, "stores:read", "stores:credentials")
        ask(api, store.id, Verb.RESUME)
        assert show(api, store.id, retrying)["possible"] == ["reset-password"]
        page = api.get("/v1/stores", headers=retrying).get_json()
        assert page["stores"][0]["possible"] == ["reset-password"]


class TestDeleting:
    def test_a_store_is_off_at_once_and_kept_for_as_long_as_its_plan_says(
        self, api: Client, platform: Platform
    ) -> None:
        store = platform.ready()
        now = platform.tables.now
        answer = ask(api, store.id, Verb.DELETE).get_json()
        removal = datetime.fromisoformat(answer["removal_at"])
        kept = timedelta(days=PLANS["standard"].retention_days)
        assert timedelta(0) <= removal - (now + kept) < timedelta(seconds=1)
        assert ask(api, store.id, Verb.DELETE).get_json() == answer
        assert settle(platform, store.id) is StoreState.SUSPENDED
        platform.clock.now = removal + timedelta(seconds=1)
        platform.run_pass()
        assert show(api, store.id)["state"] == "DELETING"
        refusal(ask(api, store.id, Verb.UNDELETE), 409, "not-now")

    def test_until_then_it_is_taken_back(self, api: Client, platform: Platform) -> None:
        store = platform.ready()
        ask(api, store.id, Verb.DELETE)
        settle(platform, store.id)
        assert ask(api, store.id, Verb.UNDELETE).get_json()["removal_at"] is None
        assert settle(platform, store.id) is StoreState.READY
        platform.clock.later(366 * 24 * 3600)
        platform.run_pass()
        assert show(api, store.id)["state"] == "READY"

    def test_what_nobody_ever_used_is_removed_at_once(self, api: Client, platform: Platform) -> None:
        store = platform.create()
        assert ask(api, store.id, Verb.DELETE).get_json()["state"] == "DELETING"

    def test_a_purge_takes_the_name(self, api: Client, platform: Platform) -> None:
        store, path = platform.ready(), "purge"
        url = f"/v1/stores/{store.id}/{path}"
        for body, field in (({"name": "potter"}, "name"), ({"name": ""}, "name"), ({}, "name")):
            refusal(api.post(url, json=body, headers=AUTH), 400, "invalid-request", field)
        refusal(api.post(url, headers=AUTH), 415, "unsupported-media-type")
        assert show(api, store.id)["generation"] == 1
        assert ask(api, store.id, Verb.PURGE).get_json()["state"] == "DELETING"

    def test_what_was_deleted_can_be_purged(self, api: Client, platform: Platform) -> None:
        store = platform.ready()
        ask(api, store.id, Verb.DELETE)
        assert ask(api, store.id, Verb.PURGE).get_json()["state"] == "DELETING"


class TestChanging:
    def test_several_changes_are_one_generation(self, api: Client, platform: Platform) -> None:
        store = platform.ready()
        now = platform.tables.now
        body = {"title": "Cups & more", "name": "cups", "plan": "business"}
        answer = api.patch(f"/v1/stores/{store.id}", json=body, headers=AUTH).get_json()
        assert {**answer, **body} == answer
        assert answer["generation"] == 2
        assert re.fullmatch(r"cups-[a-z0-9]{4}\.shops\.example:8000", answer["hostname"])
        assert answer["address"] == f"http://{answer['hostname']}"
        assert answer["former_hostname"] == store.hostname
        until = datetime.fromisoformat(answer["former_until"])
        assert timedelta(0) <= until - now - timedelta(days=FORMER_HOSTNAME_DAYS) < timedelta(seconds=1)
        events = api.get(f"/v1/stores/{store.id}/events", headers=AUTH).get_json()["events"]
        assert events[-1]["action"] == "rename asked, move asked, change-plan asked"
        assert api.patch(f"/v1/stores/{store.id}", json=body, headers=AUTH).get_json() == answer

    def test_all_of_it_happens_or_nothing(self, api: Client, platform: Platform) -> None:
        store, path = platform.ready(), ""
        path = f"/v1/stores/{store.id}"
        assert api.patch(path, json={"plan": "business"}, headers=AUTH).status_code == 202
        platform.deliver(store.id)
        before = show(api, store.id)
        answer = api.patch(path, json={"title": "Cups", "plan": "standard"}, headers=AUTH)
        detail = refusal(answer, 409, "plan-too-small", "plan")["detail"]
        for plan in PLANS.values():
            assert plan.content_storage in detail
        other = platform.create("cups")
        answer = api.patch(path, json={"title": "Cups", "name": other.name}, headers=AUTH)
        refusal(answer, 409, "name-taken", "name")
        assert show(api, store.id) == before

    def test_a_store_that_was_given_up_is_tried_again(self, api: Client, platform: Platform) -> None:
        store, tables = platform.create(), platform.tables
        tables.rows[store.id] = replace(tables.rows[store.id], state=StoreState.FAILED, reason="a test's")
        answer = ask(api, store.id, Verb.RENAME).get_json()
        assert (answer["state"], answer["reason"]) == ("QUEUED", None)


def test_a_tag_changes_with_all_that_is_shown(api: Client, platform: Platform) -> None:
    store = platform.ready()
    path = f"/v1/stores/{store.id}"
    tags = [api.get(path, headers=AUTH).headers["ETag"]]
    changes: list[dict[str, Any]] = [
        {"holds": frozenset({Hold.BILLING})},
        {"holds": frozenset({Hold.BILLING, Hold.OWNER})},
        {"removal_at": platform.tables.now},
        {"former_hostname": "cups.example"},
        {"former_until": platform.tables.now},
        {"notice": "past-due"},
    ]
    for change in changes:
        platform.tables.rows[store.id] = replace(platform.tables.rows[store.id], **change)
        assert api.get(path, headers={**AUTH, "If-None-Match": tags[-1]}).status_code == 200
        tags.append(api.get(path, headers=AUTH).headers["ETag"])
    assert len(set(tags)) == len(changes) + 1
    reading = with_scopes(api, "stores:read")
    assert api.get(path, headers=reading).headers["ETag"] != tags[-1]


def test_plans_are_shown_as_they_are(api: Client) -> None:
    shown = {each.pop("name"): each for each in api.get("/v1/plans", headers=AUTH).get_json()["plans"]}
    assert list(shown) == sorted(PLANS)
    for name, plan in PLANS.items():
        assert shown[name]["price"] == plan.price.model_dump()
        assert shown[name]["quota"] == dict(plan.quota)
        for field in ("content_storage", "database_storage", "trial_days", "grace_days", "retention_days"):
            assert shown[name][field] == getattr(plan, field)
