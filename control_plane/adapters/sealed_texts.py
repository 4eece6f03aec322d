"""Texts that travel through a browser and come back as they were, within their time (Fernet)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SealedTexts:
    """For one purpose: what was sealed for another, or is a password in the database, does not open here.

    The first key seals; all of them open.
    """

    def __init__(self, keys: Sequence[str], purpose: str) -> None:
        """Each key as `Fernet.generate_key` makes it; what is used is a key that is derived from it."""
        self._keys = MultiFernet([Fernet(_derived(key, purpose)) for key in keys])

    def seal(self, text: str) -> str:
        """The text, for a browser to keep."""
        return self._keys.encrypt(text.encode()).decode()

    def open(self, sealed: str, *, seconds: int) -> str | None:
        """What was sealed, up to that many seconds ago; else None."""
        try:
            return self._keys.decrypt(sealed.encode(), ttl=seconds).decode()
        except (InvalidToken, UnicodeEncodeError):
            return None


def _derived(key: str, purpose: str) -> bytes:
    secret = base64.urlsafe_b64decode(key)
    return base64.urlsafe_b64encode(hmac.digest(secret, f"urumi {purpose}".encode(), hashlib.sha256))
