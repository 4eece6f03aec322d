"""A store's history, in words: what happened, and who did it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from control_plane.domain.life import Verb
from control_plane.domain.store import AuditEntry, StoreState

_S = StoreState
_BECAME: Mapping[StoreState, str] = {
    _S.QUEUED: "Waiting to be built",
    _S.PROVISIONING: "Building began",
    _S.READY: "Open",
    _S.DEGRADED: "Stopped working",
    _S.UPDATING: "Being changed",
    _S.SUSPENDED: "Closed",
    _S.DELETING: "Being removed",
    _S.DELETED: "Gone",
    _S.FAILED: "Stopped trying",
}
_ASKED: Mapping[Verb, str] = {
    Verb.RENAME: "Title changed",
    Verb.MOVE: "Address changed",
    Verb.CHANGE_PLAN: "Plan changed",
    Verb.RESET_PASSWORD: "New password asked for",
    Verb.SUSPEND: "Closing asked for",
    Verb.RESUME: "Opening asked for",
    Verb.RETRY: "Tried again",
    Verb.DELETE: "Deleted",
    Verb.UNDELETE: "Deletion undone",
    Verb.PURGE: "Removal for good asked for",
}
_DONE: Mapping[str, str] = {
    "created": "Ordered",
    "release applied": "Handed to the cluster",
    "removal begun": "Removal began",
    "release freed": "An interrupted step was taken up again",
    "refreshed": "Brought up to date with its plan",
    "password claimed": "Password shown",
    "login link made": "Logged in to the shop",
    "retention ended": "Its time to be kept ended",
    "former host name ended": "The address before no longer leads here",
    "billing applied": "Brought in line with billing",
    **{f"{verb} asked": said for verb, said in _ASKED.items()},
}


@dataclass(frozen=True)
class Happened:
    """One line of it."""

    at: datetime
    what: str
    who: str
    reason: str | None


def told(entries: Iterable[AuditEntry], me: UUID | None) -> list[Happened]:
    """All of it, newest first."""
    found = [Happened(each.at, _what(each), _who(each.actor, me), each.reason) for each in entries]
    return found[::-1]


def _what(entry: AuditEntry) -> str:
    parts = entry.action.split(", ")  # several may be asked at once
    if all(part in _DONE for part in parts):
        return ", ".join(_DONE[part] for part in parts)
    if entry.from_state is entry.to_state:
        return entry.action.capitalize()
    return _BECAME[entry.to_state]


def _who(actor: str, me: UUID | None) -> str:
    role, _, name = actor.partition(" ")
    if me is not None and name == f"person {me}":
        return "you"
    if role == "customer":
        return "a person of your account" if name.startswith("person ") else "a program of yours"
    return "billing" if role == "billing" else "the platform"
