"""The people of one account in Postgres: their sessions and memberships."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from control_plane.adapters.postgres_database import Database, Session
from control_plane.domain.accounts import Caller, Role
from control_plane.domain.errors import (
    ForbiddenError,
    LastOwnerError,
    MemberNotFoundError,
    SessionNotFoundError,
)
from control_plane.domain.people import (
    LONGEST_BROWSER,
    SESSION_IDLE,
    BrowserSession,
    Member,
    Membership,
)
from control_plane.domain.store import Actor

_SESSION = (
    "id, person_id, role, created_at, seen_at, expires_at, browser, id = entered_session() IS TRUE AS current"
)
_LIVE = (
    "account_id = :account AND ended_at IS NULL AND expires_at > clock_timestamp()"
    " AND seen_at > clock_timestamp() - make_interval(secs => :idle)"
)
# Of an owner's account all, of anybody else's their own.
_MINE = "(person_id = :me OR :owner)"
_TELL = """
    INSERT INTO account_audit (account_id, actor, cause, action, subject)
    SELECT :account, :actor, :cause, :action, CAST(subject AS text) FROM changed
"""

_OPEN = text(f"""
WITH changed AS (
    INSERT INTO sessions (digest, person_id, account_id, role, browser)
    VALUES (decode(:digest, 'hex'), :me, :account, :role, :browser) RETURNING id AS subject
)
{_TELL}
""")
_LEAVE = text("SELECT leave(:digest, :cause)")
_CURRENT = text(f"SELECT {_SESSION} FROM sessions WHERE id = entered_session() AND account_id = :account")
_SESSIONS = text(
    f"SELECT {_SESSION} FROM sessions WHERE {_LIVE} AND {_MINE} ORDER BY created_at DESC, id DESC"
)
_END = text(f"""
WITH target AS (
    SELECT id FROM sessions WHERE id = :id AND account_id = :account AND {_MINE}
), changed AS (
    UPDATE sessions SET ended_at = clock_timestamp()
    WHERE id IN (SELECT id FROM target) AND ended_at IS NULL RETURNING id AS subject
), told AS ({_TELL})
SELECT id FROM target
""")

_MEMBER = "person_id, role, joined_at, email, name"
_MEMBERS = (
    f"SELECT {_MEMBER} FROM members JOIN people ON people.id = person_id"
    " WHERE account_id = :account AND removed_at IS NULL"
)
_ALL = text(f"{_MEMBERS} ORDER BY joined_at, person_id")
_ONE = text(f"{_MEMBERS} AND person_id = :person")
# `enter` has locked the account's row: no two owners leave at the same time.
_LAST = text("""
SELECT count(*) AS owners FROM members
WHERE account_id = :account AND role = 'owner' AND removed_at IS NULL AND person_id <> :person
""")
_REMOVE = text(f"""
WITH changed AS (
    UPDATE members SET removed_at = clock_timestamp()
    WHERE account_id = :account AND person_id = :person AND removed_at IS NULL
    RETURNING person_id AS subject
), ended AS (
    UPDATE sessions SET ended_at = clock_timestamp()
    WHERE account_id = :account AND person_id = :person AND ended_at IS NULL
)
{_TELL}
""")
_SET_ROLE = text(f"""
WITH changed AS (
    UPDATE members SET "role" = :role
    WHERE account_id = :account AND person_id = :person AND removed_at IS NULL AND role <> :role
    RETURNING person_id AS subject
)
{_TELL}
""")


class PostgresPeople:
    """The `People` port."""

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._account, self._caller = caller.account, caller

    def open(self, digest: str, browser: str, *, instead_of: str | None, actor: Actor) -> None:
        """See the port."""
        if instead_of:
            self._session.rows(_LEAVE, {"digest": instead_of, "cause": actor.cause})
        parameters = {
            "digest": digest,
            "me": self._person(),
            "role": self._caller.role.value,
            "browser": browser[:LONGEST_BROWSER],
        }
        self._session.rows(_OPEN, {**parameters, **self._telling("signed in", actor)})

    def current(self) -> BrowserSession | None:
        """See the port."""
        row = self._session.one(_CURRENT, {"account": self._account})
        return _session_of(row) if row else None

    def me(self) -> Member | None:
        """See the port."""
        return self._member(self._caller.person) if self._caller.person else None

    def sessions(self) -> Sequence[BrowserSession]:
        """See the port."""
        rows = self._session.rows(_SESSIONS, {**self._reach(), "idle": SESSION_IDLE.total_seconds()})
        return [_session_of(row) for row in rows]

    def end_session(self, session_id: UUID, actor: Actor) -> None:
        """See the port."""
        parameters = {"id": session_id, **self._reach(), **self._telling("session ended", actor)}
        if self._session.one(_END, parameters) is None:
            raise SessionNotFoundError(f"you have no session {session_id}: GET /v1/sessions lists them")

    def members(self) -> Sequence[Member]:
        """See the port."""
        self._person()
        return [_member_of(row) for row in self._session.rows(_ALL, {"account": self._account})]

    def remove(self, person_id: UUID, actor: Actor) -> None:
        """See the port."""
        self._decide_on(person_id, None)
        self._session.rows(_REMOVE, {"person": person_id, **self._telling("member removed", actor)})

    def set_role(self, person_id: UUID, role: Membership, actor: Actor) -> Member:
        """See the port."""
        self._decide_on(person_id, role)
        parameters = {"person": person_id, "role": role.value, **self._telling(f"made {role}", actor)}
        self._session.rows(_SET_ROLE, parameters)
        found = self._member(person_id)
        assert found  # noqa: S101 - it was there, and the account's row is ours
        return found

    def _decide_on(self, person_id: UUID, role: Membership | None) -> None:
        if not self._reach()["owner"]:
            raise ForbiddenError("only an owner of the account decides who its members are")
        if self._member(person_id) is None:
            raise MemberNotFoundError(f"your account has no member {person_id}: GET /v1/members lists them")
        if role is not Membership.OWNER:
            row = self._session.one(_LAST, {"account": self._account, "person": person_id})
            if not (row and row["owners"]):
                raise LastOwnerError("an account keeps one owner: make somebody else an owner first")

    def _person(self) -> UUID:
        if self._caller.person is None:
            raise ForbiddenError("only a person may do this: sign in, or send an ID token")
        return self._caller.person

    def _reach(self) -> dict[str, Any]:
        me = self._member(self._person())
        owner = me is not None and me.role is Membership.OWNER
        return {"account": self._account, "me": self._person(), "owner": owner}

    def _member(self, person_id: UUID) -> Member | None:
        row = self._session.one(_ONE, {"account": self._account, "person": person_id})
        return _member_of(row) if row else None

    def _telling(self, action: str, actor: Actor) -> dict[str, Any]:
        return {"account": self._account, "actor": actor.name, "cause": actor.cause, "action": action}


class PostgresDepartures:
    """The `Departures` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def leave(self, digest: str, cause: str) -> None:
        """See the port."""
        self._database.rows(_LEAVE, {"digest": digest, "cause": cause})


def _session_of(row: Any) -> BrowserSession:
    return BrowserSession(**{**row, "role": Role(row["role"])})


def _member_of(row: Any) -> Member:
    return Member(**{**row, "role": Membership(row["role"])})
