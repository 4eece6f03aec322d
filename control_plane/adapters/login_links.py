"""Signs the tokens by which a store lets its administrator in, once and for a minute."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from control_plane.domain.store import ADMINISTRATOR

SECONDS = 60
ISSUER = "urumi"


class LoginLinks:
    """The `LoginLinks` port: JSON Web Tokens (RFC 7519) with EdDSA (RFC 8037)."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        """Ed25519 seeds of 32 bytes in base64, by key id; the first signs.

        Stores know the public halves, by the chart's value `login.keys`.
        """
        self._kid, seed = next(iter(keys.items()))
        self._key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed))

    def token(self, store_id: UUID) -> str:
        """See the port."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": str(store_id),
            "sub": ADMINISTRATOR,
            "iat": now,
            "exp": now + SECONDS,
            "jti": str(uuid4()),
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self._kid})
