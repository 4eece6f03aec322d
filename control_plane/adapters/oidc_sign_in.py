"""People sign in with an OpenID Connect issuer: the code flow with PKCE, by Authlib's client."""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session

from control_plane.adapters.oidc_identities import LONGEST_TOKEN, OidcIdentities
from control_plane.adapters.oidc_issuers import Issuer, discovered
from control_plane.adapters.oidc_keys import FRESH_SECONDS, Fetch, fetch
from control_plane.adapters.sealed_texts import SealedTexts
from control_plane.domain.errors import TemporaryError
from control_plane.domain.identity import Identity, NotAnIdentityError
from control_plane.ports.people import Begun, SignInRefusedError

log = structlog.get_logger()

CALLBACK = "/signin/callback"
SEALED_SECONDS = 600  # from leaving for the issuer to coming back
PURPOSE = "sign-in cookie"
_SCOPE = "openid profile email"
_SECONDS = 5.0  # for connecting to the issuer, and for each wait for its answer
_PAUSE_SECONDS = 10.0  # from an answer that did not come to the next attempt


class OidcSignIn:
    """The `Provider` port. Nothing of a sign-in is kept here: the browser has it, sealed."""

    def __init__(
        self,
        issuer: Issuer,
        secret: str | None,
        public_url: str,
        identities: OidcIdentities,
        keys: SealedTexts,
        *,
        fetch: Fetch = fetch,
    ) -> None:
        """`public_url` is where browsers find us: never what a request says of itself."""
        self._issuer, self._secret = issuer, secret
        self._redirect_uri = public_url + CALLBACK
        self._identities, self._keys, self._fetch = identities, keys, fetch
        self._known: tuple[float, Mapping[str, Any]] = (float("-inf"), {})  # replaced as a whole
        self._not_before = float("-inf")

    def begin(self) -> Begun:
        """See the port."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        try:
            place = self._endpoint("authorization_endpoint")
        except (OSError, ValueError) as error:
            log.warning("issuer_lets_nobody_sign_in", issuer=self._issuer.issuer, error=str(error)[:200])
            raise TemporaryError("the identity provider does not answer") from error
        with self._client() as client:
            url, _ = client.create_authorization_url(place, state=state, code_verifier=verifier, nonce=nonce)
        kept = json.dumps(
            {"issuer": self._issuer.issuer, "state": state, "nonce": nonce, "verifier": verifier}
        )
        return Begun(url, self._keys.seal(kept))

    def finish(self, sealed: str, said: Mapping[str, str]) -> Identity:
        """See the port."""
        try:
            return self._finish(sealed, said)
        except (NotAnIdentityError, AuthlibBaseError, OSError, ValueError) as error:
            # `requests` raises OSErrors. Logged is neither what the browser sent nor what the issuer
            # answered: both may hold a code or a token.
            reason = error.reason if isinstance(error, NotAnIdentityError) else type(error).__name__
            log.info("sign_in_refused", issuer=self._issuer.issuer, reason=reason)
            raise SignInRefusedError from error

    def _finish(self, sealed: str, said: Mapping[str, str]) -> Identity:
        opened = self._keys.open(sealed, seconds=SEALED_SECONDS)
        if opened is None:
            raise NotAnIdentityError("this browser began no sign-in, or too long ago")
        kept = json.loads(opened)
        if kept["issuer"] != self._issuer.issuer or said.get("iss", self._issuer.issuer) != kept["issuer"]:
            raise NotAnIdentityError("another issuer's answer")
        if not hmac.compare_digest(said.get("state", "").encode(), kept["state"].encode()):
            raise NotAnIdentityError("another sign-in's state")
        if "error" in said or not said.get("code"):
            raise NotAnIdentityError("the issuer did not let them in")
        token = self._exchanged(said["code"], kept["verifier"])
        return self._identities.verify(token, issuer=self._issuer.issuer, nonce=kept["nonce"])

    def _exchanged(self, code: str, verifier: str) -> str:
        """The ID token that a code is for."""
        with self._client() as client:
            given = client.fetch_token(
                self._endpoint("token_endpoint"),
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                timeout=_SECONDS,
                allow_redirects=False,
            )
        token = given.get("id_token")
        if not isinstance(token, str) or len(token) > LONGEST_TOKEN:
            raise NotAnIdentityError("the issuer gave no ID token")
        return token

    def _client(self) -> OAuth2Session:
        client = OAuth2Session(
            self._issuer.audience,
            self._secret,
            scope=_SCOPE,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
        )
        client.trust_env = False  # neither a proxy nor a .netrc of whoever runs this
        return client

    def _endpoint(self, name: str) -> str:
        """An address of the issuer's discovery document, kept for ten minutes. Raises OSError, ValueError."""
        now = time.monotonic()
        at, document = self._known
        if now - at >= FRESH_SECONDS:
            if now < self._not_before:
                raise OSError("it did not answer a moment ago")
            self._not_before = now + _PAUSE_SECONDS
            place = self._issuer.issuer.rstrip("/") + "/.well-known/openid-configuration"
            document = json.loads(self._fetch(place))
            if not isinstance(document, dict) or document.get("issuer") != self._issuer.issuer:
                raise ValueError("its discovery document is another issuer's")
            self._known, self._not_before = (now, document), float("-inf")
        return discovered(self._issuer, document.get(name), name)
