"""Who an identity provider says is asking."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from control_plane.domain.accounts import Role

_LONGEST_REASON = 200  # characters; a reason may quote what the caller sent


@dataclass(frozen=True)
class Identity:
    """What a verified ID token says.

    `subject` and `customer` are the issuer's own words, 1 to 255 printable characters, and mean something
    together with `issuer` only. `name` and `email` are for display: nobody has verified them, so nothing
    may be decided by them. `expires_at` is in UTC.
    """

    issuer: str
    subject: str
    customer: str
    role: Role
    email: str | None
    name: str | None
    expires_at: datetime


class NotAnIdentityError(Exception):
    """The token identifies nobody. `reason` is for the log; a caller gets the same 401 whatever it is."""

    def __init__(self, reason: str) -> None:
        self.reason = reason[:_LONGEST_REASON]
        super().__init__(self.reason)
