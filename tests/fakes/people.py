"""People in the fake database: the `People` and `Departures` ports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from control_plane.domain.accounts import Caller
from control_plane.domain.errors import (
    ForbiddenError,
    LastOwnerError,
    MemberNotFoundError,
    SessionNotFoundError,
)
from control_plane.domain.people import SESSION_IDLE, SESSION_LIFE, BrowserSession, Member, Membership
from control_plane.domain.store import Actor

if TYPE_CHECKING:
    from tests.fakes.tables import Tables


@dataclass
class PersonRow:
    """One row of `people`."""

    email: str | None
    name: str | None


@dataclass
class MemberRow:
    """One row of `members`."""

    role: Membership
    joined_at: datetime
    removed: bool = False


@dataclass
class SessionRow:
    """One row of `sessions`."""

    account: UUID
    digest: str
    kept: BrowserSession
    ended: bool = False


@dataclass
class SignInRow:
    """One row of `sign_ins`."""

    account: UUID
    expires_at: datetime
    used: bool = False


@dataclass
class PeopleTables:
    """Those of the people."""

    people: dict[UUID, PersonRow] = field(default_factory=dict)
    members: dict[tuple[UUID, UUID], MemberRow] = field(default_factory=dict)  # by account and person
    identities: dict[tuple[str, str], UUID] = field(default_factory=dict)  # by issuer and subject
    sessions: dict[UUID, SessionRow] = field(default_factory=dict)
    sign_ins: dict[str, SignInRow] = field(default_factory=dict)  # by digest


def admitted(
    tables: Tables, person: UUID, account: UUID, who: tuple[str, str], said: tuple[str | None, str | None]
) -> bool:
    """As the function of the migration."""
    of, (email, name) = tables.of_people, said
    known = of.people.get(person)
    if known is None:
        of.people[person] = PersonRow(email, name)
        of.identities[who] = person
    else:
        known.email, known.name = email or known.email, name or known.name
    if (account, person) not in of.members:
        others = any(key[0] == account and not row.removed for key, row in of.members.items())
        role = Membership.MEMBER if others else Membership.OWNER
        of.members[account, person] = MemberRow(role, tables.now)
        tables.account_audit.append(
            (account, f"person {person}", "first request", "member added", str(person))
        )
    return not of.members[account, person].removed


def live_session(tables: Tables, digest: str) -> SessionRow | None:
    """The session of this digest, noted as seen."""
    now = tables.now
    for row in tables.of_people.sessions.values():
        if row.digest == digest and _lives(row, now) and not _member(tables, row).removed:
            if (now - row.kept.seen_at).total_seconds() > 60:
                row.kept = replace(row.kept, seen_at=now)
            return row
    return None


def _lives(row: SessionRow, now: datetime) -> bool:
    return not row.ended and row.kept.expires_at > now and row.kept.seen_at > now - SESSION_IDLE


def _member(tables: Tables, row: SessionRow) -> MemberRow:
    return tables.of_people.members[row.account, row.kept.person_id]


@dataclass(frozen=True)
class FakePeople:
    """The `People` port."""

    tables: Tables
    caller: Caller
    session: UUID | None

    def open(self, digest: str, browser: str, *, instead_of: str | None, actor: Actor) -> None:
        """See the port."""
        if instead_of:
            FakeDepartures(self.tables).leave(instead_of, actor.cause)
        now, me = self.tables.now, self._person()
        kept = BrowserSession(
            uuid4(), me, self.caller.role, now, now, now + SESSION_LIFE, browser[:200], current=False
        )
        self.tables.of_people.sessions[kept.id] = SessionRow(self.caller.account, digest, kept)
        self._tell("signed in", kept.id, actor)

    def current(self) -> BrowserSession | None:
        """See the port."""
        return self._told(self.tables.of_people.sessions[self.session]) if self.session else None

    def me(self) -> Member | None:
        """See the port."""
        return self._find(self.caller.person) if self.caller.person else None

    def sessions(self) -> Sequence[BrowserSession]:
        """See the port."""
        rows = [row for row in self._reached() if _lives(row, self.tables.now)]
        return [self._told(row) for row in sorted(rows, key=lambda row: row.kept.created_at, reverse=True)]

    def end_session(self, session_id: UUID, actor: Actor) -> None:
        """See the port."""
        row = next((row for row in self._reached() if row.kept.id == session_id), None)
        if row is None:
            raise SessionNotFoundError("no such session")
        if not row.ended:
            row.ended = True
            self._tell("session ended", session_id, actor)

    def members(self) -> Sequence[Member]:
        """See the port."""
        self._person()
        mine = [person for account, person in self.tables.of_people.members if account == self.caller.account]
        found = [self._find(person) for person in mine]
        return sorted((each for each in found if each), key=lambda each: each.joined_at)

    def remove(self, person_id: UUID, actor: Actor) -> None:
        """See the port."""
        self._decide_on(person_id, None)
        self.tables.of_people.members[self.caller.account, person_id].removed = True
        for row in self.tables.of_people.sessions.values():
            if (row.account, row.kept.person_id) == (self.caller.account, person_id):
                row.ended = True
        self._tell("member removed", person_id, actor)

    def set_role(self, person_id: UUID, role: Membership, actor: Actor) -> Member:
        """See the port."""
        self._decide_on(person_id, role)
        row = self.tables.of_people.members[self.caller.account, person_id]
        if row.role is not role:
            row.role = role
            self._tell(f"made {role}", person_id, actor)
        found = self._find(person_id)
        assert found
        return found

    def _decide_on(self, person_id: UUID, role: Membership | None) -> None:
        self._person()
        if not self._owner():
            raise ForbiddenError("only an owner may")
        if self._find(person_id) is None:
            raise MemberNotFoundError("no such member")
        owners = {each.person_id for each in self.members() if each.role is Membership.OWNER}
        if role is not Membership.OWNER and not owners - {person_id}:
            raise LastOwnerError("the last")

    def _person(self) -> UUID:
        if self.caller.person is None:
            raise ForbiddenError("only a person may")
        return self.caller.person

    def _owner(self) -> bool:
        me = self._find(self._person())
        return me is not None and me.role is Membership.OWNER

    def _reached(self) -> list[SessionRow]:
        me, owner = self._person(), self._owner()
        return [
            row
            for row in self.tables.of_people.sessions.values()
            if row.account == self.caller.account and (owner or row.kept.person_id == me)
        ]

    def _told(self, row: SessionRow) -> BrowserSession:
        return replace(row.kept, current=row.kept.id == self.session)

    def _find(self, person_id: UUID) -> Member | None:
        row = self.tables.of_people.members.get((self.caller.account, person_id))
        if row is None or row.removed:
            return None
        person = self.tables.of_people.people[person_id]
        return Member(person_id, row.role, row.joined_at, person.email, person.name)

    def _tell(self, action: str, subject: UUID, actor: Actor) -> None:
        self.tables.account_audit.append((self.caller.account, actor.name, actor.cause, action, str(subject)))


@dataclass(frozen=True)
class FakeDepartures:
    """The `Departures` port."""

    tables: Tables

    def leave(self, digest: str, cause: str) -> None:
        """See the port."""
        with self.tables.lock:
            for row in self.tables.of_people.sessions.values():
                if row.digest == digest and not row.ended:
                    row.ended = True
                    actor = f"{row.kept.role} person {row.kept.person_id}"
                    self.tables.account_audit.append(
                        (row.account, actor, cause, "signed out", str(row.kept.id))
                    )
