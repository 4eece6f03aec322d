"""An issuer's public keys: fetched when first needed, kept, and exchanged when the issuer exchanges them.

PyJWT's own PyJWKClient is not used. It holds one lock for its requests and its look-ups, so callers with a
known key wait for those with an unknown one; its pause between requests begins only after a successful
one; it forgets the keys of an issuer that does not answer; and it bounds neither the size of an answer nor
the time that one takes. The keys themselves are PyJWT's.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import jwt
import structlog
import urllib3

from control_plane.adapters.oidc_issuers import Issuer, discovered

log = structlog.get_logger()

FRESH_SECONDS = 600.0  # how long keys are used before the issuer is asked again
STALE_SECONDS = 24 * 3600.0  # how long they are used when it does not answer
PAUSE_SECONDS = 30.0  # from one attempt to the next, whatever callers send
LARGEST_ANSWER = 256 * 1024  # bytes; real sets have two to six keys of about 1 KiB
_ANSWER_SECONDS = 3.0
_PATIENCE_SECONDS = 6.0  # for the very first attempt in another thread: two documents

_CURVES = {"ES256": "P-256", "ES384": "P-384", "EdDSA": "Ed25519"}  # PyJWT knows the kty of each
_SECRET_PARTS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

Fetch = Callable[[str], bytes]


def fetch(url: str, *, seconds: float = _ANSWER_SECONDS) -> bytes:
    """The body of an answer 200, of at most LARGEST_ANSWER bytes; redirects are not followed.

    `seconds` is the limit for connecting, for each wait for bytes, and for the whole body. Raises OSError.
    """
    try:
        with urllib3.PoolManager() as pool, closing(_get(pool, url, seconds)) as answer:
            if answer.status != 200:
                raise OSError(f"it answers {answer.status}")
            body, deadline = b"", time.monotonic() + seconds
            while chunk := answer.read1(LARGEST_ANSWER, decode_content=False):
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    raise OSError(f"its answer is longer than {LARGEST_ANSWER} bytes")
                if time.monotonic() > deadline:
                    raise OSError(f"its answer takes longer than {seconds} seconds")
            return body
    except urllib3.exceptions.HTTPError as error:
        raise OSError(f"it does not answer: {type(error).__name__}") from error


def _get(pool: urllib3.PoolManager, url: str, seconds: float) -> urllib3.BaseHTTPResponse:
    return pool.request(
        "GET",
        url,
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "urumi"},
        timeout=urllib3.Timeout(connect=seconds, read=seconds),
        retries=False,
        redirect=False,
        preload_content=False,
    )


@dataclass(frozen=True)
class _Key:
    kid: object  # as published
    algorithm: str
    key: jwt.PyJWK


@dataclass(frozen=True)
class _Known:
    keys: tuple[_Key, ...] = ()
    fetched_at: float = -math.inf
    uri: str = ""


class IssuerKeys:
    """The keys of one issuer, for any number of threads. Nothing is fetched before `find`.

    One thread at a time fetches, at most each PAUSE_SECONDS; nobody waits for it, except where no attempt
    has ended yet. One fetch is the key set, and before it the discovery document if that is due.
    """

    def __init__(self, issuer: Issuer, fetch: Fetch, monotonic: Callable[[], float]) -> None:
        self._issuer, self._fetch, self._monotonic = issuer, fetch, monotonic
        self._known = _Known()  # replaced as a whole, so that readers need no lock
        self._fetching = threading.Lock()  # never waited for
        self._not_before = -math.inf
        self._tried = threading.Event()

    def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The one key of this id for this algorithm, else None.

        OpenID Connect Core 10.1 lets an issuer with one key leave the id out: then None as `kid` means it.
        """
        if (key := self._look(kid, algorithm)) and self._age() < FRESH_SECONDS:
            return key
        if not self._refresh():
            self._tried.wait(_PATIENCE_SECONDS)
        return self._look(kid, algorithm)

    def _look(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        if self._age() >= STALE_SECONDS:
            return None
        fitting = [
            each.key
            for each in self._known.keys
            if each.algorithm == algorithm and kid in (None, each.kid)
        ]  # fmt: skip
        return fitting[0] if len(fitting) == 1 else None

    def _age(self) -> float:
        return self._monotonic() - self._known.fetched_at

    def _refresh(self) -> bool:
        """Whether this thread asked the issuer, with or without success."""
        if not self._fetching.acquire(blocking=False):
            return False
        try:
            now = self._monotonic()
            if now < self._not_before:
                return False
            self._not_before = now + PAUSE_SECONDS
            uri = self._issuer.jwks_uri or self._uri()
            self._known = _Known(_usable(self._document(uri), self._issuer.algorithms), now, uri)
        except (OSError, ValueError, RecursionError) as error:  # the last from JSON that is nested too deep
            log.warning("issuer_gives_no_keys", issuer=self._issuer.issuer, error=str(error)[:200])
        finally:
            self._tried.set()
            self._fetching.release()
        return True

    def _uri(self) -> str:
        if self._age() < FRESH_SECONDS:
            return self._known.uri
        place = self._issuer.issuer.rstrip("/") + "/.well-known/openid-configuration"
        document = self._document(place)
        if document.get("issuer") != self._issuer.issuer:
            raise ValueError("its discovery document is another issuer's")
        return discovered(self._issuer, document.get("jwks_uri"))

    def _document(self, url: str) -> dict[str, Any]:
        found = json.loads(self._fetch(url))
        if not isinstance(found, dict):
            raise ValueError(f"{url} is not a JSON object")  # noqa: TRY004 - one kind for all that is wrong
        return found


def _usable(document: Mapping[str, Any], algorithms: Collection[str]) -> tuple[_Key, ...]:
    keys = document.get("keys")
    if not isinstance(keys, list):
        raise ValueError("its key set has no keys")  # noqa: TRY004 - one kind for all that is wrong
    made = (_make(each, algorithm) for each in keys for algorithm in algorithms if _fits(each, algorithm))
    return tuple(each for each in made if each)


def _fits(jwk: Any, algorithm: str) -> bool:
    """Whether it is a public key for this algorithm's signatures, by all that it says of itself."""
    if not isinstance(jwk, dict) or _SECRET_PARTS & jwk.keys():
        return False  # a secret that was published is none, so nothing that it signed proves anything
    operations = jwk.get("key_ops", ["verify"])
    return (
        _CURVES.get(algorithm) in (None, jwk.get("crv"))
        and jwk.get("use", "sig") == "sig"
        and jwk.get("alg", algorithm) == algorithm
        and isinstance(operations, list)
        and "verify" in operations
    )


def _make(jwk: dict[str, Any], algorithm: str) -> _Key | None:
    try:
        return _Key(jwk.get("kid"), algorithm, jwt.PyJWK(jwk, algorithm))
    except jwt.PyJWTError:
        return None  # of another kty, or broken; that takes nothing from the others
