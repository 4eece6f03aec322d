"""The way into the fake database: the `Accounts` and `Tokens` ports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from control_plane.domain import retention
from control_plane.domain.accounts import ALL_SCOPES, ApiToken, Caller, NewToken, Role, Scope, TokenShown
from control_plane.domain.errors import (
    ClaimedError,
    ForbiddenError,
    NotNowError,
    RateLimitedError,
    TokenLimitError,
    TokenNotFoundError,
    UnauthenticatedError,
)
from control_plane.domain.limits import MOST_TOKENS
from control_plane.domain.people import OnceShown, SessionShown
from control_plane.domain.store import Actor, Store
from control_plane.ports.customers import Shown
from tests.builders import LIMITS
from tests.fakes.people import FakePeople, admitted, live_session
from tests.fakes.stores import FakeStores
from tests.fakes.tables import AccountRow, Tables, TokenRow, transaction


@dataclass(frozen=True)
class FakeTransaction:
    """The `Transaction` port. What fails in it fails before anything was written."""

    caller: Caller
    plan: str
    stores: FakeStores
    credentials: FakeStoreCredentials
    tokens: FakeTokens
    people: FakePeople


@dataclass(frozen=True)
class FakeAccounts:
    """The `Accounts` port."""

    tables: Tables

    @contextmanager
    def enter(self, shown: Shown, needs: Scope) -> Iterator[FakeTransaction]:
        """See the port."""
        with self.tables.lock:
            caller = self._caller(shown)
            plan = self._count(caller.account)
            caller = self._admitted(shown, caller)
            if not caller.may(needs):
                raise ForbiddenError(f"this takes the scope {needs}")
            stores = FakeStores(self.tables, caller.reach)
            credentials = FakeStoreCredentials(self.tables, stores)
            session = live_session(self.tables, shown.digest) if isinstance(shown, SessionShown) else None
            yield FakeTransaction(
                caller,
                plan,
                stores,
                credentials,
                FakeTokens(self.tables, caller.account),
                FakePeople(self.tables, caller, session.kept.id if session else None),
            )

    def _caller(self, shown: Shown) -> Caller:
        if isinstance(shown, TokenShown):
            for row in self.tables.tokens.values():
                if row.digest == shown.digest and _lives(row, self.tables):
                    row.kept = replace(row.kept, last_used_at=self.tables.now)
                    return Caller(row.account, f"token {row.kept.id}", row.role, row.kept.scopes)
            raise UnauthenticatedError("nobody has this token")
        if isinstance(shown, SessionShown):
            session = live_session(self.tables, shown.digest)
            if session is None:
                raise UnauthenticatedError("nobody has this session")
            return Caller(session.account, f"person {session.kept.person_id}", session.kept.role)
        if isinstance(shown, OnceShown):
            sign_in = self.tables.of_people.sign_ins.get(shown.digest)
            if sign_in is None or sign_in.used or sign_in.expires_at <= self.tables.now:
                raise UnauthenticatedError("nobody's, or not any more")
            who = ("urumi:local", str(sign_in.account))
            return Caller(sign_in.account, f"person {self._person(who)}")
        name, customer = (
            f"person {self._person((shown.issuer, shown.subject))}",
            (shown.issuer, shown.customer),
        )
        if customer not in self.tables.links:
            self.tables.links[customer] = made = uuid4()
            self.tables.accounts[made] = AccountRow()
            self.tables.account_audit.append((made, name, "first request", "account made", "identity"))
        return Caller(self.tables.links[customer], name, shown.role, ALL_SCOPES)

    def _person(self, who: tuple[str, str]) -> UUID:
        return self.tables.of_people.identities.get(who) or uuid4()

    def _admitted(self, shown: Shown, caller: Caller) -> Caller:
        if isinstance(shown, TokenShown | SessionShown) or caller.person is None:
            return caller
        if isinstance(shown, OnceShown):
            self.tables.of_people.sign_ins[shown.digest].used = True
            who, email, name = ("urumi:local", str(caller.account)), None, None
        else:
            who, email, name = (shown.issuer, shown.subject), shown.email, shown.name
        if not admitted(self.tables, caller.person, caller.account, who, (email, name)):
            raise UnauthenticatedError("no member any more")
        return caller

    def _count(self, account: UUID) -> str:
        row, now = self.tables.accounts[account], self.tables.now
        limits = LIMITS[row.plan]
        waited = (now - row.requests_at).total_seconds() if row.requests_at else 0.0
        left = min(limits.burst, row.requests_left + waited * limits.rate)
        if left < 1:
            raise RateLimitedError("too often", seconds=(1 - left) / limits.rate)
        row.requests_left, row.requests_at = left - 1, now
        return row.plan


@dataclass(frozen=True)
class FakeStoreCredentials:
    """The `StoreCredentials` port."""

    tables: Tables
    stores: FakeStores

    @transaction
    def claim(self, store_id: UUID, actor: Actor) -> str:
        """See the port."""
        store = self.stores.get(store_id)
        row = self.tables.rows[store.id]
        found = self.tables.unclaimed.get((store.id, store.admin_number))
        if found and found[1] > store.observed_generation:
            raise NotNowError(store.state)
        if found and self.tables.now - found[2] < retention.UNCLAIMED:
            del self.tables.unclaimed[store.id, store.admin_number]
            self.tables.tell(row, actor, "password claimed", row.state)
            return found[0]
        if row.admin_made >= row.admin_number:
            raise ClaimedError("gone")
        raise NotNowError(store.state)

    @transaction
    def note_login(self, store_id: UUID, actor: Actor) -> Store:
        """See the port."""
        store = self.stores.get(store_id)
        row = self.tables.rows[store.id]
        self.tables.tell(row, actor, "login link made", row.state)
        return store


@dataclass(frozen=True)
class FakeTokens:
    """The `Tokens` port."""

    tables: Tables
    account: UUID

    @transaction
    def add(self, token: NewToken, actor: Actor) -> ApiToken:
        """See the port."""
        if len(self.all()) >= MOST_TOKENS:
            raise TokenLimitError("too many")
        kept = ApiToken(
            token.id, token.name, token.prefix, token.scopes, self.tables.now, token.expires_at, None
        )
        self.tables.tokens[token.id] = TokenRow(self.account, token.digest, Role.CUSTOMER, kept)
        self._tell(token.id, actor, "token made")
        return kept

    @transaction
    def all(self) -> Sequence[ApiToken]:
        """See the port."""
        mine = [
            row.kept
            for row in self.tables.tokens.values()
            if row.account == self.account and _lives(row, self.tables)
        ]
        return sorted(mine, key=lambda each: (each.created_at, each.id), reverse=True)

    @transaction
    def revoke(self, token_id: UUID, actor: Actor) -> None:
        """See the port."""
        row = self.tables.tokens.get(token_id)
        if row is None or row.account != self.account:
            raise TokenNotFoundError("no such token")
        if not row.revoked:
            row.revoked = True
            self._tell(token_id, actor, "token revoked")

    def _tell(self, token_id: UUID, actor: Actor, action: str) -> None:
        self.tables.account_audit.append((self.account, actor.name, actor.cause, action, str(token_id)))


def _lives(row: TokenRow, tables: Tables) -> bool:
    return not row.revoked and (row.kept.expires_at is None or row.kept.expires_at > tables.now)


def a_fake_token(
    tables: Tables,
    account: UUID,
    digest: str,
    *,
    plan: str = "partner",
    role: Role = Role.CUSTOMER,
    scopes: frozenset[Scope] = ALL_SCOPES,
) -> None:
    """Give an account, which is made where it is not there, a token."""
    tables.accounts.setdefault(account, AccountRow(plan))
    kept = ApiToken(uuid4(), "a test's", "urumi_", scopes, tables.now, None, None)
    tables.tokens[kept.id] = TokenRow(account, digest, role, kept)
