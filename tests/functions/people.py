"""People of the two accounts, by the ID tokens that they show."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from control_plane.domain.accounts import Role, Scope
from control_plane.domain.identity import Identity
from control_plane.use_cases.create_token import digest_of
from tests.builders import ACTOR, CUSTOMER, STRANGER
from tests.use_cases.platform import Platform

ISSUER = "https://id.example"
ID_TOKENS = {CUSTOMER: "id-token-of-anna", STRANGER: "id-token-of-eve"}
MEMBER = "id-token-of-ben"  # of the customer's account, and not its owner
ACCOUNT = {"mine": CUSTOMER, "theirs": STRANGER}


def _person(subject: str, customer: str) -> Identity:
    ends = datetime(2030, 1, 1, tzinfo=UTC)
    email = f"{subject}@example.com"
    return Identity(ISSUER, subject, customer, Role.CUSTOMER, email, subject.title(), ends)


IDENTITIES = {
    ID_TOKENS[CUSTOMER]: _person("anna", "mine"),
    ID_TOKENS[STRANGER]: _person("eve", "theirs"),
    MEMBER: _person("ben", "mine"),
}


def let_people_in(platform: Platform) -> None:
    """Their issuer's customers are the accounts that have tokens, too."""
    platform.tables.links |= {(ISSUER, name): account for name, account in ACCOUNT.items()}


def person_id(platform: Platform, id_token: str) -> UUID:
    """Who shows this ID token."""
    identity = IDENTITIES[id_token]
    return platform.tables.of_people.identities[identity.issuer, identity.subject]


def meet(platform: Platform) -> None:
    """All of them were here before: Anna first, so that she is the owner."""
    for identity in IDENTITIES.values():
        with platform.accounts.enter(identity, Scope.READ):
            pass


def a_session(platform: Platform, id_token: str, name: str = "one") -> UUID:
    """A browser of theirs that has signed in."""
    with platform.accounts.enter(IDENTITIES[id_token], Scope.READ) as transaction:
        transaction.people.open(digest_of(name), "Firefox", instead_of=None, actor=ACTOR)
        return transaction.people.sessions()[0].id


def ids_for(platform: Platform, names: list[str]) -> dict[str, UUID]:
    """Those of people's things in a path: of the customer's account, and not its owner's own."""
    found = {}
    if "person_id" in names:
        found["person_id"] = person_id(platform, MEMBER)
    if "session_id" in names:
        found["session_id"] = a_session(platform, MEMBER)
    return found
