"""Nobody is anybody but whom a configured issuer's own key says, and no issuer is asked too often."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from control_plane.adapters import oidc_keys
from control_plane.adapters.oidc_identities import OidcIdentities
from control_plane.adapters.oidc_issuers import Issuer, issuers_from_json
from control_plane.domain.accounts import Role
from control_plane.domain.identity import Identity, NotAnIdentityError
from tests.adapters.issuer import (
    AUDIENCE,
    DISCOVERY,
    KEY_SET,
    NOW,
    MockProvider,
    TestIssuer,
    answer,
    jwk,
    mock_provider,
    private_key,
)
from tests.fakes.clock import FakeClock

Build = Callable[..., OidcIdentities]


SOMETHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda some: (
        st.lists(some, max_size=3)
        | st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "iss", "aud", "sub"]), some)
    ),
)
JWK = ("kty", "n", "e", "crv", "x", "y", "d", "kid", "use", "alg", "key_ops")
JWK_VALUES = st.sampled_from(
    ["RSA", "EC", "P-256", "sig", "verify", "AQAB", "A" * 43, "Ag", "!", "", 5, None, [], {}]
)


@pytest.fixture
def issuer() -> Iterator[TestIssuer]:
    made = TestIssuer()
    made.keys = [jwk(private_key("RSA"), kid="one", use="sig", alg="RS256")]
    yield made
    made.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def build(issuer: TestIssuer, clock: FakeClock) -> Build:
    """An OidcIdentities for the test's issuer, on the test's clock."""

    def make(**changes: Any) -> OidcIdentities:
        configured = {"issuer": issuer.url, "audience": AUDIENCE, "jwks_uri": issuer.url + KEY_SET, **changes}
        return OidcIdentities(
            [Issuer.model_validate(configured)],
            clock=clock.monotonic,
            monotonic=clock.monotonic,
        )

    return make


def refused(identities: OidcIdentities, token: str) -> str:
    """Why it is."""
    with pytest.raises(NotAnIdentityError) as caught:
        identities.verify(token)
    return caught.value.reason


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)
    )
    return ".".join(parts)


def claims_of(issuer: TestIssuer, **changes: Any) -> dict[str, Any]:
    return {"iss": issuer.url, "sub": "anna", "aud": AUDIENCE, "iat": NOW, "exp": NOW + 300, **changes}


@pytest.fixture(scope="module")
def provider() -> Iterator[MockProvider]:
    with mock_provider() as running:
        yield running


class TestAPublishedProvider:
    """oidc-provider-mock: a real flow, real tokens, real time."""

    def test_its_token_is_an_identity(self, provider):
        token = provider.id_token("anna", name="Anna", email="anna@example.com", groups=["staff", "ops"])
        described = {"issuer": provider.url, "audience": AUDIENCE}
        roles = {"roles_claim": "groups", "roles": {"ops": "operator"}}
        (configured,) = issuers_from_json(json.dumps([{**described, **roles}]))
        found = OidcIdentities([configured]).verify(token)
        assert (found.issuer, found.subject, found.customer) == (provider.url, "anna", "anna")
        assert (found.role, found.name, found.email) == (Role.OPERATOR, "Anna", "anna@example.com")
        assert 3500 < (found.expires_at - datetime.now(tz=UTC)).total_seconds() <= 3600

    def test_another_client_s_token_is_not(self, provider):
        other = OidcIdentities([Issuer(issuer=provider.url, audience="another")])
        assert "Audience" in refused(other, provider.id_token("anna"))

    def test_a_changed_token_is_not(self, provider):
        head, body, signature = provider.id_token("anna").split(".")
        claims = json.loads(base64.urlsafe_b64decode(body + "=="))
        forged = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "bert"}).encode()).decode().rstrip("=")
        identities = OidcIdentities([Issuer(issuer=provider.url, audience=AUDIENCE)])
        assert "Signature" in refused(identities, f"{head}.{forged}.{signature}")


class TestConfiguration:
    def test_what_is_left_out_has_its_default(self):
        (issuer,) = issuers_from_json('[{"issuer": "https://id.example/realm", "audience": "urumi"}]')
        assert issuer.algorithms == {"RS256", "ES256"}
        assert (issuer.jwks_uri, issuer.customer_claim, issuer.roles_claim) == (None, "sub", None)
        assert (issuer.roles, issuer.name_claim, issuer.email_claim) == ({}, "name", "email")

    def test_there_may_be_several_or_none(self):
        several = [{"issuer": f"https://{name}.example", "audience": "a"} for name in "abc"]
        assert [each.issuer[8] for each in issuers_from_json(json.dumps(several))] == ["a", "b", "c"]
        assert issuers_from_json("[]") == ()

    @pytest.mark.parametrize(
        "url",
        [
            "http://id.example", "ftp://localhost", "id.example", "https://", "https://id.example/?a=b",
            "https://id.example/#a", "https://user@id.example", "https://u:p@id.example",
            "http://localhost@id.example", "http://localhost.id.example", "http://127.0.0.2",
            "http://localhost\\@id.example", "https://id.example:x", "https://id.example:0",
            "https://id .example", "https://id.\nexample", "https://ïd.example", "https://[id", "", 5, None,
        ],
    )  # fmt: skip
    def test_an_issuer_is_reached_by_https(self, url):
        with pytest.raises(ValueError, match=r"JSON array of objects; \[0\].issuer: "):
            issuers_from_json(json.dumps([{"issuer": url, "audience": "a"}]))

    @pytest.mark.parametrize(
        "url", ["https://id.example/a/b", "http://localhost:9400", "http://127.0.0.1:1/x"]
    )
    def test_or_it_is_on_this_machine(self, url):
        assert Issuer(issuer=url, audience="a", jwks_uri=url + "?p=q").issuer == url

    @pytest.mark.parametrize(
        ("change", "place"),
        [
            ({"audience": ""}, "[1].audience"),
            ({"audience": None}, "[1].audience"),
            ({"algorithms": []}, "[1].algorithms"),
            ({"algorithms": ["HS256"]}, "[1].algorithms[0]"),
            ({"algorithms": ["none"]}, "[1].algorithms[0]"),
            ({"jwks_uri": "http://id.example/keys"}, "[1].jwks_uri"),
            ({"roles_claim": "groups"}, "[1]: give `roles` and `roles_claim` together"),
            ({"roles": {"a": "operator"}}, "[1]: give `roles` and `roles_claim` together"),
            ({"roles_claim": "groups", "roles": {"a": "root"}}, "[1].roles.a"),
            ({"customer_claim": ""}, "[1].customer_claim"),
            ({"audiences": "a"}, "[1].audiences"),
            ({"issuer": "https://a.example"}, "name each OIDC issuer once"),
        ],
    )
    def test_what_is_wrong_is_named_and_not_quoted(self, change, place):
        good = {"issuer": "https://a.example", "audience": "a"}
        with pytest.raises(ValueError, match="OIDC issuer") as caught:
            issuers_from_json(json.dumps([good, {**good, "issuer": "https://b.example", **change}]))
        assert place in str(caught.value)
        assert "id.example" not in str(caught.value)

    @pytest.mark.parametrize("text", ["", "{", "{}", "null", '"[]"', "[1]", "[[]]"])
    def test_what_is_no_array_of_objects(self, text):
        with pytest.raises(ValueError, match="write the OIDC issuers as a JSON array of objects; "):
            issuers_from_json(text)


class TestWhoIsWho:
    def test_all_that_a_token_says(self, issuer, build):
        token = issuer.token(org="teapots", n="Anna", mail="anna@example.com", groups=["b", "s"], nbf=NOW)
        found = build(
            customer_claim="org", roles_claim="groups", roles={"s": "support", "o": "operator"},
            name_claim="n", email_claim="mail",
        ).verify(token)  # fmt: skip
        assert found == Identity(
            issuer=issuer.url,
            subject="anna",
            customer="teapots",
            role=Role.SUPPORT,
            email="anna@example.com",
            name="Anna",
            expires_at=datetime.fromtimestamp(NOW + 300, tz=UTC),
        )

    @pytest.mark.parametrize(
        ("groups", "role"),
        [
            ("o", Role.OPERATOR), (["s", "o", "c"], Role.OPERATOR), (["c", "s"], Role.SUPPORT),
            (["x"], Role.CUSTOMER), ([], Role.CUSTOMER), (None, Role.CUSTOMER), ({"o": 1}, Role.CUSTOMER),
            ([["o"], 1, None], Role.CUSTOMER),
        ],
    )  # fmt: skip
    def test_the_role_that_may_most_of_those_that_are_held(self, issuer, build, groups, role):
        identities = build(
            roles_claim="groups", roles={"o": "operator", "s": "support", "c": "customer"}
        )  # fmt: skip
        assert identities.verify(issuer.token(groups=groups)).role is role

    def test_everybody_is_a_customer_where_no_roles_are_configured(self, issuer, build):
        assert build().verify(issuer.token(groups=["operator"], roles="operator")).role is Role.CUSTOMER

    @pytest.mark.parametrize("claim", ["sub", "org"])
    @pytest.mark.parametrize("value", [None, "", 7, ["a"], {}, "x" * 256, "a\0b", "a\nb", "\ud800"])
    def test_a_customer_has_a_name_that_can_be_kept(self, issuer, build, claim, value):
        token = issuer.token(**{"org": "teapots", claim: value})
        assert claim in refused(build(customer_claim="org"), token).lower()

    def test_a_name_of_255_characters_is_kept_whole(self, issuer, build):
        assert build().verify(issuer.token(sub="x" * 255)).customer == "x" * 255

    @pytest.mark.parametrize("value", [None, "", 7, ["a"], "x" * 256, "a\nb"])
    def test_what_cannot_be_displayed_is_left_out(self, issuer, build, value):
        found = build().verify(issuer.token(name=value, email=value))
        assert (found.name, found.email) == (None, None)


class TestSignatures:
    @pytest.mark.parametrize(
        ("kind", "algorithm"),
        [
            ("RSA", "RS256"), ("RSA", "RS384"), ("RSA", "RS512"), ("RSA", "PS256"),
            ("P-256", "ES256"), ("P-384", "ES384"), ("Ed25519", "EdDSA"),
        ],
    )  # fmt: skip
    def test_each_algorithm_that_can_be_configured_works(self, issuer, build, kind, algorithm):
        issuer.keys = [jwk(private_key(kind), kid="one")]
        assert (
            build(algorithms=[algorithm]).verify(issuer.token(private_key(kind), algorithm)).subject == "anna"
        )

    def test_another_s_key_under_the_known_id(self, issuer, build):
        assert "Signature" in refused(build(), issuer.token(private_key("RSA", "thief")))

    def test_each_of_two_keys_is_found_by_its_id(self, issuer, build):
        issuer.keys.append(jwk(private_key("P-256"), kid="two"))
        identities = build()
        assert identities.verify(issuer.token())
        assert identities.verify(issuer.token(private_key("P-256"), "ES256", header={"kid": "two"}))
        assert "no key" in refused(identities, issuer.token(private_key("P-256"), "ES256"))
        assert issuer.key_requests == 1

    def test_without_an_id_only_an_only_key_is_meant(self, issuer, build):
        token = issuer.token(header={"kid": None})
        assert build().verify(token).subject == "anna"
        issuer.keys.append(jwk(private_key("RSA", "two"), kid="two"))
        assert "no key" in refused(build(), token)

    def test_two_keys_of_one_id_are_none(self, issuer, build):
        issuer.keys.append(jwk(private_key("RSA", "two"), kid="one"))
        assert "no key" in refused(build(), issuer.token())

    def test_one_issuer_s_key_says_nothing_about_another_s(self, issuer, build, clock):
        other = TestIssuer()
        try:
            other.keys = [jwk(private_key("RSA", "other"), kid="one")]
            both = OidcIdentities(
                [
                    Issuer(issuer=each.url, audience=AUDIENCE, jwks_uri=each.url + KEY_SET)
                    for each in (issuer, other)
                ],
                clock=clock.monotonic,
                monotonic=clock.monotonic,
            )
            assert both.verify(issuer.token()).issuer == issuer.url
            assert both.verify(other.token(private_key("RSA", "other"))).issuer == other.url
            assert "Signature" in refused(both, other.token())
        finally:
            other.close()

    @pytest.mark.parametrize("name", ["none", "None", "nOnE", "", None, 5, ["RS256"]])
    def test_no_signature(self, issuer, build, name):
        token = unsigned({"kid": "one", "alg": name}, claims_of(issuer)) + "."
        assert "does not sign with" in refused(build(), token)
        assert issuer.requests == []

    def test_the_public_key_as_an_hmac_secret(self, issuer, build):
        public = private_key("RSA").public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for secret in (pem, pem.strip(), json.dumps(issuer.keys[0]).encode()):
            signed = unsigned({"kid": "one", "alg": "HS256", "typ": "JWT"}, claims_of(issuer))
            mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
            token = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
            assert "does not sign with 'HS256'" in refused(build(), token)

    def test_an_algorithm_that_the_issuer_does_not_use(self, issuer, build):
        assert "does not sign with 'RS256'" in refused(build(algorithms=["ES256"]), issuer.token())
        assert issuer.requests == []

    def test_a_key_s_own_algorithm_is_the_only_one_for_it(self, issuer, build):
        assert "no key" in refused(build(algorithms=["RS256", "PS256"]), issuer.token(algorithm="PS256"))

    @pytest.mark.parametrize(
        ("kind", "algorithm", "members"),
        [
            ("RSA", "RS256", {"use": "enc"}),
            ("RSA", "RS256", {"use": None}),
            ("RSA", "RS256", {"key_ops": ["sign"]}),
            ("RSA", "RS256", {"key_ops": "verify"}),
            ("RSA", "RS256", {"alg": "RSA-OAEP"}),
            ("RSA", "RS256", {"kty": "EC"}),
            ("RSA", "RS256", {"n": 5}),
            ("RSA", "RS256", {"n": "AQ"}),
            ("RSA", "RS256", {"private": True}),
            ("P-256", "ES256", {"private": True}),
            ("P-256", "ES256", {"crv": "P-384"}),
            ("P-256", "ES256", {"x": "AAAA"}),
            ("Ed25519", "EdDSA", {"private": True}),
            ("Ed25519", "EdDSA", {"crv": "X25519"}),
        ],
    )
    def test_a_published_key_that_is_not_for_this(self, issuer, build, kind, algorithm, members):
        issuer.keys = [
            jwk(private_key(kind), **{"kid": "one", **members}),
            jwk(private_key("RSA", "2"), kid="two"),
        ]
        identities = build(algorithms=["RS256", "ES256", "EdDSA"])
        assert "no key" in refused(identities, issuer.token(private_key(kind), algorithm))
        assert identities.verify(issuer.token(private_key("RSA", "2"), header={"kid": "two"})), (
            "it took others with it"
        )

    @pytest.mark.parametrize(
        ("kind", "algorithm"), [("P-384", "ES256"), ("P-256", "ES384"), ("Ed448", "EdDSA")]
    )
    def test_a_key_on_another_curve(self, issuer, build, kind, algorithm):
        issuer.keys = [jwk(private_key(kind), kid="one")]
        token = unsigned({"kid": "one", "alg": algorithm}, claims_of(issuer)) + ".AA"
        assert "no key" in refused(build(algorithms=[algorithm]), token)

    def test_a_short_key(self, issuer, build):
        short = private_key("RSA-1024")
        issuer.keys = [jwk(short, kid="one")]
        with pytest.warns(match="1024"):
            token = issuer.token(short)
        assert "1024 bits" in refused(build(), token)

    def test_symmetric_keys_are_no_keys(self, issuer, build):
        secret = base64.urlsafe_b64encode(b"s" * 32).decode().rstrip("=")
        issuer.keys += [{"kty": "oct", "kid": "two", "k": secret, "alg": alg} for alg in ("HS256", "RS256")]
        identities = build()
        assert "does not sign" in refused(identities, issuer.token("s" * 32, "HS256", header={"kid": "two"}))
        assert "no key" in refused(identities, issuer.token(header={"kid": "two"}))


class TestHeaders:
    @pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
    def test_a_key_that_the_token_brings_is_neither_followed_nor_used(self, issuer, build, name):
        thief = private_key("RSA", "thief")
        issuer.answers["/thief"] = lambda: answer({"keys": [jwk(thief, kid="thief")]})
        brought = {"jwk": jwk(thief, kid="thief"), "x5c": ["MIIB"]}.get(name, issuer.url + "/thief")
        for key in (thief, private_key("RSA")):
            token = issuer.token(key, header={"kid": "thief" if key is thief else "one", name: brought})
            assert name in refused(build(), token)
        assert issuer.requests == []

    @pytest.mark.parametrize("crit", [["exp"], ["b64"], [], None, "b64"])
    def test_critical_extensions_are_refused(self, issuer, build, crit):
        signed = unsigned({"kid": "one", "alg": "RS256", "crit": crit, "b64": True}, claims_of(issuer))
        from jwt.algorithms import RSAAlgorithm

        signature = RSAAlgorithm(RSAAlgorithm.SHA256).sign(signed.encode(), private_key("RSA"))
        token = f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
        assert "crit" in refused(build(), token)

    @pytest.mark.parametrize("kind", ["at+jwt", "logout+jwt", "secevent+jwt", 7])
    def test_tokens_for_something_else_are_refused(self, issuer, build, kind):
        assert "another kind" in refused(build(), issuer.token(header={"typ": kind}))

    @pytest.mark.parametrize("kind", ["JWT", "jwt", None])
    def test_an_id_token_need_not_say_its_kind(self, issuer, build, kind):
        assert build().verify(issuer.token(header={"typ": kind}))


class TestClaims:
    @pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "iat"])
    def test_each_must_be_there(self, issuer, build, name):
        assert (name in refused(build(), issuer.token(**{name: None}))) or name == "iss"

    @pytest.mark.parametrize(
        "change", [lambda url: url + "/", lambda url: url.upper(), lambda url: "http://other"]
    )
    def test_an_issuer_that_is_not_exactly_ours_is_not_asked(self, issuer, build, change):
        assert "no issuer of ours" in refused(build(), issuer.token(iss=change(issuer.url)))
        assert issuer.requests == []

    @pytest.mark.parametrize("iss", [["http://x"], {}, 5, None])
    def test_an_issuer_that_is_no_string(self, issuer, build, iss):
        assert "no issuer of ours" in refused(
            build(), unsigned({"alg": "RS256"}, claims_of(issuer, iss=iss)) + ".AA"
        )

    @pytest.mark.parametrize(
        "aud", ["urumi2", "urum", "URUMI", [], ["other"], [[AUDIENCE]], {AUDIENCE: 1}, 5]
    )
    def test_another_audience(self, issuer, build, aud):
        assert "aud" in refused(build(), issuer.token(aud=aud)).lower()

    def test_an_audience_beside_ours(self, issuer, build):
        assert "others" in refused(build(), issuer.token(aud=[AUDIENCE, "other"]))
        assert build().verify(issuer.token(aud=[AUDIENCE]))

    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            ({"exp": NOW - 10}, "expired"), ({"exp": NOW - 9}, None),
            ({"iat": NOW + 11}, "future"), ({"iat": NOW + 10}, None),
            ({"nbf": NOW + 11}, "not valid yet"), ({"nbf": NOW + 10}, None),
        ],
    )  # fmt: skip
    def test_times_with_ten_seconds_for_clocks_that_differ(self, issuer, build, claims, reason):
        token = issuer.token(**claims)
        if reason:
            assert reason in refused(build(), token)
        else:
            assert build().verify(token)

    @pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
    @pytest.mark.parametrize(
        "value", ["1767225700", True, [], float("nan"), float("inf"), -1, 10**400, 253402300800]
    )
    def test_times_that_are_none(self, issuer, build, name, value):
        assert f"{name} is not a time" in refused(build(), issuer.token(**{name: value}))


class TestWhatIsNoToken:
    def test_a_long_one_is_not_even_read(self, issuer, build, monkeypatch):
        token = issuer.token(more="x" * 8000)
        monkeypatch.setattr("jwt.decode_complete", lambda *_, **__: pytest.fail("it was read"))
        assert "too long" in refused(build(), token)

    def test_one_of_8_kib_is(self, issuer, build):
        padding = 8192 - len(issuer.token(more=""))
        token = issuer.token(more="x" * (padding * 3 // 4))
        assert 8180 < len(token) <= 8192
        assert build().verify(token)

    @given(
        st.one_of(
            st.text(), st.text("abc.=_-AZ{}", max_size=60), st.from_regex(r"\A[\w=-]*\.[\w=-]*\.[\w=-]*\Z")
        )
    )
    def test_anything_else_is_refused_in_one_way(self, token):
        nobody = OidcIdentities([], fetch=lambda url: pytest.fail("it was asked"))
        assert refused(nobody, token)

    @given(SOMETHING)
    def test_any_json_is_refused_in_one_way(self, some):
        ours = OidcIdentities([Issuer(issuer="https://a.example", audience="a")], fetch=lambda url: b"{}")
        assert refused(ours, unsigned(some, some) + ".AA")
        assert refused(ours, unsigned({"alg": "RS256"}, some) + ".AA")
        assert refused(ours, unsigned({"alg": some, "kid": some}, {"iss": "https://a.example"}) + ".AA")

    @given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(JWK, JWK_VALUES)), max_size=3))
    def test_any_published_key_is_used_or_left_out(self, keys):
        issuer = Issuer(issuer="https://a.example", audience="a", jwks_uri="https://a.example/keys")
        ours = OidcIdentities([issuer], fetch=lambda url: json.dumps({"keys": keys}).encode())
        for algorithm in ("RS256", "ES256"):
            assert refused(ours, unsigned({"alg": algorithm}, {"iss": "https://a.example"}) + ".AA")

    @pytest.mark.parametrize("document", [b"[" * 100_000, b'{"a":' * 20_000, b"\xff\xfe", b"9" * 5000, b""])
    def test_a_header_that_nobody_can_parse(self, issuer, build, document):
        part = base64.urlsafe_b64encode(document[:6000]).decode().rstrip("=")
        assert refused(build(), f"{part}.{part}.AA")

    @pytest.mark.parametrize("token", ["\ud800.e30.AA", "é.é.é", "e30.e30.\N{KELVIN SIGN}"])
    def test_characters_that_no_token_has(self, build, token):
        assert "ASCII" in refused(build(), token)

    def test_a_reason_is_short(self, issuer, build):
        assert len(refused(build(), issuer.token(iss="http://" + "x" * 5000))) == 200


class TestKeysOverTime:
    def test_nothing_happens_before_the_first_token(self, issuer, build):
        threads = threading.active_count()
        build()
        assert (issuer.requests, threading.active_count()) == ([], threads)

    def test_the_issuer_s_own_discovery_names_the_key_set(self, issuer, build, clock):
        identities = build(jwks_uri=None)
        assert identities.verify(issuer.token())
        assert issuer.requests == [DISCOVERY, KEY_SET]
        clock.later(31)
        refused(identities, issuer.token(header={"kid": "unknown"}))
        assert issuer.requests == [DISCOVERY, KEY_SET, KEY_SET], "the discovery is as fresh as the keys are"

    def test_a_key_is_asked_for_once_in_ten_minutes(self, issuer, build, clock):
        identities = build(jwks_uri=None)
        for _ in range(5):
            assert identities.verify(issuer.token(exp=NOW + 9000))
            clock.later(149)
        assert issuer.requests == [DISCOVERY, KEY_SET]
        assert identities.verify(issuer.token(exp=NOW + 9000))
        assert issuer.requests == [DISCOVERY, KEY_SET] * 2

    def test_a_new_key_is_found_at_once_and_a_withdrawn_one_is_gone(self, issuer, build, clock):
        identities = build()
        old, new = issuer.token(), issuer.token(private_key("RSA", "new"), header={"kid": "new"})
        assert identities.verify(old)
        clock.later(30)
        issuer.keys = [jwk(private_key("RSA", "new"), kid="new")]
        assert identities.verify(old), "it is not asked for keys that are known"
        assert identities.verify(new)
        assert issuer.key_requests == 2
        assert "no key" in refused(identities, old)

    def test_a_withdrawn_key_is_gone_after_ten_minutes_at_the_latest(self, issuer, build, clock):
        identities = build()
        token = issuer.token(exp=NOW + 9000)
        assert identities.verify(token)
        issuer.keys = []
        clock.later(599)
        assert identities.verify(token)
        clock.later(1)
        assert "no key" in refused(identities, token)

    def test_a_flood_of_unknown_ids_makes_one_request_in_thirty_seconds(self, issuer, build, clock):
        identities = build()
        for second in range(95):
            for number in range(5):
                refused(identities, issuer_token_of(issuer, f"{second}-{number}"))
            clock.later(1)
        assert issuer.key_requests == 4  # at 0, 30, 60 and 90

    def test_while_somebody_fetches_nobody_else_waits(self, issuer, build, clock):
        identities = build()
        known, unknown = issuer.token(), issuer_token_of(issuer, "unknown")
        assert identities.verify(known)
        clock.later(31)
        issuer.asked.clear()
        issuer.open.clear()
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(refused, identities, unknown)
            assert issuer.asked.wait(5)
            for number in range(50):  # the issuer answers only after all of these have been answered
                assert identities.verify(known)
                assert refused(identities, issuer_token_of(issuer, f"unknown-{number}"))
                clock.later(2)
            assert not first.done()
            issuer.open.set()
            assert first.result()
        assert issuer.key_requests == 2

    def test_twenty_threads_and_nothing_cached_make_one_request(self, issuer, build):
        identities, token = build(), issuer.token()
        together = threading.Barrier(21)
        issuer.open.clear()

        def verify() -> str:
            together.wait(5)
            return identities.verify(token).subject

        with ThreadPoolExecutor(20) as pool:
            results = [pool.submit(verify) for _ in range(20)]
            together.wait(5)
            assert issuer.asked.wait(5)
            time.sleep(0.05)  # so that most are waiting; those that come later must be served as well
            issuer.open.set()
            assert [each.result() for each in results] == ["anna"] * 20
        assert issuer.key_requests == 1


def issuer_token_of(issuer: TestIssuer, kid: str) -> str:
    """Its signature is not looked at, because its key is not found."""
    return unsigned({"kid": kid, "alg": "RS256"}, claims_of(issuer)) + ".AA"


class TestASilentIssuer:
    def test_known_keys_serve_for_24_hours_and_no_longer(self, issuer, build, clock):
        identities, token = build(), issuer.token(exp=NOW + 100_000)
        assert identities.verify(token)
        issuer.close()
        clock.later(24 * 3600 - 1)
        assert identities.verify(token)
        assert "no key" in refused(identities, issuer_token_of(issuer, "unknown"))
        clock.later(1)
        assert "no key" in refused(identities, token)

    def test_it_is_asked_once_in_thirty_seconds(self, clock):
        asked = []

        def silence(url: str) -> bytes:
            asked.append(url)
            raise OSError("connection refused")

        issuer = Issuer(issuer="https://a.example/realm/", audience="a")
        identities = OidcIdentities([issuer], clock=clock.monotonic, monotonic=clock.monotonic, fetch=silence)
        token = unsigned({"kid": "one", "alg": "RS256"}, {"iss": issuer.issuer}) + ".AA"
        for _ in range(61):
            assert "no key" in refused(identities, token)
            clock.later(1)
        assert asked == ["https://a.example/realm/.well-known/openid-configuration"] * 3

    def test_it_serves_again_when_it_answers_again(self, issuer, build, clock):
        issuer.answers[KEY_SET] = lambda: answer({}, 503)
        identities = build()
        assert "no key" in refused(identities, issuer.token())
        del issuer.answers[KEY_SET]
        clock.later(30)
        assert identities.verify(issuer.token())

    @pytest.mark.parametrize(
        "bad",
        [
            pytest.param(lambda url: answer({"keys": [], "more": "x" * 300_000}), id="huge"),
            pytest.param(lambda url: answer({"keys": []}, 302, Location=url + "/elsewhere"), id="redirect"),
            pytest.param(
                lambda url: answer({"keys": []}, 307, Location=url + "/elsewhere"), id="another redirect"
            ),
            pytest.param(lambda url: answer({"keys": []}, 500), id="broken"),
            pytest.param(lambda url: answer([]), id="array"),
            pytest.param(lambda url: answer({"keys": {}}), id="no keys"),
            pytest.param(lambda url: (200, {}, b"[" * 200_000), id="deep"),
            pytest.param(lambda url: (200, {}, b"<html>"), id="HTML"),
            pytest.param(lambda url: (200, {"Content-Length": "9000"}, b"{}"), id="cut off"),
            pytest.param(lambda url: (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"), id="compressed"),
        ],
    )
    def test_a_bad_answer_takes_no_known_key_away(self, issuer, build, clock, bad):
        issuer.answers["/elsewhere"] = lambda: answer({"keys": []})
        identities, token = build(), issuer.token(exp=NOW + 9000)
        assert identities.verify(token)
        issuer.answers[KEY_SET] = lambda: bad(issuer.url)
        clock.later(601)
        assert identities.verify(token)
        assert issuer.requests == [KEY_SET, KEY_SET]
        assert "no key" in refused(build(), token), "it is no answer for who has no keys yet"

    @pytest.mark.parametrize(
        "document",
        [
            lambda url: {"issuer": url + "/", "jwks_uri": url + KEY_SET},
            lambda url: {"jwks_uri": url + KEY_SET},
            lambda url: {"issuer": url},
            lambda url: {"issuer": url, "jwks_uri": "http://elsewhere.example/keys"},
            lambda url: {"issuer": url, "jwks_uri": "file:///etc/passwd"},
        ],
    )
    def test_a_discovery_document_that_is_not_its_own_is_not_followed(self, document):
        asked = []

        def fetch(url: str) -> bytes:
            asked.append(url)
            return json.dumps(document("http://localhost:1")).encode()

        identities = OidcIdentities([Issuer(issuer="http://localhost:1", audience="a")], fetch=fetch)
        refused(identities, unsigned({"kid": "one", "alg": "RS256"}, {"iss": "http://localhost:1"}) + ".AA")
        assert asked == ["http://localhost:1" + DISCOVERY]

    def test_discovery_does_not_lead_from_https_to_this_machine(self):
        asked = []

        def fetch(url: str) -> bytes:
            asked.append(url)
            return json.dumps({"issuer": "https://a.example", "jwks_uri": "http://localhost/keys"}).encode()

        identities = OidcIdentities([Issuer(issuer="https://a.example", audience="a")], fetch=fetch)
        refused(identities, unsigned({"kid": "one", "alg": "RS256"}, {"iss": "https://a.example"}) + ".AA")
        assert asked == ["https://a.example/.well-known/openid-configuration"]

    def test_after_the_first_attempt_nobody_waits_for_one(self, issuer, build, clock):
        issuer.answers[KEY_SET] = lambda: answer({}, 503)
        identities = build()
        refused(identities, issuer.token())
        del issuer.answers[KEY_SET]
        clock.later(30)
        issuer.open.clear()
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(identities.verify, issuer.token())
            assert issuer.asked.wait(5)
            assert "no key" in refused(identities, issuer.token())
            assert not first.done()
            issuer.open.set()
            assert first.result().subject == "anna"

    def test_an_answer_in_drops_is_given_up(self, issuer):
        def drops() -> Iterator[bytes]:
            for _ in range(40):
                time.sleep(0.05)
                yield b" "

        issuer.answers[KEY_SET] = lambda: (200, {}, drops())
        began = time.monotonic()
        with pytest.raises(OSError, match="takes longer"):
            oidc_keys.fetch(issuer.url + KEY_SET, seconds=0.2)
        assert time.monotonic() - began < 1

    def test_one_that_never_ends_is_given_up(self, issuer):
        issuer.open.clear()
        began = time.monotonic()
        with pytest.raises(OSError, match="ReadTimeout"):
            oidc_keys.fetch(issuer.url + KEY_SET, seconds=0.2)
        assert time.monotonic() - began < 2
