"""Seals short texts with keys that the database does not have (Fernet: AES-128-CBC and HMAC-SHA256)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from control_plane.domain.errors import MisconfiguredError


class Sealer:
    """The first key seals; all of them open, so that a new one can be put in front of the old."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Each key as `Fernet.generate_key` makes it: 32 bytes in URL-safe base64."""
        self._keys = MultiFernet([Fernet(key) for key in keys])

    def seal(self, store_id: UUID, number: int, password: str) -> bytes:
        """The password, bound to its place: a sealed text in another store's row does not open there."""
        return self._keys.encrypt(f"{store_id} {number} {password}".encode())

    def open(self, store_id: UUID, number: int, sealed: bytes) -> str:
        """What was sealed. Raises MisconfiguredError when no key fits, or it was sealed for another place."""
        try:
            found = self._keys.decrypt(bytes(sealed)).decode()
        except InvalidToken as error:
            raise MisconfiguredError("no key of URUMI_CREDENTIALS_KEYS opens a sealed password") from error
        place = f"{store_id} {number} "
        if not found.startswith(place):
            raise MisconfiguredError("a sealed password stands in the row of another store")
        return found.removeprefix(place)

    def again(self, sealed: bytes) -> bytes:
        """The same, sealed with the first key. Raises MisconfiguredError as above."""
        try:
            return self._keys.rotate(bytes(sealed))
        except InvalidToken as error:
            raise MisconfiguredError("no key of URUMI_CREDENTIALS_KEYS opens a sealed password") from error
