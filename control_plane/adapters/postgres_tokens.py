"""An account's API tokens in Postgres: digests, never the tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from control_plane.adapters.postgres_database import Session
from control_plane.domain.accounts import ApiToken, NewToken, Scope
from control_plane.domain.errors import TokenLimitError, TokenNotFoundError
from control_plane.domain.limits import MOST_TOKENS
from control_plane.domain.store import Actor

_COLUMNS = "id, name, prefix, scopes, created_at, expires_at, last_used_at"
_LIVE = (
    "account_id = :account AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())"
)
_TELL = """
    INSERT INTO account_audit (account_id, actor, cause, action, subject)
    SELECT account_id, :actor, :cause, :action, CAST(id AS text) FROM changed
"""

# `enter` has locked the account's row, so that two at once are counted one after the other.
_ADD = text(f"""
WITH changed AS (
    INSERT INTO tokens (id, account_id, name, prefix, digest, scopes, expires_at)
    SELECT :id, :account, :name, :prefix, decode(:digest, 'hex'), CAST(:scopes AS text[]), :expires_at
    WHERE (SELECT count(*) FROM tokens WHERE {_LIVE}) < :most
    RETURNING {_COLUMNS}, account_id
), told AS ({_TELL})
SELECT {_COLUMNS} FROM changed
""")
_ALL = text(f"SELECT {_COLUMNS} FROM tokens WHERE {_LIVE} ORDER BY created_at DESC, id DESC")
_REVOKE = text(f"""
WITH target AS (
    SELECT id FROM tokens WHERE id = :id AND account_id = :account
), changed AS (
    UPDATE tokens SET revoked_at = clock_timestamp()
    WHERE id = :id AND account_id = :account AND revoked_at IS NULL RETURNING id, account_id
), told AS ({_TELL})
SELECT id FROM target
""")


class PostgresTokens:
    """The `Tokens` port."""

    def __init__(self, session: Session, account: UUID) -> None:
        self._session = session
        self._account = account

    def add(self, token: NewToken, actor: Actor) -> ApiToken:
        """See the port."""
        row = self._session.one(
            _ADD,
            {
                "id": token.id,
                "account": self._account,
                "name": token.name,
                "prefix": token.prefix,
                "digest": token.digest,
                "scopes": sorted(token.scopes),
                "expires_at": token.expires_at,
                "most": MOST_TOKENS,
                "actor": actor.name,
                "cause": actor.cause,
                "action": "token made",
            },
        )
        if row is None:
            raise TokenLimitError(f"an account may have {MOST_TOKENS} tokens: revoke one that is not used")
        return _token_of(row)

    def all(self) -> Sequence[ApiToken]:
        """See the port."""
        return [_token_of(row) for row in self._session.rows(_ALL, {"account": self._account})]

    def revoke(self, token_id: UUID, actor: Actor) -> None:
        """See the port."""
        parameters = {
            "id": token_id,
            "account": self._account,
            "actor": actor.name,
            "cause": actor.cause,
            "action": "token revoked",
        }
        if self._session.one(_REVOKE, parameters) is None:
            raise TokenNotFoundError(f"you have no token {token_id}: GET /v1/tokens lists those you have")


def _token_of(row: Any) -> ApiToken:
    return ApiToken(**{**row, "scopes": frozenset(map(Scope, row["scopes"]))})
