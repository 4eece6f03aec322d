"""The REST API: what it accepts, what it refuses, and how it says so."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.test import Client, TestResponse

from control_plane.domain.errors import DatabaseUnavailableError
from tests.use_cases.platform import Platform

AUTH = {"Authorization": "Bearer customer-token"}
STRANGER = {"Authorization": "Bearer stranger-token"}
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
    answer = api.post("/stores", json=ORDER, headers=AUTH)
    assert answer.status_code == 202
    body = answer.get_json()
    assert (body["name"], body["state"], body["plan"]) == ("pottery", "QUEUED", "standard")
    assert answer.headers["Location"] == f"/stores/{body['id']}"
    assert api.get(f"/stores/{body['id']}", headers=AUTH).get_json() == body


@pytest.mark.parametrize(
    "title", ["'\"<>&;$(VAR) {{ .Values }}", "\x01\x7f\u0085\ufeff", "\U0001f600" * 200, " "]
)
def test_a_title_is_kept_as_it_came(api: Client, title: str) -> None:
    store = api.post("/stores", json={**ORDER, "title": title}, headers=AUTH).get_json()
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
        ({"plan": "free"}, "plan"),
    ],
)
def test_a_wrong_field_is_named(api: Client, change: Mapping[str, Any], field: str) -> None:
    refusal(api.post("/stores", json={**ORDER, **change}, headers=AUTH), 400, "invalid-request", field)


def test_half_a_surrogate_pair_is_refused(api: Client) -> None:
    body = json.dumps(ORDER).replace("Anna", "\\ud800")
    assert api.post("/stores", data=body, headers=AUTH).status_code == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"text"', b"[" * 5000])
def test_a_body_that_is_not_an_object_is_refused(api: Client, body: bytes) -> None:
    refusal(api.post("/stores", data=body, headers=AUTH), 400, "invalid-request")


def test_a_missing_field_is_named(api: Client) -> None:
    order = {name: value for name, value in ORDER.items() if name != "title"}
    refusal(api.post("/stores", json=order, headers=AUTH), 400, "invalid-request", "title")


def test_a_body_that_is_too_large_is_refused_told_or_not(api: Client) -> None:
    large = json.dumps({**ORDER, "title": "x" * 70_000}).encode()
    refusal(api.post("/stores", data=large, headers=AUTH), 413, "request-entity-too-large")
    answer = api.post(
        "/stores",
        input_stream=io.BytesIO(large),
        headers={**AUTH, "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    refusal(answer, 413, "request-entity-too-large")


def test_a_taken_name_is_refused(api: Client) -> None:
    api.post("/stores", json=ORDER, headers=AUTH)
    refusal(api.post("/stores", json=ORDER, headers=AUTH), 409, "name-taken", "name")
    assert api.post("/stores", json=ORDER, headers=STRANGER).status_code == 202


def test_the_same_key_and_body_give_the_same_store_and_another_body_is_refused(api: Client) -> None:
    keyed = {**AUTH, "Idempotency-Key": "k-1"}
    first, again = (api.post("/stores", json=ORDER, headers=keyed) for _ in range(2))
    assert (again.status_code, again.get_json()["id"]) == (202, first.get_json()["id"])
    other = api.post("/stores", json={**ORDER, "name": "other"}, headers=keyed)
    refusal(other, 422, "idempotency-key-reused", "Idempotency-Key")


@pytest.mark.parametrize("key", ["", "x" * 256, "ä"])
def test_a_key_that_is_none_is_refused(api: Client, key: str) -> None:
    headers = {**AUTH, "Idempotency-Key": key}
    refusal(api.post("/stores", json=ORDER, headers=headers), 400, "invalid-request", "Idempotency-Key")


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic customer-token", "Bearer tökén"]
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/stores"), ("GET", "/stores"), ("GET", "/stores/x")])
def test_nobody_gets_in_without_a_token(
    api: Client, authorization: str | None, method: str, path: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = api.open(path, method=method, json=ORDER, headers=headers)
    refusal(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_strangers_store_is_not_there_in_any_verb(api: Client, platform: Platform) -> None:
    store_id = api.post("/stores", json=ORDER, headers=AUTH).get_json()["id"]
    for method, path in [("GET", ""), ("DELETE", ""), ("GET", "/events")]:
        answer = api.open(f"/stores/{store_id}{path}", method=method, headers=STRANGER)
        refusal(answer, 404, "store-not-found")
    assert api.get("/stores", headers=STRANGER).get_json()["stores"] == []
    assert [row.state for row in platform.tables.rows.values()] == ["QUEUED"]


@pytest.mark.parametrize("store_id", ["x", "9" * 5000, str(uuid4()), "%00", "..%2f.."])
def test_a_store_that_is_not_there_is_not_found(api: Client, store_id: str) -> None:
    assert api.get(f"/stores/{store_id}", headers=AUTH).status_code == 404
    assert api.delete(f"/stores/{store_id}", headers=AUTH).status_code == 404
    assert api.get(f"/stores/{store_id}/events", headers=AUTH).status_code == 404


def test_a_wrong_method_says_which_are_right(api: Client) -> None:
    answer = api.put("/stores", headers=AUTH)
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
    refusal(api.get(f"/stores?{query}", headers=AUTH), 400, "invalid-request", query.partition("=")[0])


def test_pages_follow_each_other(api: Client) -> None:
    ids = [
        api.post("/stores", json={**ORDER, "name": f"shop-{n}"}, headers=AUTH).get_json()["id"]
        for n in range(5)
    ]
    seen, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/stores?limit=2{cursor and '&cursor=' + cursor}", headers=AUTH).get_json()
        seen += [store["id"] for store in page["stores"]]
        cursor = page["next_cursor"]
    assert seen == ids[::-1]


def test_deletion_is_accepted_and_told(api: Client) -> None:
    store_id = api.post("/stores", json=ORDER, headers=AUTH).get_json()["id"]
    for _ in range(2):
        answer = api.delete(f"/stores/{store_id}", headers=AUTH)
        assert (answer.status_code, answer.get_json()["state"]) == (202, "DELETING")
    events = api.get(f"/stores/{store_id}/events", headers=AUTH).get_json()["events"]
    assert [each["to_state"] for each in events] == ["QUEUED", "DELETING"]


def test_a_database_that_is_away_is_said_to_be(
    api: Client, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise DatabaseUnavailableError("connection to 10.0.0.7 refused")

    monkeypatch.setattr(type(platform.stores), "add", away)
    answer = api.post("/stores", json=ORDER, headers=AUTH)
    refusal(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert b"10.0.0.7" not in answer.get_data()


def test_what_nobody_foresaw_tells_nothing_but_the_request(
    api: Client, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(type(platform.stores), "add", broken)
    answer = api.post("/stores", json=ORDER, headers=AUTH)
    refusal(answer, 500, "internal-error")
    assert b"secret" not in answer.get_data()


def test_health_needs_no_token(api: Client) -> None:
    assert api.get("/healthz").get_json() == {"status": "serving"}
