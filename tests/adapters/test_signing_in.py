"""People sign in with an OpenID Connect provider: the whole way, with oidc-provider-mock and Postgres.

What a provider does wrong is told by one that lies. The mock checks no code_verifier; that one tells it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import urllib3
from cryptography.fernet import Fernet
from flask import Response as FlaskResponse
from werkzeug.test import Client, TestResponse

from control_plane import bootstrap
from control_plane.adapters.oidc_identities import OidcIdentities
from control_plane.adapters.oidc_issuers import Issuer
from control_plane.adapters.oidc_sign_in import PURPOSE, OidcSignIn
from control_plane.adapters.sealed_texts import SealedTexts
from control_plane.adapters.sealer import Sealer
from control_plane.domain.errors import TemporaryError
from control_plane.ports.people import SignInRefusedError
from tests.adapters.backends import PostgresBackend
from tests.adapters.issuer import (
    AUDIENCE,
    DISCOVERY,
    Answer,
    MockProvider,
    TestIssuer,
    answer,
    jwk,
    mock_provider,
    private_key,
)
from tests.functions.conftest import environment, serve
from tests.postgres_server import Server

PUBLIC = "http://localhost:8765"
SESSION, SIGN_IN = "__Host-session", "__Host-signin"

__all__ = ["environment"]  # the settings that any function starts with


@pytest.fixture(scope="module")
def provider() -> Iterator[MockProvider]:
    with mock_provider() as running:
        yield running


@pytest.fixture
def site(  # noqa: PLR0917 - fixtures
    environment: None,
    provider: MockProvider,
    real: PostgresBackend,
    postgres: Server,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Client]:
    """The console and the API on one host under the framework, each with its own database login."""
    issuers = [
        {"issuer": "https://machines.example", "audience": "x"},
        {"issuer": provider.url, "audience": AUDIENCE, "sign_in": True},
    ]
    monkeypatch.setenv("URUMI_PUBLIC_URL", PUBLIC)
    monkeypatch.setenv("URUMI_OIDC_ISSUERS", json.dumps(issuers))
    monkeypatch.setenv("URUMI_OIDC_CLIENT_SECRETS", json.dumps({provider.url: "a secret"}))
    logins = postgres.logins(database_url)
    served = {}
    for name in FUNCTIONS:
        monkeypatch.setenv("DATABASE_URL", logins[name])
        served[name] = serve(name, monkeypatch).application
    _forget()

    def by_path(environ: dict[str, Any], start_response: Any) -> Any:
        name = "create_store" if environ["PATH_INFO"].startswith("/v1/") else "console"
        return served[name](environ, start_response)

    yield Client(by_path, FlaskResponse, use_cookies=False)
    for name, build in FUNCTIONS.items():
        parts: Any = build(sys.modules[f"functions.{name}.callers"].SETTINGS)
        parts.accounts._database._engine.dispose()
    _forget()


FUNCTIONS: dict[str, Any] = {"create_store": bootstrap.api, "console": bootstrap.console}


def _forget() -> None:
    for build in FUNCTIONS.values():
        build.cache_clear()


@dataclass
class Browser:
    """Keeps the cookies that it is given, and follows nothing by itself."""

    site: Client
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> TestResponse:
        sent = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        found = self.site.get(path, headers={"Cookie": sent, "User-Agent": "Firefox", **headers})
        for line in found.headers.getlist("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return found

    def leave(self) -> str:
        """Begin to sign in; the address at the provider."""
        begun = self.get("/signin")
        assert begun.status_code == 303
        return str(begun.headers["Location"])

    def sign_in(self, subject: str = "anna") -> TestResponse:
        """The whole way."""
        return self.get(consented(self.leave(), subject))

    def who(self) -> Any:
        """Whom the API takes it for."""
        found = self.get("/v1/session")
        return found.get_json() if found.status_code == 200 else found.status_code


def consented(place: str, subject: str = "anna") -> str:
    """What the provider sends a browser back with, when this person agrees."""
    with urllib3.PoolManager() as http:
        base = place.partition("/oauth2/")[0]
        claims = {"email": f"{subject}@example.com", "name": subject.title()}
        http.request("PUT", f"{base}/users/{subject}", json=claims)
        allowed = http.request("POST", place, fields={"sub": subject}, redirect=False)
        back = urlsplit(allowed.headers["Location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == f"{PUBLIC}/signin/callback"
    return f"{back.path}?{back.query}"


def changed(back: str, **changes: str) -> str:
    """The way back with something else in it."""
    parts = urlsplit(back)
    query = {**dict(parse_qsl(parts.query)), **changes}
    return f"{parts.path}?{'&'.join(f'{name}={value}' for name, value in query.items())}"


def refused(found: TestResponse) -> None:
    assert found.status_code == 403
    assert b"did not sign you in" in found.get_data()
    assert not any(line.startswith(SESSION) for line in found.headers.getlist("Set-Cookie"))


class TestTheWholeWay:
    def test_a_person_signs_in_and_is_known(self, site: Client, real: PostgresBackend) -> None:
        browser = Browser(site)
        found = browser.sign_in()
        assert (found.status_code, found.headers["Location"]) == (303, "/")
        assert set(browser.cookies) == {SESSION}
        who = browser.who()
        assert (who["email"], who["name"]) == ("anna@example.com", "Anna")
        assert (who["role"], who["member"]) == ("customer", "owner")
        assert [str(each) for each in real.accounts_of("anna")] == [who["account"]]
        assert Browser(site).who() == 401

    def test_the_same_person_comes_back_to_their_account(self, site: Client) -> None:
        one, two = Browser(site), Browser(site)
        one.sign_in()
        two.sign_in()
        assert one.who()["person"] == two.who()["person"]
        assert one.cookies[SESSION] != two.cookies[SESSION]
        other = Browser(site)
        other.sign_in("eve")
        assert other.who()["account"] != one.who()["account"]

    def test_signing_in_anew_ends_what_was_there(self, site: Client) -> None:
        browser = Browser(site)
        browser.sign_in()
        former = dict(browser.cookies)
        browser.sign_in("eve")
        assert browser.who()["name"] == "Eve"
        assert Browser(site, former).who() == 401

    def test_a_planted_cookie_is_not_taken(self, site: Client) -> None:
        browser = Browser(site, {SESSION: "planted"})
        browser.sign_in()
        assert browser.cookies[SESSION] != "planted"
        assert Browser(site, {SESSION: "planted"}).who() == 401

    def test_the_provider_is_asked_for_a_code_with_pkce_and_never_by_the_host_header(
        self, site: Client, provider: MockProvider
    ) -> None:
        found = Browser(site).get("/signin", Host="evil.example", **{"X-Forwarded-Host": "evil.example"})
        place = urlsplit(found.headers["Location"])
        query = dict(parse_qsl(place.query))
        assert f"{place.scheme}://{place.netloc}" == provider.url
        assert query["redirect_uri"] == f"{PUBLIC}/signin/callback"
        assert (query["response_type"], query["client_id"]) == ("code", AUDIENCE)
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        assert min(len(query[each]) for each in ("state", "nonce", "code_challenge")) == 43

    def test_the_cookie_on_the_way_is_sealed_and_for_ten_minutes(self, site: Client) -> None:
        found = Browser(site).get("/signin")
        (kept,) = SimpleCookie(found.headers["Set-Cookie"]).values()
        assert (kept["secure"], kept["httponly"], kept["samesite"], kept["path"], kept["domain"]) == (
            True, True, "Lax", "/", "",
        )  # fmt: skip
        assert kept["max-age"] == "600"
        for value in dict(parse_qsl(urlsplit(found.headers["Location"]).query)).values():
            assert value not in found.headers["Set-Cookie"]

    def test_no_address_on_the_way_is_told_or_kept(self, site: Client) -> None:
        browser = Browser(site)
        off = browser.get("/signin")
        back = consented(off.headers["Location"])
        for found, status in ((off, 303), (browser.get(back), 303), (browser.get(back), 403)):
            assert found.status_code == status
            assert found.headers["Referrer-Policy"] == "no-referrer"
            assert found.headers["Cache-Control"] == "no-store"


class TestRefused:
    def test_another_state(self, site: Client) -> None:
        browser = Browser(site)
        refused(browser.get(changed(consented(browser.leave()), state="another")))
        assert browser.cookies == {}

    def test_no_state_or_code_or_an_error(self, site: Client) -> None:
        for changes in (
            {"state": ""},
            {"code": ""},
            {"error": "access_denied"},
            {"iss": "https://x.example"},
        ):
            browser = Browser(site)
            refused(browser.get(changed(consented(browser.leave()), **changes)))
        refused(Browser(site).get("/signin/callback"))

    def test_the_same_way_back_twice(self, site: Client) -> None:
        browser = Browser(site)
        back = consented(browser.leave())
        kept = dict(browser.cookies)
        assert browser.get(back).status_code == 303
        refused(browser.get(back))
        # Not even for a browser that kept its cookie: the code has been used.
        refused(Browser(site, kept).get(back))

    def test_another_browsers_way_back(self, site: Client) -> None:
        mine, theirs = Browser(site), Browser(site)
        back = consented(mine.leave())
        refused(Browser(site).get(back))
        theirs.leave()
        refused(theirs.get(back))
        assert theirs.who() == 401

    def test_a_code_of_another_sign_in_for_ones_own_state(self, site: Client) -> None:
        # The nonce tells: an attacker's code does not make the victim the attacker.
        mine, theirs = Browser(site), Browser(site)
        own = dict(parse_qsl(urlsplit(consented(mine.leave())).query))
        code = dict(parse_qsl(urlsplit(consented(theirs.leave(), "eve")).query))["code"]
        refused(mine.get(f"/signin/callback?code={code}&state={own['state']}"))

    def test_a_code_that_nobody_was_given(self, site: Client) -> None:
        browser = Browser(site)
        refused(browser.get(changed(consented(browser.leave()), code="made-up")))

    def test_a_made_up_or_changed_cookie(self, site: Client) -> None:
        browser = Browser(site)
        back = consented(browser.leave())
        sealed = browser.cookies[SIGN_IN]
        for wrong in ("x", sealed[:-4] + "AAA=", Fernet(Fernet.generate_key()).encrypt(b"{}").decode()):
            refused(Browser(site, {SIGN_IN: wrong}).get(back))

    def test_looking_ahead_is_no_sign_in(self, site: Client) -> None:
        browser = Browser(site)
        back = consented(browser.leave())
        sent = {"Cookie": f"{SIGN_IN}={browser.cookies[SIGN_IN]}"}
        assert site.head(back, headers=sent).status_code == 404
        assert browser.get(back).status_code == 303

    def test_a_removed_member(self, site: Client, real: PostgresBackend) -> None:
        browser = Browser(site)
        browser.sign_in()
        real.back_door.run("UPDATE members SET removed_at = now()")
        assert browser.who() == 401
        again = Browser(site)
        refused(again.get(consented(again.leave())))


class LyingProvider(TestIssuer):
    """An issuer with a token endpoint of which a test decides what it answers."""

    __test__ = False

    def __init__(self) -> None:
        self.exchanged: list[tuple[dict[str, str], str]] = []  # the form, and who says to send it
        self.gives: Callable[[], Answer] = lambda: answer({}, 500)
        super().__init__()
        self.keys = [jwk(private_key("RSA"), kid="one", alg="RS256", use="sig")]
        self.answers[DISCOVERY] = lambda: answer(
            {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
            }
        )

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(super()._handler()):  # type: ignore[misc]
            def do_POST(self) -> None:  # noqa: N802 - the library's name
                length = int(self.headers["Content-Length"])
                form = {key: each[0] for key, each in parse_qs(self.rfile.read(length).decode()).items()}
                issuer.exchanged.append((form, self.headers.get("Authorization", "")))
                status, headers, body = issuer.gives()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        return Handler


@pytest.fixture
def lying() -> Iterator[LyingProvider]:
    made = LyingProvider()
    yield made
    made.close()


KEYS = [Fernet.generate_key().decode()]


def signing_in(
    lying: LyingProvider, secret: str | None = None, keys: SealedTexts | None = None
) -> OidcSignIn:
    issuer = Issuer(issuer=lying.url, audience=AUDIENCE, sign_in=True)
    return OidcSignIn(issuer, secret, PUBLIC, OidcIdentities([issuer]), keys or SealedTexts(KEYS, PURPOSE))


def asked(begun: Any) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(begun.url).query))


def token(lying: LyingProvider, **claims: Any) -> Callable[[], Answer]:
    now = int(time.time())
    claims = {"iat": now, "exp": now + 60, **claims}
    return lambda: answer({"access_token": "a", "token_type": "Bearer", "id_token": lying.token(**claims)})


class TestAtTheProvider:
    def test_the_code_is_exchanged_with_the_verifier_that_only_we_know(self, lying: LyingProvider) -> None:
        way = signing_in(lying, "our secret")
        begun = way.begin()
        lying.gives = token(lying, nonce=asked(begun)["nonce"])
        found = way.finish(begun.sealed, {"state": asked(begun)["state"], "code": "c"})
        assert (found.issuer, found.subject) == (lying.url, "anna")
        ((form, authorization),) = lying.exchanged
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked(begun)["code_challenge"]
        assert (form["code"], form["redirect_uri"]) == ("c", f"{PUBLIC}/signin/callback")
        assert base64.b64decode(authorization.removeprefix("Basic ")) == f"{AUDIENCE}:our secret".encode()
        assert form["code_verifier"] not in begun.sealed + begun.url

    def test_a_client_without_a_secret_says_its_name_only(self, lying: LyingProvider) -> None:
        way = signing_in(lying)
        begun = way.begin()
        lying.gives = token(lying, nonce=asked(begun)["nonce"])
        way.finish(begun.sealed, {"state": asked(begun)["state"], "code": "c"})
        ((form, authorization),) = lying.exchanged
        assert (form["client_id"], authorization) == (AUDIENCE, "")

    @pytest.mark.parametrize(
        "claims",
        [{}, {"nonce": "another"}, {"nonce": None}, {"nonce": 1}, {"aud": "others"}, {"exp": 1}],
        ids=str,
    )
    def test_a_token_that_answers_something_else_is_refused(
        self, lying: LyingProvider, claims: dict[str, Any]
    ) -> None:
        way = signing_in(lying)
        begun = way.begin()
        right = {"nonce": asked(begun)["nonce"]} if "nonce" not in claims and claims else {}
        lying.gives = token(lying, **right, **claims)
        with pytest.raises(SignInRefusedError):
            way.finish(begun.sealed, {"state": asked(begun)["state"], "code": "c"})
        assert len(lying.exchanged) == 1

    @pytest.mark.parametrize(
        "gives",
        [
            answer({"error": "invalid_grant"}, 400),
            answer({}, 500),
            answer({"access_token": "a", "token_type": "Bearer"}),
            answer({"id_token": 1}),
            answer({"id_token": "x" * 10_000}),
            answer([]),
            (200, {}, b"<html>"),
            (200, {}, b""),
            (200, {}, b"\xff"),
            (302, {"Location": "/elsewhere"}, b""),
            (307, {"Location": "/elsewhere"}, b""),
        ],
        ids=str,
    )
    def test_whatever_it_gives_instead_is_refused(self, lying: LyingProvider, gives: Answer) -> None:
        way = signing_in(lying)
        begun = way.begin()
        lying.gives = lambda: gives
        with pytest.raises(SignInRefusedError):
            way.finish(begun.sealed, {"state": asked(begun)["state"], "code": "c"})
        assert (len(lying.exchanged), "/elsewhere" in lying.requests) == (1, False), "it was followed"

    def test_a_token_of_another_trusted_issuer_is_refused(self, lying: LyingProvider) -> None:
        other = LyingProvider()
        try:
            issuers = [Issuer(issuer=each.url, audience=AUDIENCE, sign_in=True) for each in (lying, other)]
            identities = OidcIdentities(issuers)
            way = OidcSignIn(issuers[0], None, PUBLIC, identities, SealedTexts(KEYS, PURPOSE))
            for by, refused_here in ((lying, False), (other, True)):
                begun = way.begin()
                lying.gives = token(by, nonce=asked(begun)["nonce"])
                said = {"state": asked(begun)["state"], "code": "c"}
                if refused_here:
                    with pytest.raises(SignInRefusedError):
                        way.finish(begun.sealed, said)
                else:
                    assert way.finish(begun.sealed, said).issuer == lying.url
        finally:
            other.close()

    def test_after_ten_minutes_it_is_too_late(
        self, lying: LyingProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        way = signing_in(lying)
        for seconds, late in ((590, False), (602, True)):
            begun = way.begin()
            lying.gives = token(lying, nonce=asked(begun)["nonce"], exp=int(time.time()) + 3600)
            at = time.time() + seconds
            with monkeypatch.context() as patch:
                patch.setattr("cryptography.fernet.time.time", lambda at=at: at)
                if late:
                    with pytest.raises(SignInRefusedError):
                        way.finish(begun.sealed, {"state": asked(begun)["state"], "code": "c"})
                else:
                    way.finish(begun.sealed, {"state": asked(begun)["state"], "code": "c"})

    def test_one_that_does_not_answer_is_said_to_be_away_and_not_asked_each_time(
        self, lying: LyingProvider
    ) -> None:
        way = signing_in(lying)
        lying.answers[DISCOVERY] = lambda: answer({}, 503)
        for _ in range(5):
            with pytest.raises(TemporaryError):
                way.begin()
        assert lying.requests.count(DISCOVERY) == 1

    @pytest.mark.parametrize(
        "changes",
        [
            {"issuer": "https://another.example"},
            {"authorization_endpoint": None},
            {"authorization_endpoint": "http://evil.example/authorize"},
            {"authorization_endpoint": "javascript:alert(1)"},
            {"authorization_endpoint": "https://user:password@x.example/"},
        ],
        ids=str,
    )
    def test_nobody_is_sent_where_no_provider_can_be(
        self, lying: LyingProvider, changes: dict[str, Any]
    ) -> None:
        _, _, told = lying.answers[DISCOVERY]()
        lying.answers[DISCOVERY] = lambda: answer({**json.loads(bytes(told)), **changes})  # type: ignore[arg-type]
        with pytest.raises(TemporaryError):
            signing_in(lying).begin()


class TestSealedTexts:
    def test_it_opens_for_its_purpose_with_any_of_the_keys(self) -> None:
        old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
        sealed = SealedTexts([old], PURPOSE).seal("text")
        assert SealedTexts([new, old], PURPOSE).open(sealed, seconds=600) == "text"
        assert SealedTexts([new], PURPOSE).open(sealed, seconds=600) is None
        assert SealedTexts([old], "another purpose").open(sealed, seconds=600) is None
        assert Fernet(old).encrypt(b"text").decode()
        assert SealedTexts([old], PURPOSE).open(Fernet(old).encrypt(b"text").decode(), seconds=600) is None

    def test_a_password_of_the_database_is_no_such_text(self) -> None:
        from uuid import uuid4

        sealed = Sealer(KEYS).seal(uuid4(), 1, "password")
        assert SealedTexts(KEYS, PURPOSE).open(sealed.decode(), seconds=600) is None

    @pytest.mark.parametrize("text", ["", "x", "é", "\udce9", "gAAAAA"])
    def test_anything_else_does_not_open(self, text: str) -> None:
        assert SealedTexts(KEYS, PURPOSE).open(text, seconds=600) is None
