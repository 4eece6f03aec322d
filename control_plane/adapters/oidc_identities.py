"""Who is asking, from an OpenID Connect ID token that a configured issuer signed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import jwt

from control_plane.adapters.oidc_issuers import Issuer
from control_plane.adapters.oidc_keys import Fetch, IssuerKeys, fetch
from control_plane.domain.accounts import Role
from control_plane.domain.identity import Identity, NotAnIdentityError

LEEWAY_SECONDS = 10  # how far the issuer's clock may be from ours
LONGEST_TOKEN = 8 * 1024  # bytes; Google's have 1, and servers take no longer header lines
LONGEST_NAME = 255  # characters; OpenID Connect Core 2 allows a `sub` that many
_LAST_SECOND = 253402300799  # 9999-12-31T23:59:59Z, the last that a datetime can be

# Each names a key, or a rule for checking, by the word of whoever wrote the token.
_REFUSED_HEADERS = ("crit", "jwk", "jku", "x5u", "x5c")
_ROLES_BY_POWER = (Role.CUSTOMER, Role.SUPPORT, Role.OPERATOR)

Claims = Mapping[str, Any]


class OidcIdentities:
    """ID tokens of the given issuers, checked as OpenID Connect Core 3.1.3.7 and RFC 8725 ask.

    Nothing is fetched or started before the first `verify`, which any number of threads may call at once.
    A key that an issuer withdraws counts for up to 10 minutes more; 24 hours while the issuer is silent.
    """

    def __init__(
        self,
        issuers: Iterable[Issuer],
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        fetch: Fetch = fetch,
    ) -> None:
        """`clock` has seconds since 1970, `monotonic` seconds since whenever; `fetch` raises OSError."""
        self._clock = clock
        self._issuers = {each.issuer: (each, IssuerKeys(each, fetch, monotonic)) for each in issuers}

    def verify(self, token: str, *, issuer: str | None = None, nonce: str | None = None) -> Identity:
        """Who the token's issuer says the bearer is. Raises NotAnIdentityError, and nothing else.

        With `issuer` it must be that one, and with `nonce` the token must be the answer to that question.
        """
        if len(token) > LONGEST_TOKEN or not token.isascii():
            raise NotAnIdentityError("the token is too long or not ASCII")
        try:
            return self._verify(token, issuer, nonce)
        except jwt.PyJWTError as error:
            raise NotAnIdentityError(f"{type(error).__name__}: {error}") from error

    def _verify(self, token: str, wanted: str | None, nonce: str | None) -> Identity:
        unverified = jwt.decode_complete(token, options={"verify_signature": False})
        issuer, keys = self._issuer(unverified["payload"].get("iss"))
        if wanted is not None and issuer.issuer != wanted:
            raise NotAnIdentityError("the token is another issuer's")
        kid, algorithm = _checked_header(unverified["header"], issuer)
        key = keys.find(kid, algorithm)
        if key is None:
            raise NotAnIdentityError(f"{issuer.issuer} has no key {kid!r} for {algorithm}")
        claims = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            issuer=issuer.issuer,
            audience=issuer.audience,
            options={
                "require": ["exp", "iat"],
                "enforce_minimum_key_length": True,
                # PyJWT knows no clock but the system's: see `_checked_times`.
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1:
            raise NotAnIdentityError("the token is meant for others, too: any of them could show it here")
        if nonce is not None and claims.get("nonce") != nonce:
            raise NotAnIdentityError("the token answers another question: its nonce is not ours")
        return Identity(
            issuer=issuer.issuer,
            expires_at=_checked_times(claims, self._clock()),
            subject=_name(claims, "sub"),
            customer=_name(claims, issuer.customer_claim),
            role=_role(claims, issuer),
            email=_display(claims, issuer.email_claim),
            name=_display(claims, issuer.name_claim),
        )

    def _issuer(self, name: Any) -> tuple[Issuer, IssuerKeys]:
        if not isinstance(name, str) or name not in self._issuers:
            raise NotAnIdentityError(f"no issuer of ours: {name!r}")
        return self._issuers[name]


def _checked_header(header: Mapping[str, Any], issuer: Issuer) -> tuple[str | None, str]:
    """The key's id, where one is named, and the algorithm."""
    if refused := [name for name in _REFUSED_HEADERS if name in header]:
        raise NotAnIdentityError(f"the token's header has {', '.join(refused)}")
    if str(header.get("typ", "JWT")).upper() != "JWT":
        raise NotAnIdentityError(f"a token of another kind: {header['typ']!r}")  # as access or log-out tokens
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in issuer.algorithms:
        raise NotAnIdentityError(f"{issuer.issuer} does not sign with {algorithm!r}")
    return header.get("kid"), algorithm


def _checked_times(claims: Claims, now: float) -> datetime:
    """When the token ends."""
    ends, began = _seconds(claims, "exp"), _seconds(claims, "iat")
    if ends + LEEWAY_SECONDS <= now:
        raise NotAnIdentityError("the token has expired")
    if began - LEEWAY_SECONDS > now:
        raise NotAnIdentityError("the token was issued in the future")
    if "nbf" in claims and _seconds(claims, "nbf") - LEEWAY_SECONDS > now:
        raise NotAnIdentityError("the token is not valid yet")
    return datetime.fromtimestamp(ends, tz=UTC)


def _seconds(claims: Claims, claim: str) -> float:
    value = claims[claim]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST_SECOND:
        raise NotAnIdentityError(f"the token's {claim} is not a time")
    return value


def _name(claims: Claims, claim: str) -> str:
    if (value := _display(claims, claim)) is None:
        raise NotAnIdentityError(f"the token's {claim} is not 1 to {LONGEST_NAME} printable characters")
    return value


def _display(claims: Claims, claim: str) -> str | None:
    value = claims.get(claim)
    fit = isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()
    return value if fit else None


def _role(claims: Claims, issuer: Issuer) -> Role:
    values = claims.get(issuer.roles_claim) if issuer.roles_claim else None
    named = values if isinstance(values, list) else [values]
    held = {issuer.roles.get(each) for each in named if isinstance(each, str)}
    return next((role for role in reversed(_ROLES_BY_POWER) if role in held), Role.CUSTOMER)
