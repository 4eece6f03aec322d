"""What the API needs of people: their sessions and memberships in the caller's account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from control_plane.domain.identity import Identity
from control_plane.domain.people import BrowserSession, Member, Membership
from control_plane.domain.store import Actor


class People(Protocol):
    """The people of the caller's account. Who asks must be a person themselves, except for `current`.

    All raise ForbiddenError where a token asks, and where only an owner may.
    """

    def open(self, digest: str, browser: str, *, instead_of: str | None, actor: Actor) -> None:
        """A session of the caller's, by its secret's digest; the one of `instead_of` ends."""

    def current(self) -> BrowserSession | None:
        """The session that the caller came with, if it is one."""

    def me(self) -> Member | None:
        """The caller, if they are a person."""

    def sessions(self) -> Sequence[BrowserSession]:
        """Those that have not ended, newest first: the caller's own, and of an owner's account all."""

    def end_session(self, session_id: UUID, actor: Actor) -> None:
        """End one at once. Raises SessionNotFoundError for those that `sessions` does not show."""

    def members(self) -> Sequence[Member]:
        """Those of the account, who came first first."""

    def remove(self, person_id: UUID, actor: Actor) -> None:
        """End a membership with its sessions, at once. Raises MemberNotFoundError, LastOwnerError."""

    def set_role(self, person_id: UUID, role: Membership, actor: Actor) -> Member:
        """Raises MemberNotFoundError, LastOwnerError."""


class Departures(Protocol):
    """The way out, which nobody is refused."""

    def leave(self, digest: str, cause: str) -> None:
        """End the session of this digest, if there is one."""


class SignInRefusedError(Exception):
    """Somebody came back from the identity provider, and it does not prove who they are."""


@dataclass(frozen=True)
class Begun:
    """Where to send the browser, and what it must bring back: sealed, so that only we can read it."""

    url: str
    sealed: str


class Provider(Protocol):
    """The identity provider with whom people sign in."""

    def begin(self) -> Begun:
        """The way there. Raises TemporaryError where the provider does not answer."""

    def finish(self, sealed: str, said: Mapping[str, str]) -> Identity:
        """Who came back, by what the browser kept and the provider told it. Raises SignInRefusedError."""
