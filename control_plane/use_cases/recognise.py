"""Tell what a caller showed: a token of ours, an identity that an issuer vouches for, or a session."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from control_plane.domain.accounts import TokenShown
from control_plane.domain.errors import UnauthenticatedError
from control_plane.domain.identity import NotAnIdentityError
from control_plane.domain.people import SessionShown
from control_plane.ports.customers import Identities, Shown
from control_plane.use_cases.create_token import MARK, digest_of

log = structlog.get_logger()

_ADVICE = "send 'Authorization: Bearer TOKEN' with a token that is yours and valid"


@dataclass(frozen=True)
class Recognise:
    """The verb, with what it needs."""

    identities: Identities

    def __call__(self, authorization: str, session: str | None = None) -> Shown:
        """What an Authorization header shows, and without one the secret of a browser's session.

        Whether a token of ours or a session is known, only `Accounts` can tell.
        Raises UnauthenticatedError, always with the same words: why is for the log.
        """
        if not authorization and session is not None:
            return SessionShown(digest_of(session))
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise UnauthenticatedError(_ADVICE)
        if token.startswith(MARK):
            return TokenShown(digest_of(token))
        try:
            return self.identities.verify(token)
        except NotAnIdentityError as error:
            log.info("identity_refused", reason=error.reason)
            raise UnauthenticatedError(_ADVICE) from error
