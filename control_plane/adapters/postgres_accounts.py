"""The way in: who is asking, found and counted in the transaction that does what they ask."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import RowMapping

from control_plane.adapters.postgres_credentials import PostgresCredentials
from control_plane.adapters.postgres_database import Database
from control_plane.adapters.postgres_people import PostgresPeople
from control_plane.adapters.postgres_stores import PostgresStores
from control_plane.adapters.postgres_tokens import PostgresTokens
from control_plane.adapters.sealer import Sealer
from control_plane.domain.accounts import ALL_SCOPES, Caller, Role, Scope, TokenShown
from control_plane.domain.errors import ForbiddenError, RateLimitedError, UnauthenticatedError
from control_plane.domain.identity import Identity
from control_plane.domain.limits import Limits
from control_plane.domain.people import OnceShown, SessionShown
from control_plane.ports.customers import Shown


@dataclass(frozen=True)
class PostgresTransaction:
    """The `Transaction` port."""

    caller: Caller
    plan: str
    stores: PostgresStores
    credentials: PostgresCredentials
    tokens: PostgresTokens
    people: PostgresPeople


class PostgresAccounts:
    """The `Accounts` port."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        limits: Mapping[str, Limits],
        *,
        wake_seconds: float = 30.0,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._wake_seconds = wake_seconds
        self._limits = {name: each.model_dump() for name, each in limits.items()}

    @contextmanager
    def enter(self, shown: Shown, needs: Scope) -> Iterator[PostgresTransaction]:
        """See the port."""
        with self._database.transaction(_entering(shown, self._limits)) as (row, session):
            caller = _caller(row)
            if not caller.may(needs):
                raise ForbiddenError(f"this takes the scope {needs}: use a token or a login that has it")
            yield PostgresTransaction(
                caller,
                row["account_plan"],
                PostgresStores(session, caller.reach, wake_seconds=self._wake_seconds),
                PostgresCredentials(session, caller.reach, self._sealer),
                PostgresTokens(session, caller.account),
                PostgresPeople(session, caller),
            )


def _entering(shown: Shown, limits: Mapping[str, Any]) -> str:
    """The statement that tells who is asking, with nothing in it but hexadecimal digits of ours."""
    match shown:
        case TokenShown(digest):
            said: dict[str, Any] = {"token": digest}
        case SessionShown(digest):
            said = {"session": digest}
        case OnceShown(digest):
            said = {"once": digest}
        case Identity(issuer, subject, customer, role, email, name):
            said = {"issuer": issuer, "subject": subject, "customer": customer, "role": role}
            said |= {"email": email, "name": name}
    packed = json.dumps({**said, "limits": limits}).encode().hex()
    return f"SELECT * FROM enter(convert_from(decode('{packed}', 'hex'), 'UTF8')::jsonb)"


def _caller(row: RowMapping) -> Caller:
    """Raises UnauthenticatedError, RateLimitedError."""
    if row["outcome"] == "unknown":
        raise UnauthenticatedError("send 'Authorization: Bearer TOKEN' with a token that is yours and valid")
    if row["outcome"] == "limited":
        seconds = float(row["seconds"])
        raise RateLimitedError("your account asks more often than its plan allows", seconds=seconds)
    scopes = row["caller_scopes"]
    known = ALL_SCOPES if scopes is None else frozenset(map(Scope, scopes))
    return Caller(row["account"], row["caller"], Role(row["caller_role"]), known)
