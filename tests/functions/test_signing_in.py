"""Browsers: how they come in and leave, their cookies, and what another site's page can do with these."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any
from uuid import UUID

import pytest
from werkzeug.test import Client, TestResponse

from control_plane.domain.errors import DatabaseUnavailableError
from control_plane.domain.people import ONE_TIME_LIFE, SESSION_IDLE, SESSION_LIFE
from control_plane.settings import ConsoleSettings, from_environment
from control_plane.use_cases.create_token import digest_of
from tests.builders import CUSTOMER, STRANGER, TOKENS
from tests.fakes.people import SignInRow
from tests.functions.documented import STORE_NAME, Operation, operations
from tests.functions.people import ID_TOKENS, a_session, ids_for, meet
from tests.use_cases.platform import Platform

SESSION = "__Host-session"
OPERATIONS = list(operations())
UNSAFE = [each for each in OPERATIONS if each.method != "GET"]
GUARDED = [each for each in OPERATIONS if each.scope]
SITE = "http://localhost"  # where the framework's test client finds a function
ANNA = ID_TOKENS[CUSTOMER]
SECRET = "the-secret-of-a-browser"


def let_sign_in(platform: Platform, secret: str, account: UUID = CUSTOMER) -> None:
    """What `urumi signin` does."""
    row = SignInRow(account, platform.tables.now + ONE_TIME_LIFE)
    platform.tables.of_people.sign_ins[digest_of(secret)] = row


def once(console: Client, secret: str, **headers: str) -> TestResponse:
    return console.get(f"/signin/once?token={secret}", headers=headers)


def cookie(answer: TestResponse, name: str = SESSION) -> Any:
    """What the browser keeps, if anything."""
    found: SimpleCookie = SimpleCookie()
    for line in answer.headers.getlist("Set-Cookie"):
        found.load(line)
    return found.get(name)


def signed_in(platform: Platform, id_token: str = ANNA, secret: str = SECRET) -> dict[str, str]:
    """What a browser of theirs sends."""
    meet(platform)
    a_session(platform, id_token, secret)
    return {"Cookie": f"{SESSION}={secret}"}


def proof(api: Client, headers: Mapping[str, str]) -> str:
    return str(api.get("/v1/session", headers=headers).get_json()["csrf_token"])


class TestOneTimeAddress:
    def test_it_signs_in_and_leads_on(self, api: Client, console: Client, platform: Platform) -> None:
        let_sign_in(platform, "x")
        answer = once(console, "x")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")
        kept = cookie(answer)
        assert len(kept.value) == 43
        found = api.get("/v1/session", headers={"Cookie": f"{SESSION}={kept.value}"}).get_json()
        assert (found["account"], found["role"], found["member"]) == (str(CUSTOMER), "customer", "owner")

    def test_the_cookie_is_for_this_host_https_and_no_script(
        self, console: Client, platform: Platform
    ) -> None:
        let_sign_in(platform, "x")
        kept = cookie(once(console, "x"))
        assert (kept["secure"], kept["httponly"], kept["samesite"], kept["path"], kept["domain"]) == (
            True,
            True,
            "Lax",
            "/",
            "",
        )
        assert int(kept["max-age"]) == SESSION_LIFE.total_seconds()

    def test_it_works_once(self, console: Client, platform: Platform) -> None:
        let_sign_in(platform, "x")
        assert once(console, "x").status_code == 303
        refused(once(console, "x"))

    def test_looking_without_opening_does_not_use_it_up(self, console: Client, platform: Platform) -> None:
        let_sign_in(platform, "x")
        refused(console.head("/signin/once?token=x"), body=False)
        assert once(console, "x").status_code == 303

    def test_every_refusal_is_the_same(self, console: Client, platform: Platform) -> None:
        let_sign_in(platform, "late")
        platform.clock.later(ONE_TIME_LIFE.total_seconds() + 1)
        answers = [
            once(console, secret) for secret in ("late", "nobodys", "", "x" * 101, "%00", "%F0%9F%98%80")
        ]
        answers.append(console.get("/signin/once"))
        assert len({answer.get_data() for answer in answers}) == 1
        for answer in answers:
            refused(answer)

    def test_what_was_in_the_address_is_told_to_nobody(self, console: Client, platform: Platform) -> None:
        let_sign_in(platform, "x")
        for answer in (once(console, "x"), once(console, "x")):
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-store"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]

    def test_nor_while_the_database_is_away(
        self, console: Client, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: Any) -> Any:
            raise DatabaseUnavailableError("away")

        monkeypatch.setattr(type(platform.accounts), "enter", away)
        answer = once(console, "x")
        assert (answer.status_code, answer.headers["Referrer-Policy"]) == (503, "no-referrer")

    def test_the_secret_is_nowhere_in_the_database(self, console: Client, platform: Platform) -> None:
        let_sign_in(platform, "x")
        secret = cookie(once(console, "x")).value
        assert secret not in repr(vars(platform.tables)) + repr(platform.tables.of_people)

    def test_a_session_that_was_there_before_is_neither_taken_nor_kept(
        self, api: Client, console: Client, platform: Platform
    ) -> None:
        planted = {"Cookie": f"{SESSION}=planted"}
        let_sign_in(platform, "x")
        let_sign_in(platform, "y")
        first = cookie(once(console, "x", **planted)).value
        assert first != "planted"
        assert api.get("/v1/session", headers=planted).status_code == 401
        mine = {"Cookie": f"{SESSION}={first}"}
        second = cookie(once(console, "y", **mine)).value
        assert second not in (first, "planted")
        assert api.get("/v1/session", headers=mine).status_code == 401

    def test_what_the_browser_calls_itself_is_kept_short_and_plain(
        self, console: Client, platform: Platform
    ) -> None:
        let_sign_in(platform, "x")
        once(console, "x", **{"User-Agent": "Fox\x7f\xe9" + "x" * 300})
        (row,) = platform.tables.of_people.sessions.values()
        assert row.kept.browser == "Fox" + "x" * 197


def refused(answer: TestResponse, *, body: bool = True) -> None:
    assert answer.status_code == 403
    assert cookie(answer) is None
    assert not body or b"did not sign you in" in answer.get_data()


class TestSession:
    def test_it_tells_who_is_asking(self, api: Client, platform: Platform) -> None:
        mine = signed_in(platform)
        answer = api.get("/v1/session", headers=mine)
        found = answer.get_json()
        assert (found["email"], found["name"]) == ("anna@example.com", "Anna")
        assert re.fullmatch("[0-9a-f]{64}", found["csrf_token"])
        assert SECRET not in answer.get_data(as_text=True)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ETag" not in answer.headers

    def test_a_token_has_none(self, api: Client) -> None:
        found = api.get("/v1/session", headers=bearer(TOKENS[CUSTOMER])).get_json()
        assert found["account"] == str(CUSTOMER)
        assert {name for name, value in found.items() if value is None} == {
            "person", "email", "name", "member", "expires_at", "csrf_token",
        }  # fmt: skip

    @pytest.mark.parametrize("idle", [True, False])
    def test_it_ends(self, api: Client, platform: Platform, idle: bool) -> None:
        mine = signed_in(platform)
        hours, step = (2, 2) if idle else (12, 1)
        for _ in range(hours // step - 1):
            platform.clock.later(step * 3600)
            assert api.get("/v1/stores", headers=mine).status_code == 200
        platform.clock.later(step * 3600 + 1)
        assert api.get("/v1/stores", headers=mine).status_code == 401
        assert timedelta(hours=2) == SESSION_IDLE

    def test_signing_out_ends_it_at_once(self, api: Client, console: Client, platform: Platform) -> None:
        mine = signed_in(platform)
        form = {"csrf": proof(api, mine)}
        answer = console.post("/signout", data=form, headers=mine)
        assert (answer.status_code, cookie(answer).value, cookie(answer)["max-age"]) == (303, "", "0")
        assert api.get("/v1/session", headers=mine).status_code == 401
        # Whoever is out may say so again.
        assert console.post("/signout", data=form, headers=mine).status_code == 303
        assert console.post("/signout", data={"csrf": ""}).status_code == 303

    def test_what_is_ended_or_removed_is_refused_at_once(self, api: Client, platform: Platform) -> None:
        mine = signed_in(platform)
        ids = ids_for(platform, ["session_id", "person_id"])
        bens = {"Cookie": f"{SESSION}=one"}
        assert api.get("/v1/stores", headers=bens).status_code == 200
        headers = {**mine, "X-CSRF-Token": proof(api, mine)}
        assert api.delete(f"/v1/sessions/{ids['session_id']}", headers=headers).status_code == 204
        assert api.get("/v1/stores", headers=bens).status_code == 401
        a_session(platform, "id-token-of-ben", "two")
        bens = {"Cookie": f"{SESSION}=two"}
        assert api.get("/v1/stores", headers=bens).status_code == 200
        assert api.delete(f"/v1/members/{ids['person_id']}", headers=headers).status_code == 204
        assert api.get("/v1/stores", headers=bens).status_code == 401
        assert api.get("/v1/stores", headers=bearer("id-token-of-ben")).status_code == 401

    def test_a_strangers_session_is_not_there(self, api: Client, platform: Platform) -> None:
        mine = signed_in(platform)
        theirs = a_session(platform, ID_TOKENS[STRANGER], "another")
        headers = {**mine, "X-CSRF-Token": proof(api, mine)}
        answer = api.delete(f"/v1/sessions/{theirs}", headers=headers)
        assert (answer.status_code, problem(answer)) == (404, "session-not-found")
        assert api.get("/v1/session", headers={"Cookie": f"{SESSION}=another"}).status_code == 200

    def test_a_header_wins_over_the_cookie_even_a_wrong_one(self, api: Client, platform: Platform) -> None:
        mine = signed_in(platform)
        theirs = api.get("/v1/session", headers={**mine, **bearer(ID_TOKENS[STRANGER])})
        assert theirs.get_json()["account"] == str(STRANGER)
        assert theirs.get_json()["csrf_token"] is None
        for wrong in ("Bearer nobodys", "Basic YTpi", "", "Bearer"):
            assert api.get("/v1/session", headers={**mine, "Authorization": wrong}).status_code == 401


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def problem(answer: TestResponse) -> str:
    return str(answer.get_json(force=True)["type"]).rpartition("/")[2]


def ask(api: Client, platform: Platform, operation: Operation, headers: Mapping[str, str]) -> TestResponse:
    """The operation with this browser's headers, about something of its account."""
    ids: dict[str, object] = dict(ids_for(platform, operation.ids))
    if "store_id" in operation.ids:
        ids["store_id"] = platform.ready(STORE_NAME).id
    if "token_id" in operation.ids:
        ids["token_id"] = next(iter(platform.tables.tokens))
    return operation.ask(api, None, operation.at(**ids), headers=dict(headers))


def _named(operation: Operation) -> str:
    return operation.id


# What a page of another site, or of a store below our domain, can have a browser send.
FORGED: Mapping[str, dict[str, str]] = {
    "no proof": {},
    "an empty proof": {"X-CSRF-Token": ""},
    "a made-up proof": {"X-CSRF-Token": "0" * 64},
    "the secret itself": {"X-CSRF-Token": SECRET},
    "not even ASCII": {"X-CSRF-Token": "\xe9"},
}
WITH_PROOF: Mapping[str, dict[str, str]] = {
    "another origin": {"Origin": "https://evil.example"},
    "a store's origin": {"Origin": "http://shop.localhost"},
    "another port": {"Origin": f"{SITE}:8088"},
    "another scheme": {"Origin": "https://localhost"},
    "no origin at all": {"Origin": "null"},
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "a store's site": {"Sec-Fetch-Site": "same-site"},
    "another site, with our origin": {"Origin": SITE, "Sec-Fetch-Site": "cross-site"},
}


class TestForgedRequests:
    def test_no_operation_is_left_out(self) -> None:
        from functions.create_store.routes import ROUTES

        unsafe = {route.handler.__name__ for route in ROUTES if route.method not in ("GET", "HEAD")}
        assert {each.id for each in UNSAFE} == unsafe
        assert len(unsafe) > 8
        assert all(each.scope for each in UNSAFE)

    @pytest.mark.parametrize("operation", UNSAFE, ids=_named)
    @pytest.mark.parametrize("forged", [*FORGED, *WITH_PROOF])
    def test_they_are_refused_and_change_nothing(
        self, api: Client, platform: Platform, operation: Operation, forged: str
    ) -> None:
        mine = signed_in(platform)
        headers = {**mine, **FORGED.get(forged, {})}
        if forged in WITH_PROOF:
            headers |= {"X-CSRF-Token": proof(api, mine), **WITH_PROOF[forged]}
        answer = ask(api, platform, operation, headers)
        assert (answer.status_code, problem(answer)) == (403, "csrf")
        operation.assert_documented(answer)

    @pytest.mark.parametrize("operation", UNSAFE, ids=_named)
    @pytest.mark.parametrize(
        "sent",
        [{}, {"Origin": SITE}, {"Sec-Fetch-Site": "same-origin"}, {"Origin": SITE, "Sec-Fetch-Site": "none"}],
        ids=str,
    )
    def test_our_own_pages_are_not(
        self, api: Client, platform: Platform, operation: Operation, sent: dict[str, str]
    ) -> None:
        mine = signed_in(platform)
        answer = ask(api, platform, operation, {**mine, "X-CSRF-Token": proof(api, mine), **sent})
        assert answer.status_code != 403, answer.get_data(as_text=True)

    def test_another_sessions_proof_is_none(self, api: Client, platform: Platform) -> None:
        mine = signed_in(platform)
        theirs = signed_in(platform, ID_TOKENS[STRANGER], "another")
        answer = api.post(
            "/v1/tokens", json={"name": "n"}, headers={**mine, "X-CSRF-Token": proof(api, theirs)}
        )
        assert (answer.status_code, problem(answer)) == (403, "csrf")

    @pytest.mark.parametrize("forged", [*FORGED, *WITH_PROOF])
    def test_nobody_is_signed_out_by_another_site(
        self, api: Client, console: Client, platform: Platform, forged: str
    ) -> None:
        mine = signed_in(platform)
        form = {"csrf": FORGED.get(forged, {}).get("X-CSRF-Token", "")}
        if forged in WITH_PROOF:
            form["csrf"] = proof(api, mine)
        headers = {**mine, **WITH_PROOF.get(forged, {})}
        assert console.post("/signout", data=form, headers=headers).status_code == 403
        assert api.get("/v1/session", headers=mine).status_code == 200

    @pytest.mark.parametrize("operation", UNSAFE, ids=_named)
    def test_whoever_sends_a_token_needs_no_proof(
        self, api: Client, platform: Platform, operation: Operation
    ) -> None:
        meet(platform)
        answer = ask(api, platform, operation, {**bearer(ANNA), "Origin": "https://evil.example"})
        assert answer.status_code != 403, answer.get_data(as_text=True)

    @pytest.mark.parametrize("operation", GUARDED, ids=_named)
    def test_a_browser_may_do_what_its_person_may(
        self, api: Client, platform: Platform, operation: Operation
    ) -> None:
        mine = signed_in(platform)
        answer = ask(api, platform, operation, {**mine, "X-CSRF-Token": proof(api, mine)})
        assert answer.status_code in (operation.success, 409), answer.get_data(as_text=True)

    @pytest.mark.parametrize("operation", OPERATIONS, ids=_named)
    def test_no_other_sites_page_may_read_an_answer(
        self, api: Client, platform: Platform, operation: Operation
    ) -> None:
        mine = signed_in(platform)
        asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": operation.method}
        for method in (operation.method, "OPTIONS"):
            answer = api.open(operation.path, method=method, headers={**mine, **asked})
            assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]


class TestSettings:
    @pytest.mark.parametrize(
        ("name", "wrong"),
        [
            ("URUMI_PUBLIC_URL", "api.example"),
            ("URUMI_PUBLIC_URL", "http://api.example"),
            ("URUMI_PUBLIC_URL", "https://api.example/path"),
            ("URUMI_PUBLIC_URL", "https://api.example?x"),
            ("URUMI_PUBLIC_URL", "javascript:alert(1)"),
            ("URUMI_OIDC_CLIENT_SECRETS", "[]"),
            ("URUMI_OIDC_CLIENT_SECRETS", '{"https://id.example": 1}'),
            ("URUMI_OIDC_CLIENT_SECRETS", '{"https://id.example": ""}'),
        ],
    )
    def test_a_wrong_one_ends_the_start_by_name_and_is_not_told(
        self, environment: None, monkeypatch: pytest.MonkeyPatch, name: str, wrong: str
    ) -> None:
        monkeypatch.setenv(name, wrong)
        with pytest.raises(SystemExit) as end:
            from_environment(ConsoleSettings)
        assert name in str(end.value)
        assert wrong not in str(end.value)

    def test_right_ones(self, environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("URUMI_PUBLIC_URL", "https://api.example/")
        monkeypatch.setenv("URUMI_OIDC_CLIENT_SECRETS", '{"https://id.example": "s"}')
        issuers = '[{"issuer": "https://id.example", "audience": "us", "sign_in": true}]'
        monkeypatch.setenv("URUMI_OIDC_ISSUERS", issuers)
        found = from_environment(ConsoleSettings)
        assert found.public_url == "https://api.example"
        assert hash(found) == hash(from_environment(ConsoleSettings))  # what is built is kept by it


class TestWithoutAProvider:
    @pytest.mark.parametrize("path", ["/signin", "/signin/callback", "/signin/callback?code=x&state=y"])
    def test_it_says_that_it_is_not_configured(self, console: Client, path: str) -> None:
        answer = console.get(path)
        assert answer.status_code == 404
        assert "URUMI_PUBLIC_URL" in answer.get_data(as_text=True)
        assert "Location" not in answer.headers
