"""Who a bearer token belongs to, from a file of digests: {"<SHA-256, hexadecimal>": "<customer id>"}."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from uuid import UUID

from control_plane.domain.errors import MisconfiguredError


class TokenFile:
    """The `Tokens` port. The file holds no token, so reading it gives nobody access."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def customer_of(self, token: str) -> UUID | None:
        """See the port. Raises MisconfiguredError for a file that cannot be read."""
        return self._customers.get(hashlib.sha256(token.encode()).hexdigest())

    @cached_property
    def _customers(self) -> dict[str, UUID]:
        try:
            entries = json.loads(self._path.read_text())
            return {digest: UUID(customer) for digest, customer in entries.items()}
        except (OSError, ValueError, AttributeError) as error:
            raise MisconfiguredError(f"the token file {self._path} cannot be read") from error
