"""Passwords from the operating system's random source."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping

# Letters and digits only: nothing between here and a login form can misread them.
_ALPHABET = string.ascii_letters + string.digits
_LENGTHS = {
    "admin-password": 32,
    "database-password": 32,
    "database-root-password": 32,
    "wordpress-secret": 64,  # WordPress's keys and salts are derived from it
}


class RandomCredentials:
    """The `Credentials` port: 32 letters and digits are 190 bits."""

    def fresh(self) -> Mapping[str, str]:
        """See the port."""
        return {
            name: "".join(secrets.choice(_ALPHABET) for _ in range(length))
            for name, length in _LENGTHS.items()
        }
