"""The REST API: what it accepts, what it refuses, and how it says so."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from gunicorn.http.errors import InvalidChunkSize
from werkzeug.test import Client, TestResponse

from control_plane.domain.accounts import Role
from control_plane.domain.billing import Subscription, SubscriptionStatus
from control_plane.domain.errors import DatabaseUnavailableError
from control_plane.domain.store import StoreState
from control_plane.ports.billing import SubscriptionRow
from control_plane.use_cases.create_token import digest_of
from tests import builders
from tests.builders import TOKENS
from tests.fakes.accounts import a_fake_token
from tests.fakes.stores import FakeStores
from tests.functions.documented import operations
from tests.use_cases.platform import Platform

AUTH = {"Authorization": f"Bearer {TOKENS[builders.CUSTOMER]}"}
STRANGER = {"Authorization": f"Bearer {TOKENS[builders.STRANGER]}"}
ORDER = {"name": "pottery", "title": "Anna's Töpferei", "admin_email": "anna@example.com"}


def refusal(answer: TestResponse, status: int, kind: str, field: str | None = None) -> dict[str, Any]:
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(answer.get_data())
    assert body["type"].rsplit("/", 1)[-1] == kind
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body.get("field") == field
    return body


def test_a_store_is_accepted(api: Client) -> None:
    answer = api.post("/v1/stores", json=ORDER, headers=AUTH)
    assert answer.status_code == 202
    body = answer.get_json()
    assert (body["name"], body["state"], body["plan"]) == ("pottery", "QUEUED", "standard")
    assert answer.headers["Location"] == f"/v1/stores/{body['id']}"
    assert api.get(f"/v1/stores/{body['id']}", headers=AUTH).get_json() == {**body, "subscription": None}


@pytest.mark.parametrize(
    "title", ["'\"<>&;$(VAR) {{ .Values }}", "\x01\x7f\u0085\ufeff", "\U0001f600" * 200, " "]
)
def test_a_title_is_kept_as_it_came(api: Client, title: str) -> None:
    store = api.post("/v1/stores", json={**ORDER, "title": title}, headers=AUTH).get_json()
    assert store["title"] == title


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"name": "Pottery"}, "name"),
        ({"name": "ab"}, "name"),
        ({"name": "a" * 41}, "name"),
        ({"name": "-ab"}, "name"),
        ({"name": "pottery\n"}, "name"),
        ({"name": 7}, "name"),
        ({"name": None}, "name"),
        ({"title": ""}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "nul\x00"}, "title"),
        ({"admin_email": "anna"}, "admin_email"),
        ({"admin_email": "a@b\r\nBcc: c@d"}, "admin_email"),
        ({"admin_email": "a@" + "b" * 300}, "admin_email"),
        ({"admin_email": "anna@localhost"}, "admin_email"),
        ({"admin_email": "anna@example..com"}, "admin_email"),
        ({"admin_email": "anna@example.com\n"}, "admin_email"),
        ({"admin_email": "ännä@example.com"}, "admin_email"),
        ({"plan": "free"}, "plan"),
    ],
)
def test_a_wrong_field_is_named(api: Client, change: Mapping[str, Any], field: str) -> None:
    refusal(api.post("/v1/stores", json={**ORDER, **change}, headers=AUTH), 400, "invalid-request", field)


def test_half_a_surrogate_pair_is_refused(api: Client) -> None:
    body = json.dumps(ORDER).replace("Anna", "\\ud800")
    assert api.post("/v1/stores", data=body, headers=AUTH, content_type="application/json").status_code == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"text"', b"[" * 5000])
def test_a_body_that_is_not_an_object_is_refused(api: Client, body: bytes) -> None:
    refusal(
        api.post("/v1/stores", data=body, headers=AUTH, content_type="application/json"),
        400,
        "invalid-request",
    )


def test_a_missing_field_is_named(api: Client) -> None:
    order = {name: value for name, value in ORDER.items() if name != "title"}
    refusal(api.post("/v1/stores", json=order, headers=AUTH), 400, "invalid-request", "title")


def test_a_body_that_is_too_large_is_refused_told_or_not(api: Client) -> None:
    large = json.dumps({**ORDER, "title": "x" * 70_000}).encode()
    refusal(
        api.post("/v1/stores", data=large, headers=AUTH, content_type="application/json"),
        413,
        "content-too-large",
    )
    answer = api.post(
        "/v1/stores",
        input_stream=io.BytesIO(large),
        headers={**AUTH, "Transfer-Encoding": "chunked", "Content-Type": "application/json"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    refusal(answer, 413, "content-too-large")


def test_a_taken_name_is_refused(api: Client) -> None:
    api.post("/v1/stores", json=ORDER, headers=AUTH)
    refusal(api.post("/v1/stores", json=ORDER, headers=AUTH), 409, "name-taken", "name")
    assert api.post("/v1/stores", json=ORDER, headers=STRANGER).status_code == 202


def test_the_same_key_and_body_give_the_same_store_and_another_body_is_refused(api: Client) -> None:
    keyed = {**AUTH, "Idempotency-Key": "k-1"}
    first, again = (api.post("/v1/stores", json=ORDER, headers=keyed) for _ in range(2))
    assert (again.status_code, again.get_json()["id"]) == (202, first.get_json()["id"])
    other = api.post("/v1/stores", json={**ORDER, "name": "other"}, headers=keyed)
    refusal(other, 422, "idempotency-key-reused", "Idempotency-Key")


@pytest.mark.parametrize("key", ["", "x" * 256, "ä"])
def test_a_key_that_is_none_is_refused(api: Client, key: str) -> None:
    headers = {**AUTH, "Idempotency-Key": key}
    refusal(api.post("/v1/stores", json=ORDER, headers=headers), 400, "invalid-request", "Idempotency-Key")


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKENS[builders.CUSTOMER]}", "Bearer tökén"],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/stores"), ("GET", "/v1/stores"), ("GET", "/v1/stores/x")]
)
def test_nobody_gets_in_without_a_token(
    api: Client, authorization: str | None, method: str, path: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = api.open(path, method=method, json=ORDER, headers=headers)
    refusal(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_strangers_store_is_not_there_in_any_verb(api: Client, platform: Platform) -> None:
    store_id = api.post("/v1/stores", json=ORDER, headers=AUTH).get_json()["id"]
    for method, path in [("GET", ""), ("DELETE", ""), ("GET", "/events")]:
        answer = api.open(f"/v1/stores/{store_id}{path}", method=method, headers=STRANGER)
        refusal(answer, 404, "store-not-found")
    assert api.get("/v1/stores", headers=STRANGER).get_json()["stores"] == []
    assert [row.state for row in platform.tables.rows.values()] == ["QUEUED"]


@pytest.mark.parametrize("store_id", ["x", "9" * 5000, str(uuid4()), "%00", "..%2f.."])
def test_a_store_that_is_not_there_is_not_found(api: Client, store_id: str) -> None:
    assert api.get(f"/v1/stores/{store_id}", headers=AUTH).status_code == 404
    assert api.delete(f"/v1/stores/{store_id}", headers=AUTH).status_code == 404
    assert api.get(f"/v1/stores/{store_id}/events", headers=AUTH).status_code == 404


def test_a_wrong_method_says_which_are_right(api: Client) -> None:
    answer = api.put("/v1/stores", headers=AUTH)
    refusal(answer, 405, "method-not-allowed")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].replace(" ", "").split(","))
    refusal(api.get("/nowhere"), 404, "not-found")


def _cursor(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


@pytest.mark.parametrize(
    "query",
    [
        "cursor=x",
        "cursor=",
        "cursor=%F0%9F%98%80",
        f"cursor={_cursor()}",
        f"cursor={_cursor(1, 2)}",
        f"cursor={_cursor('2026-01-01T00:00:00', str(uuid4()))}",
        "limit=0",
        "limit=101",
        "limit=many",
        "state=HAPPY",
        "q=",
        "q=%00",
        "colour=red",
    ],
)
def test_a_query_that_makes_no_sense_is_refused(api: Client, query: str) -> None:
    refusal(api.get(f"/v1/stores?{query}", headers=AUTH), 400, "invalid-request", query.partition("=")[0])


def test_pages_follow_each_other(api: Client) -> None:
    ids = [
        api.post("/v1/stores", json={**ORDER, "name": f"shop-{n}"}, headers=AUTH).get_json()["id"]
        for n in range(5)
    ]
    seen, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/v1/stores?limit=2{cursor and '&cursor=' + cursor}", headers=AUTH).get_json()
        seen += [store["id"] for store in page["stores"]]
        cursor = page["next_cursor"]
    assert seen == ids[::-1]


def test_deletion_is_accepted_and_told(api: Client) -> None:
    store_id = api.post("/v1/stores", json=ORDER, headers=AUTH).get_json()["id"]
    for _ in range(2):
        answer = api.delete(f"/v1/stores/{store_id}", headers=AUTH)
        assert (answer.status_code, answer.get_json()["state"]) == (202, "DELETING")
    events = api.get(f"/v1/stores/{store_id}/events", headers=AUTH).get_json()["events"]
    assert [each["to_state"] for each in events] == ["QUEUED", "DELETING"]


def made(api: Client, **changes: Any) -> TestResponse:
    """A new store of the customer."""
    answer = api.post("/v1/stores", json={**ORDER, **changes}, headers=AUTH)
    assert answer.status_code == 202
    return answer


def fail(platform: Platform, store_id: str) -> None:
    """Give a store up."""
    tables = platform.tables
    tables.write(
        tables.rows[UUID(store_id)], builders.ACTOR, "given up", state=StoreState.FAILED, reason="why"
    )


def with_scopes(api: Client, *scopes: str) -> dict[str, str]:
    """The header of a new token of the customer."""
    token = api.post("/v1/tokens", json={"name": "x", "scopes": scopes}, headers=AUTH).get_json()["token"]
    return {"Authorization": f"Bearer {token}"}


def test_a_title_is_changed_at_the_next_generation_and_the_same_one_changes_nothing(api: Client) -> None:
    path = made(api).headers["Location"]
    for _ in range(2):
        answer = api.patch(path, json={"title": "Bowls"}, headers=AUTH)
        assert answer.status_code == 202
        assert (answer.get_json()["title"], answer.get_json()["generation"]) == ("Bowls", 2)
    assert [each["action"] for each in api.get(f"{path}/events", headers=AUTH).get_json()["events"]] == [
        "created",
        "rename asked",
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, None),
        ({"title": ""}, "title"),
        ({"title": None}, "title"),
        ({"title": "Bowls", "name": "y"}, "name"),
        ({"name": None}, "name"),
        ({"plan": "free"}, "plan"),
        ({"plan": None, "title": "Bowls"}, "plan"),
        ({"title": "Bowls", "admin_email": "b@example.com"}, "admin_email"),
        ({"holds": []}, "holds"),
    ],
)
def test_nothing_else_is_changed(api: Client, body: Mapping[str, Any], field: str | None) -> None:
    path = made(api).headers["Location"]
    refusal(api.patch(path, json=body, headers=AUTH), 400, "invalid-request", field)
    assert api.get(path, headers=AUTH).get_json()["generation"] == 1


def test_only_a_failed_store_is_retried(api: Client, platform: Platform) -> None:
    store = made(api)
    path = f"{store.headers['Location']}/retry"
    refusal(api.post(path, headers=AUTH), 409, "not-now")
    fail(platform, store.get_json()["id"])
    answer = api.post(path, headers=AUTH)
    assert answer.status_code == 202
    assert (answer.get_json()["state"], answer.get_json()["reason"]) == ("QUEUED", None)
    assert answer.get_json()["generation"] == 2
    refusal(api.post(path, headers=AUTH), 409, "not-now")


VERBS = [("PATCH", "", {"title": "Bowls"}), ("DELETE", "", None), ("POST", "/retry", None)]


@pytest.mark.parametrize(("method", "below", "body"), VERBS)
def test_who_decided_by_an_older_generation_is_refused(
    api: Client, platform: Platform, method: str, below: str, body: Any
) -> None:
    store = made(api)
    path, old = store.headers["Location"], store.headers["ETag"]
    new = api.patch(path, json={"title": "Vases"}, headers=AUTH).headers["ETag"]
    fail(platform, store.get_json()["id"])
    refusal(api.open(path + below, method=method, json=body, headers={**AUTH, "If-Match": old}), 412, "stale")
    refusal(
        api.open(path + below, method=method, json=body, headers={**AUTH, "If-Match": "generation 2"}),
        400,
        "invalid-request",
        "If-Match",
    )
    answer = api.open(path + below, method=method, json=body, headers={**AUTH, "If-Match": new})
    assert answer.status_code == 202


def test_a_change_of_state_alone_makes_no_decision_stale(api: Client, platform: Platform) -> None:
    store = made(api)
    before = api.get(store.headers["Location"], headers=AUTH).headers["ETag"]
    fail(platform, store.get_json()["id"])
    assert api.get(store.headers["Location"], headers=AUTH).headers["ETag"] != before
    answer = api.delete(store.headers["Location"], headers={**AUTH, "If-Match": store.headers["ETag"]})
    assert answer.status_code == 202


def subscribe(platform: Platform, store_id: str, status: SubscriptionStatus) -> None:
    """The store belongs to a subscription that has been that for a day."""
    since = platform.tables.now - timedelta(days=1)
    state = Subscription(status, since, "business", known_at=since)
    row = SubscriptionRow("sub_42", builders.CUSTOMER, state, UUID(store_id), note="a note")
    platform.tables.subscriptions[row.id] = row


@pytest.mark.parametrize(
    ("status", "days", "then"),
    [("past-due", "grace_days", "suspended"), ("canceled", "retention_days", "removed")],
)
def test_a_subscription_is_shown_with_what_comes_next(
    api: Client, platform: Platform, status: str, days: str, then: str
) -> None:
    store = made(api)
    subscribe(platform, store.get_json()["id"], SubscriptionStatus(status))
    answer = api.get(store.headers["Location"], headers=AUTH)
    (operation,) = (each for each in operations() if each.id == "show_store")
    operation.assert_documented(answer)
    shown = answer.get_json()["subscription"]
    since, at = (datetime.fromisoformat(each) for each in (shown.pop("since"), shown["next"].pop("at")))
    assert since == platform.tables.subscriptions["sub_42"].state.since
    assert at == since + timedelta(days=getattr(builders.PLANS["business"], days))
    assert shown == {
        "id": "sub_42",
        "status": status,
        "plan": "business",
        "trial_ends_at": None,
        "next": {"then": then},
        "note": "a note",
    }


def test_nothing_comes_next_of_a_paid_store_and_of_one_that_was_deleted_for_good(
    api: Client, platform: Platform
) -> None:
    store = made(api).get_json()
    path = f"/v1/stores/{store['id']}"
    subscribe(platform, store["id"], SubscriptionStatus.ACTIVE)
    assert api.get(path, headers=AUTH).get_json()["subscription"]["next"] is None
    subscribe(platform, store["id"], SubscriptionStatus.PAST_DUE)
    assert api.get(path, headers=AUTH).get_json()["subscription"]["next"]
    platform.purge(UUID(store["id"]))
    assert api.get(path, headers=AUTH).get_json()["subscription"]["next"] is None


def test_a_subscription_is_seen_by_whoever_may_see_its_store(api: Client, platform: Platform) -> None:
    path = made(api).headers["Location"]
    subscribe(platform, path.rpartition("/")[2], SubscriptionStatus.ACTIVE)
    refusal(api.get(path, headers=STRANGER), 404, "store-not-found")
    for role in (Role.SUPPORT, Role.OPERATOR):
        token = f"urumi_{role}"
        a_fake_token(platform.tables, builders.STRANGER, digest_of(token), role=role)
        shown = api.get(path, headers={"Authorization": f"Bearer {token}"}).get_json()
        assert shown["subscription"]["id"] == "sub_42"
    for answer in (api.get("/v1/stores", headers=AUTH), api.delete(path, headers=AUTH)):
        assert "sub_42" not in answer.get_data(as_text=True)


def test_any_star_matches(api: Client) -> None:
    path = made(api).headers["Location"]
    assert api.delete(path, headers={**AUTH, "If-Match": "*"}).status_code == 202


def test_what_has_not_changed_is_not_sent_again(api: Client, platform: Platform) -> None:
    store = made(api)
    path = store.headers["Location"]
    tag = api.get(path, headers=AUTH).headers["ETag"]
    for method in ("GET", "HEAD"):
        again = api.open(path, method=method, headers={**AUTH, "If-None-Match": f'"other", W/{tag}'})
        assert (again.status_code, again.get_data(), again.headers["ETag"]) == (304, b"", tag)
    fail(platform, store.get_json()["id"])
    assert api.get(path, headers={**AUTH, "If-None-Match": tag}).status_code == 200
    assert "no-cache" in api.get(path, headers=AUTH).headers["Cache-Control"]


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "text/json"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/stores"), ("POST", "/v1/tokens"), ("PATCH", "")])
def test_a_body_that_is_not_said_to_be_json_is_not_read(
    api: Client, content_type: str, method: str, path: str
) -> None:
    path = path or made(api).headers["Location"]
    headers = {**AUTH, "Content-Type": content_type} if content_type else AUTH
    refusal(
        api.open(path, method=method, data=json.dumps(ORDER), headers=headers), 415, "unsupported-media-type"
    )


def test_json_may_say_its_charset(api: Client) -> None:
    headers = {**AUTH, "Content-Type": "application/json; charset=utf-8"}
    assert api.post("/v1/stores", data=json.dumps(ORDER), headers=headers).status_code == 202


def test_an_account_that_asks_too_often_hears_when_to_come_again(api: Client, platform: Platform) -> None:
    account = platform.tables.accounts[builders.CUSTOMER]
    account.requests_left, account.requests_at = 0.0, platform.tables.now
    answer = api.get("/v1/stores", headers=AUTH)
    refusal(answer, 429, "rate-limited")
    assert int(answer.headers["Retry-After"]) == 1
    assert api.get("/v1/stores", headers=STRANGER).status_code == 200
    platform.clock.now += timedelta(seconds=1)
    assert api.get("/v1/stores", headers=AUTH).status_code == 200


def test_a_token_is_shown_once_and_works_until_it_is_revoked(api: Client) -> None:
    answer = api.post("/v1/tokens", json={"name": "CI", "scopes": ["stores:read"]}, headers=AUTH)
    assert answer.status_code == 201
    token = answer.get_json()["token"]
    assert answer.get_json()["prefix"] == token[: len(answer.get_json()["prefix"])]
    listed = api.get("/v1/tokens", headers=AUTH)
    assert answer.get_json()["id"] in {each["id"] for each in listed.get_json()["tokens"]}
    assert token not in listed.get_data(as_text=True)
    shown = {"Authorization": f"Bearer {token}"}
    assert api.get("/v1/stores", headers=shown).status_code == 200
    for _ in range(2):
        assert api.delete(answer.headers["Location"], headers=AUTH).status_code == 204
    refusal(api.get("/v1/stores", headers=shown), 401, "unauthenticated")


def test_a_token_ends_by_itself(api: Client, platform: Platform) -> None:
    body = {"name": "short", "expires_in_days": 1}
    token = api.post("/v1/tokens", json=body, headers=AUTH).get_json()
    ends = datetime.fromisoformat(token["expires_at"])
    assert timedelta(hours=23) < ends - datetime.now(UTC) <= timedelta(days=1)
    platform.clock.now = ends + timedelta(seconds=1)
    shown = {"Authorization": f"Bearer {token['token']}"}
    refusal(api.get("/v1/stores", headers=shown), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "x\x00"}, "name"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["all"]}, "scopes.0"),
        ({"name": "x", "scopes": ["tokens", "tokens"]}, "scopes"),
        ({"name": "x", "scopes": "tokens"}, "scopes"),
        ({"name": "x", "expires_in_days": 0}, "expires_in_days"),
        ({"name": "x", "expires_in_days": 367}, "expires_in_days"),
        ({"name": "x", "expires_in_days": 1.5}, "expires_in_days"),
        ({"name": "x", "expires_in_days": "1"}, "expires_in_days"),
        ({"name": "x", "role": "operator"}, "role"),
    ],
)
def test_a_wrong_token_field_is_named(api: Client, body: Mapping[str, Any], field: str) -> None:
    refusal(api.post("/v1/tokens", json=body, headers=AUTH), 400, "invalid-request", field)


def test_nobody_gives_what_they_do_not_have(api: Client) -> None:
    tokens_only = with_scopes(api, "tokens")
    answer = api.post("/v1/tokens", json={"name": "more", "scopes": ["stores:write"]}, headers=tokens_only)
    assert "stores:write" in refusal(answer, 403, "forbidden")["detail"]
    answer = api.post("/v1/tokens", json={"name": "same", "scopes": ["tokens"]}, headers=tokens_only)
    assert answer.status_code == 201


def test_a_token_does_what_its_scopes_say(api: Client, platform: Platform) -> None:
    path = made(api).headers["Location"]
    reading = with_scopes(api, "stores:read")
    assert api.get(path, headers=reading).status_code == 200
    for answer in (
        api.patch(path, json={"title": "Mine"}, headers=reading),
        api.delete(path, headers=reading),
        api.post(f"{path}/retry", headers=reading),
        api.post("/v1/stores", json={**ORDER, "name": "another"}, headers=reading),
        api.get("/v1/tokens", headers=reading),
        api.post("/v1/tokens", json={"name": "x"}, headers=reading),
    ):
        refusal(answer, 403, "forbidden")
    assert api.get(path, headers=AUTH).get_json()["generation"] == 1


def test_no_secret_is_kept_by_any_cache(api: Client, platform: Platform) -> None:
    store = platform.ready()
    path = f"/v1/stores/{store.id}"
    answers = [
        api.post("/v1/tokens", json={"name": "x"}, headers=AUTH),
        api.post(f"{path}/credentials:claim", headers=AUTH),
        api.post(f"{path}/login-link", headers=AUTH),
    ]
    for answer in answers:
        assert answer.status_code in (200, 201)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ETag" not in answer.headers


def test_a_password_is_claimed_once_and_a_reset_makes_another(api: Client, platform: Platform) -> None:
    store = platform.ready()
    path = f"/v1/stores/{store.id}"
    first = api.post(f"{path}/credentials:claim", headers=AUTH).get_json()["password"]
    refusal(api.post(f"{path}/credentials:claim", headers=AUTH), 410, "claimed")
    assert api.post(f"{path}/reset-password", headers=AUTH).status_code == 202
    refusal(api.post(f"{path}/credentials:claim", headers=AUTH), 409, "not-now")
    platform.deliver(store.id)
    platform.cell.pods(store.id, ready=True)
    platform.run_pass()
    second = api.post(f"{path}/credentials:claim", headers=AUTH).get_json()["password"]
    assert second != first


@pytest.mark.parametrize("path", ["/nowhere", "/v1/stores/x", "/v1/stores"])
def test_every_answer_says_what_it_is_and_no_error_is_kept(api: Client, path: str) -> None:
    for headers in ({}, AUTH):
        answer = api.get(path, headers=headers)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        if answer.status_code >= 400:
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    ["/v1//stores", "/v1/stores/", "/V1/stores", "/docs/", "/v1/stores;x", "/v1/stores/%0a", "/robots.txt"],
)
def test_what_is_nearly_a_path_is_none(api: Client, path: str) -> None:
    refusal(api.get(path, headers=AUTH), 404, "not-found")


@pytest.mark.parametrize("written", ["{}", "urn:uuid:{}", "{{{}}}", "nodashes"])
def test_an_id_has_one_way_to_be_written(api: Client, written: str) -> None:
    store_id = made(api).get_json()["id"]
    text = store_id.replace("-", "") if written == "nodashes" else written.format(store_id)
    expected = 200 if text == store_id else 404
    assert api.get(f"/v1/stores/{text}", headers=AUTH).status_code == expected


def test_a_cursor_is_ours_to_the_letter(api: Client) -> None:
    """Others may hold a time that is none in UTC, or more brackets than a parser nests."""
    deep = base64.urlsafe_b64encode(b"[" * 100_000).decode()
    far = _cursor("0001-01-01T00:00:00+14:00", str(uuid4()))
    spaced = base64.urlsafe_b64encode(f'["2026-01-01T00:00:00+00:00",  "{uuid4()}"]'.encode()).decode()
    for cursor in (deep, far, spaced):
        answer = api.get("/v1/stores", query_string={"cursor": cursor}, headers=AUTH)
        refusal(answer, 400, "invalid-request", "cursor")


@pytest.mark.parametrize("limit", ["1_0", "+5", " 5", "5.0", "\u0661", "0x5", "1e1"])
def test_a_number_is_digits(api: Client, limit: str) -> None:
    answer = api.get("/v1/stores", query_string={"limit": limit}, headers=AUTH)
    refusal(answer, 400, "invalid-request", "limit")


def test_a_body_that_nobody_asked_for_is_not_read(api: Client) -> None:
    """The framework would read all of it into memory, after the answer was made."""
    endless = io.BytesIO(b"x" * 1_000_000)
    answer = api.get("/openapi.json", input_stream=endless, headers={"Content-Length": "1000000"})
    assert (answer.status_code, endless.tell()) == (200, 0)
    large = io.BytesIO(b"x" * 1_000_000)
    headers = {**AUTH, "Content-Type": "application/json", "Content-Length": "1000000"}
    answer = api.post("/v1/stores", input_stream=large, headers=headers)
    refusal(answer, 413, "content-too-large")
    assert large.tell() == 0


def test_a_body_that_breaks_off_is_the_callers_mistake(api: Client) -> None:
    class Broken(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise InvalidChunkSize(b"ZZ")

    answer = api.post(
        "/v1/stores",
        input_stream=Broken(),
        headers={**AUTH, "Transfer-Encoding": "chunked", "Content-Type": "application/json"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    refusal(answer, 400, "invalid-request")


def test_a_database_that_is_away_is_said_to_be(
    api: Client, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise DatabaseUnavailableError("connection to 10.0.0.7 refused")

    monkeypatch.setattr(FakeStores, "add", away)
    answer = api.post("/v1/stores", json=ORDER, headers=AUTH)
    refusal(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert b"10.0.0.7" not in answer.get_data()


def test_what_nobody_foresaw_tells_nothing_but_the_request(
    api: Client, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(FakeStores, "add", broken)
    answer = api.post("/v1/stores", json=ORDER, headers=AUTH)
    refusal(answer, 500, "internal-error")
    assert b"secret" not in answer.get_data()
