"""The contract of the ports `Accounts` and `Tokens`, and of what `Stores` asks by generation and number."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, Event
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from control_plane.domain.accounts import ALL_SCOPES, NewToken, Role, Scope, TokenShown
from control_plane.domain.errors import (
    ForbiddenError,
    NameTakenError,
    NotNowError,
    RateLimitedError,
    StaleError,
    StoreLimitError,
    StoreNotFoundError,
    TokenLimitError,
    TokenNotFoundError,
    UnauthenticatedError,
)
from control_plane.domain.identity import Identity
from control_plane.domain.life import Rename, Retry
from control_plane.domain.limits import MOST_TOKENS, Limits
from control_plane.domain.people import OnceShown
from control_plane.domain.store import Actor, StoreState
from control_plane.ports.customers import IdempotencyKey, Page
from control_plane.use_cases.create_token import digest_of
from tests.builders import ACTOR, CUSTOMER, LIMITS, STRANGER, Gone, a_new_store

_S = StoreState
KEY = IdempotencyKey("key-1", "digest-of-a-body")
DAY = 24 * 3600.0
# So slow that a test's own time fills nothing.
TINY = Limits(live_stores=5, rate=0.01, burst=3)
LATEST = Page(limit=100)
UUIDS = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture(autouse=True)
def tiny_plan(monkeypatch):
    """There before the backend is made, which `tests/adapters/conftest.py` does after autouse fixtures."""
    monkeypatch.setitem(LIMITS, "tiny", TINY)


def shown(name):
    return TokenShown(digest_of(name))


def let_in(backend, customer=CUSTOMER, name="mine", **more):
    """Give a customer a token, and return what they show."""
    backend.let_in(customer, shown(name).digest, **more)
    return shown(name)


def an_identity(customer="org-7", issuer="https://one.example", **changes):
    identity = Identity(
        issuer=issuer,
        subject="anna",
        customer=customer,
        role=Role.CUSTOMER,
        email="anna@example.com",
        name="Anna",
        expires_at=datetime(2030, 1, 1, tzinfo=UTC),
    )
    return replace(identity, **changes)


def a_new_token(name="mine", **changes):
    new = NewToken(uuid4(), f"name of {name}", "urumi_abcdef", shown(name).digest, ALL_SCOPES, None)
    return replace(new, **changes)


def keep(backend, by, name="another", **changes):
    """Make a token through the port."""
    with backend.accounts.enter(by, Scope.TOKENS) as transaction:
        return transaction.tokens.add(a_new_token(name, **changes), transaction.caller.acting("request 1"))


def tokens_of(backend, by):
    with backend.accounts.enter(by, Scope.READ) as transaction:
        return list(transaction.tokens.all())


def ask(backend, by, needs=Scope.READ):
    accounts = backend.console if isinstance(by, OnceShown) else backend.accounts
    with accounts.enter(by, needs) as transaction:
        return transaction.caller


def stores_of(backend, by):
    with backend.accounts.enter(by, Scope.READ) as transaction:
        return {store.id for store in transaction.stores.page(LATEST)}


def made(backend, customer=CUSTOMER, **changes):
    return backend.stores.add(a_new_store(customer_id=customer, **changes), None, ACTOR).store


def at_once(count, work):
    """What each of `count` threads gets, that begin together; errors are results."""
    start = Barrier(count)

    def one(number):
        start.wait()
        try:
            return work(number)
        except Exception as error:  # noqa: BLE001 - for the test to judge
            return error

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


def kinds(results):
    """How many of what: names of errors, and `done`."""
    names = [type(each).__name__ if isinstance(each, Exception) else "done" for each in results]
    return {name: names.count(name) for name in names}


class TestTokens:
    def test_a_token_says_whose_it_is(self, backend):
        caller = ask(backend, let_in(backend))
        assert (caller.account, caller.role, caller.scopes) == (CUSTOMER, Role.CUSTOMER, ALL_SCOPES)
        assert re.fullmatch(f"token {UUIDS}", caller.name)
        with backend.accounts.enter(let_in(backend, STRANGER, "theirs", plan="tiny"), Scope.READ) as other:
            assert (other.caller.account, other.plan) == (STRANGER, "tiny")

    def test_a_token_that_nobody_has_is_nobody(self, backend):
        let_in(backend)
        with pytest.raises(UnauthenticatedError):
            ask(backend, shown("another"))

    def test_a_token_is_found_by_its_whole_digest_only(self, backend):
        mine = let_in(backend)
        kept = keep(backend, mine)
        digest = shown("another").digest
        others = [
            digest[:-2] + ("00" if digest[-2:] != "00" else "01"),
            digest[2:] + digest[:2],
            digest[:-2],
            digest + "00",
            digest_of(digest),
            digest_of(kept.prefix),
            digest_of(kept.name),
            digest_of(str(kept.id)),
            kept.id.hex,
            kept.id.hex * 2,
            "00" * 32,
            "",
        ]
        for each in others:
            with pytest.raises(UnauthenticatedError):
                ask(backend, TokenShown(each))
        assert ask(backend, TokenShown(digest)).account == CUSTOMER

    def test_a_kept_token_is_told_without_its_digest(self, backend):
        mine = let_in(backend)
        expires = datetime(2040, 1, 1, tzinfo=UTC)
        new = a_new_token("x", scopes=frozenset({Scope.READ, Scope.RETRY}), expires_at=expires)
        with backend.accounts.enter(mine, Scope.TOKENS) as transaction:
            kept = transaction.tokens.add(new, ACTOR)
        assert (kept.id, kept.name, kept.prefix, kept.scopes) == (new.id, new.name, new.prefix, new.scopes)
        assert (kept.expires_at, kept.last_used_at) == (expires, None)
        assert kept.created_at.tzinfo is not None
        assert shown("x").digest not in repr(kept)
        assert kept in tokens_of(backend, mine)

    def test_an_expired_token_is_nobody(self, backend):
        mine = let_in(backend)
        now = keep(backend, mine, "first").created_at
        keep(backend, mine, "short", expires_at=now + timedelta(seconds=60))
        assert ask(backend, shown("short")).account == CUSTOMER
        backend.later(30)
        assert ask(backend, shown("short")).account == CUSTOMER
        backend.later(31)
        with pytest.raises(UnauthenticatedError):
            ask(backend, shown("short"))
        assert "name of short" not in {each.name for each in tokens_of(backend, mine)}

    def test_a_revoked_token_is_nobody_from_then_on(self, backend):
        mine = let_in(backend)
        kept = keep(backend, mine)
        assert ask(backend, shown("another")).account == CUSTOMER
        with backend.accounts.enter(mine, Scope.TOKENS) as transaction:
            transaction.tokens.revoke(kept.id, ACTOR)
        with pytest.raises(UnauthenticatedError):
            ask(backend, shown("another"))
        assert kept.id not in {each.id for each in tokens_of(backend, mine)}
        with backend.accounts.enter(mine, Scope.TOKENS) as transaction:
            transaction.tokens.revoke(kept.id, ACTOR)  # it stays so

    def test_a_token_may_revoke_itself(self, backend):
        mine = let_in(backend)
        itself = UUID(ask(backend, mine).name.removeprefix("token "))
        with backend.accounts.enter(mine, Scope.TOKENS) as transaction:
            transaction.tokens.revoke(itself, ACTOR)
        with pytest.raises(UnauthenticatedError):
            ask(backend, mine)

    def test_who_waits_while_their_token_is_revoked_is_nobody(self, backend):
        mine = let_in(backend)
        kept = keep(backend, mine)
        inside, outcome = Event(), []

        def late():
            inside.wait()
            return ask(backend, shown("another"))

        with ThreadPoolExecutor(1) as thread:
            with backend.accounts.enter(mine, Scope.TOKENS) as transaction:
                waiting = thread.submit(late)
                inside.set()
                Event().wait(0.3)  # the other is at the account's row by now
                transaction.tokens.revoke(kept.id, ACTOR)
            outcome.append(waiting.exception(timeout=10))
        assert [type(each) for each in outcome] == [UnauthenticatedError]

    def test_a_strangers_token_does_not_exist(self, backend):
        mine, theirs = let_in(backend), let_in(backend, STRANGER, "theirs")
        kept = keep(backend, theirs, "of a stranger")
        assert kept.id not in {each.id for each in tokens_of(backend, mine)}
        for token_id in (kept.id, uuid4()):
            with (
                pytest.raises(TokenNotFoundError),
                backend.accounts.enter(mine, Scope.TOKENS) as transaction,
            ):
                transaction.tokens.revoke(token_id, ACTOR)
        assert ask(backend, shown("of a stranger")).account == STRANGER

    def test_they_are_told_newest_first(self, backend):
        mine = let_in(backend)
        made = [keep(backend, mine, str(number)).id for number in range(4)]
        assert [each.id for each in tokens_of(backend, mine)][:4] == made[::-1]

    def test_the_time_of_its_use_is_that_tokens_own(self, backend):
        mine = let_in(backend)
        used, unused = keep(backend, mine, "used"), keep(backend, mine, "unused")
        backend.later(600)
        ask(backend, shown("used"))
        backend.later(120)
        times = {each.id: each.last_used_at for each in tokens_of(backend, mine)}
        assert times[unused.id] is None
        first = times[used.id]
        assert first
        ask(backend, shown("used"))
        times = {each.id: each.last_used_at for each in tokens_of(backend, mine)}
        assert timedelta(seconds=119) < times[used.id] - first < timedelta(seconds=130)

    def test_the_time_of_use_is_told_of_failed_requests_too(self, backend):
        mine = let_in(backend)
        kept = keep(backend, mine, "reader", scopes=frozenset({Scope.READ}))
        with pytest.raises(ForbiddenError):
            ask(backend, shown("reader"), Scope.WRITE)
        (found,) = [each for each in tokens_of(backend, mine) if each.id == kept.id]
        assert found.last_used_at

    def test_an_account_has_so_many_and_no_more(self, backend):
        mine = let_in(backend)
        kept = [keep(backend, mine, str(number)) for number in range(MOST_TOKENS - 1)]
        with pytest.raises(TokenLimitError):
            keep(backend, mine, "too many")
        keep(backend, let_in(backend, STRANGER, "theirs"), "of a stranger")
        with pytest.raises(UnauthenticatedError):
            ask(backend, shown("too many"))
        with backend.accounts.enter(mine, Scope.TOKENS) as transaction:
            transaction.tokens.revoke(kept[0].id, ACTOR)
        short = keep(backend, mine, "in its place", expires_at=kept[-1].created_at + timedelta(seconds=99))
        with pytest.raises(TokenLimitError):
            keep(backend, mine, "too many")
        backend.later(100)
        assert keep(backend, mine, "in its place again").id != short.id

    def test_the_limit_holds_for_twenty_at_once(self, backend):
        mine = let_in(backend)
        for number in range(MOST_TOKENS - 4):
            keep(backend, mine, str(number))
        results = at_once(20, lambda number: keep(backend, mine, f"late {number}"))
        assert kinds(results) == {"done": 3, "TokenLimitError": 17}
        assert len(tokens_of(backend, mine)) == MOST_TOKENS

    def test_the_last_place_is_not_taken_by_two(self, backend):
        mine = let_in(backend)
        for number in range(MOST_TOKENS - 2):
            keep(backend, mine, str(number))
        with ThreadPoolExecutor(1) as thread:
            with backend.accounts.enter(mine, Scope.TOKENS) as transaction:
                transaction.tokens.add(a_new_token("last"), ACTOR)
                other = thread.submit(keep, backend, mine, "too late")
                Event().wait(0.3)
                assert not other.done()
            assert isinstance(other.exception(timeout=10), TokenLimitError)
        assert len(tokens_of(backend, mine)) == MOST_TOKENS


class TestScopesAndRoles:
    def test_a_token_may_what_it_was_given(self, backend):
        for scope in Scope:
            by = let_in(backend, name=scope, scopes=frozenset({scope}))
            assert ask(backend, by, scope).scopes == {scope}
            for other in ALL_SCOPES - {scope}:
                with pytest.raises(ForbiddenError):
                    ask(backend, by, other)

    def test_a_token_without_scopes_may_nothing(self, backend):
        by = let_in(backend, scopes=frozenset())
        for scope in Scope:
            with pytest.raises(ForbiddenError):
                ask(backend, by, scope)

    @pytest.mark.parametrize(
        ("role", "may"),
        [
            (Role.CUSTOMER, ALL_SCOPES),
            (Role.SUPPORT, {Scope.READ, Scope.RETRY}),
            (Role.OPERATOR, ALL_SCOPES),
        ],
    )
    @pytest.mark.parametrize("way", ["token", "identity"])
    def test_each_role_may_at_most(self, backend, role, may, way):
        by = let_in(backend, role=role) if way == "token" else an_identity(role=role)
        for scope in Scope:
            if scope in may:
                assert ask(backend, by, scope).role is role
            else:
                with pytest.raises(ForbiddenError):
                    ask(backend, by, scope)

    def test_customers_reach_their_own(self, backend):
        mine, theirs = made(backend), made(backend, STRANGER)
        by = let_in(backend)
        assert stores_of(backend, by) == {mine.id}
        with backend.accounts.enter(by, Scope.READ) as transaction:
            for asked in (
                lambda stores: stores.get(theirs.id),
                lambda stores: stores.history(theirs.id),
                lambda stores: stores.change(theirs.id, Rename("mine"), generation=None, actor=ACTOR),
                lambda stores: stores.change(theirs.id, Retry(), generation=None, actor=ACTOR),
                lambda stores: stores.change(theirs.id, Gone(), generation=None, actor=ACTOR),
            ):
                with pytest.raises(StoreNotFoundError):
                    asked(transaction.stores)
        assert backend.value(theirs.id, "generation") == 1

    def test_support_reads_all_and_retries(self, backend):
        mine, theirs = made(backend), made(backend, STRANGER)
        backend.put(theirs.id, state=_S.FAILED, reason="because")
        by = let_in(backend, uuid4(), "support", role=Role.SUPPORT)
        assert stores_of(backend, by) == {mine.id, theirs.id}
        with backend.accounts.enter(by, Scope.RETRY) as transaction:
            assert transaction.stores.get(mine.id).id == mine.id
            assert transaction.stores.history(theirs.id)
            retried = transaction.stores.change(
                theirs.id, Retry(), generation=1, actor=transaction.caller.acting("request 9")
            )
        assert (retried.store.state, retried.store.customer_id) == (_S.QUEUED, STRANGER)
        entry = backend.stores.history(STRANGER, theirs.id)[-1]
        assert re.fullmatch(f"support token {UUIDS}", entry.actor)
        assert (entry.cause, entry.action) == ("request 9", "retry asked")

    def test_an_operator_does_with_all_what_owners_may(self, backend):
        theirs, by = made(backend, STRANGER), let_in(backend, uuid4(), "operator", role=Role.OPERATOR)
        with backend.accounts.enter(by, Scope.WRITE) as transaction:
            renamed = transaction.stores.change(theirs.id, Rename("Anew"), generation=1, actor=ACTOR)
            assert (renamed.store.title, renamed.store.customer_id) == ("Anew", STRANGER)
        with backend.accounts.enter(by, Scope.WRITE) as transaction:
            going = transaction.stores.change(theirs.id, Gone(), generation=2, actor=ACTOR)
        assert going.store.state is _S.DELETING
        assert backend.said(theirs.id) == [(1, False), (2, False), (3, False)]

    def test_an_operators_own_tokens_are_a_customers(self, backend):
        theirs, by = made(backend, STRANGER), let_in(backend, uuid4(), "operator", role=Role.OPERATOR)
        keep(backend, by)
        assert ask(backend, shown("another")).role is Role.CUSTOMER
        assert stores_of(backend, by) == {theirs.id}
        assert stores_of(backend, shown("another")) == set()


class TestIdentities:
    def test_the_first_request_makes_an_account(self, backend):
        first, again = ask(backend, an_identity()), ask(backend, an_identity())
        assert first == again
        assert (first.role, first.scopes) == (Role.CUSTOMER, ALL_SCOPES)
        assert backend.accounts_of("org-7") == [first.account]
        with backend.accounts.enter(an_identity(), Scope.READ) as transaction:
            assert transaction.plan == "standard"

    def test_it_is_made_even_if_that_request_is_refused(self, backend):
        with pytest.raises(ForbiddenError):
            ask(backend, an_identity(role=Role.SUPPORT), Scope.WRITE)
        (made,) = backend.accounts_of("org-7")
        assert ask(backend, an_identity()).account == made

    def test_twenty_at_once_make_one(self, backend):
        results = at_once(20, lambda number: ask(backend, an_identity(subject=f"person {number}")))
        assert kinds(results) == {"done": 20}
        (account,) = {each.account for each in results}
        assert backend.accounts_of("org-7") == [account]
        told = [action for _, _, action, _ in backend.told_of(account)]
        assert told == ["account made", *["member added"] * 20]

    def test_who_comes_while_the_first_request_is_under_way_waits_for_it(self, backend):
        with ThreadPoolExecutor(5) as threads:
            with backend.accounts.enter(an_identity(), Scope.READ) as transaction:
                others = [threads.submit(ask, backend, an_identity()) for _ in range(5)]
                Event().wait(0.5)  # they are all on their way by now, and none of them is through
                assert not any(each.done() for each in others)
                account = transaction.caller.account
            assert {each.result(timeout=10).account for each in others} == {account}
        assert backend.accounts_of("org-7") == [account]

    def test_one_name_at_two_issuers_is_two_accounts(self, backend):
        one, two = an_identity(), an_identity(issuer="https://two.example")
        assert ask(backend, one).account != ask(backend, two).account
        assert len(backend.accounts_of("org-7")) == 2

    def test_names_do_not_run_into_each_other(self, backend):
        callers = [
            ask(backend, an_identity(issuer=issuer, customer=customer))
            for issuer, customer in (("a", "b c"), ("a b", "c"), ("A", "b c"), ("a", "b c "))
        ]
        assert len({each.account for each in callers}) == 4

    def test_a_name_is_taken_as_it_is(self, backend):
        for customer in ("'; DROP TABLE links; --", "%s :name ::jsonb", "Größe 😀", "\\x00"):
            account = ask(backend, an_identity(customer=customer)).account
            assert backend.accounts_of(customer) == [account]

    def test_two_people_of_one_customer_are_told_apart_by_no_name(self, backend):
        anna, ben = ask(backend, an_identity()), ask(backend, an_identity(subject="ben"))
        assert anna.account == ben.account
        assert anna.name != ben.name
        for caller in (anna, ben):
            assert re.fullmatch(f"person {UUIDS}", caller.name)

    def test_an_identity_and_a_token_of_its_account_reach_the_same(self, backend):
        anna = an_identity()
        account = ask(backend, anna).account
        keep(backend, anna, "for a machine")
        assert ask(backend, shown("for a machine")).account == account
        store = made(backend, account)
        stranger = made(backend, STRANGER)
        for by in (anna, shown("for a machine")):
            assert stores_of(backend, by) == {store.id}
            with backend.accounts.enter(by, Scope.READ) as transaction:
                assert transaction.stores.get(store.id).customer_id == account
                with pytest.raises(StoreNotFoundError):
                    transaction.stores.get(stranger.id)

    def test_the_role_is_that_of_each_request(self, backend):
        theirs = made(backend, STRANGER)
        assert stores_of(backend, an_identity(role=Role.SUPPORT)) == {theirs.id}
        assert stores_of(backend, an_identity()) == set()


class TestRequestRate:
    def spend(self, backend, by, count=TINY.burst):
        for _ in range(count):
            ask(backend, by)

    def refused(self, backend, by):
        with pytest.raises(RateLimitedError) as error:
            ask(backend, by)
        return error.value.seconds

    def test_so_many_at_once_and_no_more(self, backend):
        by = let_in(backend, plan="tiny")
        self.spend(backend, by)
        self.refused(backend, by)

    def test_the_wait_is_told_and_is_enough(self, backend):
        by = let_in(backend, plan="tiny")
        self.spend(backend, by)
        assert self.refused(backend, by) == pytest.approx(100, abs=5)
        backend.later(60)
        seconds = self.refused(backend, by)
        assert seconds == pytest.approx(40, abs=5)
        backend.later(seconds - 10)
        assert 0 < self.refused(backend, by) == pytest.approx(10, abs=5)
        backend.later(10)
        ask(backend, by)
        self.refused(backend, by)

    def test_it_fills_with_time_and_not_beyond(self, backend):
        by = let_in(backend, plan="tiny")
        self.spend(backend, by)
        backend.later(205)
        self.spend(backend, by, 2)
        self.refused(backend, by)
        backend.later(100_000)
        self.spend(backend, by)
        self.refused(backend, by)

    def test_what_is_refused_delays_nothing(self, backend):
        by = let_in(backend, plan="tiny")
        self.spend(backend, by)
        for _ in range(10):
            backend.later(9)
            self.refused(backend, by)
        backend.later(15)
        ask(backend, by)

    def test_what_fails_is_counted(self, backend):
        made(backend, name="pottery")
        customer = uuid4()
        by = let_in(backend, customer, plan="tiny")
        with pytest.raises(StoreNotFoundError), backend.accounts.enter(by, Scope.READ) as transaction:
            transaction.stores.get(uuid4())
        with pytest.raises(LookupError), backend.accounts.enter(by, Scope.READ) as transaction:
            transaction.stores.add(a_new_store(customer_id=customer, cell="nowhere"), None, ACTOR, most=9)
        with pytest.raises(KeyboardInterrupt), backend.accounts.enter(by, Scope.READ):
            raise KeyboardInterrupt
        self.refused(backend, by)

    def test_what_the_database_refuses_is_counted(self, backend):
        customer = uuid4()
        by = let_in(backend, customer, plan="tiny")
        order = a_new_store(customer_id=customer, name="pottery")
        with backend.accounts.enter(by, Scope.WRITE) as transaction:
            transaction.stores.add(order, None, ACTOR, most=9)
        for _ in range(2):
            again = a_new_store(customer_id=customer, name="pottery")
            with pytest.raises(NameTakenError), backend.accounts.enter(by, Scope.WRITE) as transaction:
                transaction.stores.add(again, None, ACTOR, most=9)
        self.refused(backend, by)

    def test_what_is_forbidden_is_counted(self, backend):
        by = let_in(backend, plan="tiny", scopes=frozenset({Scope.READ}))
        for _ in range(TINY.burst):
            with pytest.raises(ForbiddenError):
                ask(backend, by, Scope.WRITE)
        self.refused(backend, by)

    def test_two_accounts_share_nothing(self, backend):
        mine, theirs = let_in(backend, plan="tiny"), let_in(backend, STRANGER, "theirs", plan="tiny")
        self.spend(backend, mine)
        self.refused(backend, mine)
        self.spend(backend, theirs)
        self.refused(backend, theirs)

    def test_two_tokens_of_one_account_share_it(self, backend):
        mine, other = let_in(backend, plan="tiny"), let_in(backend, name="other", plan="tiny")
        self.spend(backend, mine, 2)
        self.spend(backend, other, 1)
        self.refused(backend, mine)
        self.refused(backend, other)

    def test_twenty_at_once_are_counted_one_by_one(self, backend):
        by = let_in(backend, plan="tiny")
        assert kinds(at_once(20, lambda _: ask(backend, by))) == {"done": 3, "RateLimitedError": 17}


class TestStoreLimit:
    def add(self, backend, most, key=None, **changes):
        return backend.stores.add(a_new_store(**changes), key, ACTOR, most=most)

    def test_twenty_at_once_make_as_many_as_allowed(self, backend):
        made(backend, STRANGER)
        by = let_in(backend)

        def create(number):
            key = IdempotencyKey(str(number), "x") if number % 2 else None
            with backend.accounts.enter(by, Scope.WRITE) as transaction:
                return transaction.stores.add(a_new_store(), key, ACTOR, most=5)

        assert kinds(at_once(20, create)) == {"done": 5, "StoreLimitError": 15}
        assert len(stores_of(backend, by)) == 5

    def test_the_last_place_is_not_taken_by_two(self, backend):
        by = let_in(backend)
        with ThreadPoolExecutor(1) as thread:
            with backend.accounts.enter(by, Scope.WRITE) as transaction:
                first = transaction.stores.add(a_new_store(), None, ACTOR, most=1).store
                other = thread.submit(self.add, backend, 1)
                Event().wait(0.3)
                assert not other.done()
            assert isinstance(other.exception(timeout=10), StoreLimitError)
        assert stores_of(backend, by) == {first.id}

    def test_what_is_deleted_does_not_count_and_what_is_going_does(self, backend):
        first = self.add(backend, 1).store
        with pytest.raises(StoreLimitError):
            self.add(backend, 1)
        backend.stores.remove(CUSTOMER, first.id, ACTOR)
        with pytest.raises(StoreLimitError):
            self.add(backend, 1)
        backend.put(first.id, state=_S.DELETED)
        assert self.add(backend, 1).announcement

    def test_another_accounts_stores_do_not_count(self, backend):
        made(backend, STRANGER)
        assert self.add(backend, 1).announcement

    def test_an_operator_is_limited_by_their_own_stores(self, backend):
        made(backend, STRANGER)
        account = uuid4()
        by = let_in(backend, account, "operator", role=Role.OPERATOR)
        with backend.accounts.enter(by, Scope.WRITE) as transaction:
            transaction.stores.add(a_new_store(customer_id=account), None, ACTOR, most=1)
        with pytest.raises(StoreLimitError), backend.accounts.enter(by, Scope.WRITE) as transaction:
            transaction.stores.add(a_new_store(customer_id=account), None, ACTOR, most=1)

    def test_a_replay_at_the_limit_gives_the_store(self, backend):
        first = self.add(backend, 1, KEY)
        again = self.add(backend, 1, KEY)
        assert (again.store, again.announcement) == (first.store, None)

    def test_a_key_that_is_over_its_time_gives_nothing_at_the_limit(self, backend):
        self.add(backend, 1, KEY)
        backend.later(DAY + 60)
        for key in (KEY, IdempotencyKey(KEY.key, "another body")):
            with pytest.raises(StoreLimitError):
                self.add(backend, 1, key)

    def test_a_refusal_uses_up_no_key(self, backend):
        first = self.add(backend, 1).store
        with pytest.raises(StoreLimitError):
            self.add(backend, 1, KEY)
        backend.put(first.id, state=_S.DELETED)
        second = self.add(backend, 1, IdempotencyKey(KEY.key, "another body"))
        assert second.announcement
        assert second.store.id != first.id

    def test_a_refused_order_leaves_nothing_behind(self, backend):
        self.add(backend, 1)
        refused = a_new_store()
        with pytest.raises(StoreLimitError):
            backend.stores.add(refused, KEY, ACTOR, most=1)
        assert backend.said(refused.id) == []
        with pytest.raises(StoreNotFoundError):
            backend.stores.history(CUSTOMER, refused.id)


def renamed(backend, store_id, title="Anew", generation=None, actor=ACTOR):
    with backend.stores.of(CUSTOMER) as stores:
        return stores.change(store_id, Rename(title), generation=generation, actor=actor)


def retried(backend, store_id, generation=None, actor=ACTOR):
    with backend.stores.of(CUSTOMER) as stores:
        return stores.change(store_id, Retry(), generation=generation, actor=actor)


def deleted(backend, store_id, generation=None):
    return backend.stores.remove(CUSTOMER, store_id, ACTOR, generation)


def a_failed(backend):
    store = made(backend)
    backend.put(store.id, state=_S.FAILED, reason="because", failures=7)
    return store


GOING = (_S.DELETING, _S.DELETED)


class TestRename:
    def test_another_title_is_a_new_intent(self, backend):
        store = made(backend)
        accepted = renamed(backend, store.id, "Größe :x 😀'", actor=Actor("customer c", "request r"))
        assert (accepted.store.title, accepted.store.generation) == ("Größe :x 😀'", 2)
        assert (accepted.store.name, accepted.store.hostname) == (store.name, store.hostname)
        assert accepted.announcement.intent.generation == 2
        assert backend.said(store.id) == [(1, False), (2, False)]
        assert backend.stores.get(CUSTOMER, store.id) == accepted.store
        entry = backend.stores.history(CUSTOMER, store.id)[-1]
        assert (entry.actor, entry.cause, entry.action) == ("customer c", "request r", "rename asked")
        assert (entry.from_state, entry.to_state, entry.generation) == (_S.QUEUED, _S.QUEUED, 2)
        assert "Größe" not in repr(entry)

    def test_it_leaves_the_state_and_forgets_the_failures(self, backend):
        store = made(backend)
        for state in set(_S) - {*GOING, _S.FAILED}:
            backend.put(store.id, state=state, failures=3)
            after = renamed(backend, store.id, f"Anew, {state}").store
            assert (after.state, after.failures, after.title) == (state, 0, f"Anew, {state}")

    def test_the_same_title_changes_nothing(self, backend):
        store = made(backend)
        accepted = renamed(backend, store.id, store.title)
        assert (accepted.store, accepted.announcement) == (store, None)
        assert len(backend.stores.history(CUSTOMER, store.id)) == 1

    def test_what_goes_is_not_renamed(self, backend):
        store = made(backend)
        for state in GOING:
            backend.put(store.id, state=state, reason="because")
            with pytest.raises(NotNowError):
                renamed(backend, store.id)
        assert backend.stores.get(CUSTOMER, store.id).title == store.title
        assert backend.said(store.id) == [(1, False)]

    def test_what_was_given_up_is_tried_again(self, backend):
        store = a_failed(backend)
        after = renamed(backend, store.id).store
        assert (after.state, after.reason, after.failures, after.title) == (_S.QUEUED, None, 0, "Anew")

    def test_ten_who_read_the_same_make_one_change(self, backend):
        store = made(backend)
        results = at_once(10, lambda number: renamed(backend, store.id, f"Title {number}", generation=1))
        assert kinds(results) == {"done": 1, "StaleError": 9}
        assert backend.value(store.id, "generation") == 2


class TestRetry:
    def test_a_failed_store_is_queued_again(self, backend):
        store = a_failed(backend)
        accepted = retried(backend, store.id, actor=Actor("customer c", "request r"))
        assert (accepted.store.state, accepted.store.generation) == (_S.QUEUED, 2)
        assert (accepted.store.reason, accepted.store.failures) == (None, 0)
        assert accepted.announcement.intent.generation == 2
        assert backend.said(store.id) == [(1, False), (2, False)]
        entry = backend.stores.history(CUSTOMER, store.id)[-1]
        assert (entry.actor, entry.cause, entry.action) == ("customer c", "request r", "retry asked")
        assert (entry.from_state, entry.to_state) == (_S.FAILED, _S.QUEUED)

    def test_no_other_is(self, backend):
        store = made(backend)
        for state in set(_S) - {_S.FAILED}:
            backend.put(store.id, state=state)
            with pytest.raises(NotNowError):
                retried(backend, store.id)
        assert backend.value(store.id, "generation") == 1

    def test_ten_at_once_make_one_intent(self, backend):
        store = a_failed(backend)
        assert kinds(at_once(10, lambda _: retried(backend, store.id))) == {"done": 1, "NotNowError": 9}
        assert backend.said(store.id) == [(1, False), (2, False)]


class TestGeneration:
    """Of a caller who decided by what they had read."""

    VERBS = pytest.mark.parametrize("verb", [renamed, retried, deleted])

    @VERBS
    def test_the_one_that_the_store_has_is_taken(self, backend, verb):
        store = a_failed(backend)
        backend.put(store.id, generation=4, state=_S.FAILED if verb is retried else _S.READY)
        assert verb(backend, store.id, generation=4).store.generation == 5

    @VERBS
    def test_any_other_is_stale(self, backend, verb):
        store = a_failed(backend)
        backend.put(store.id, generation=4)
        before = backend.stores.get(CUSTOMER, store.id)
        for generation in (-1, 0, 3, 5, 2**40):
            with pytest.raises(StaleError):
                verb(backend, store.id, generation=generation)
        assert backend.stores.get(CUSTOMER, store.id) == before
        assert backend.said(store.id) == [(1, False)]
        assert len(backend.stores.history(CUSTOMER, store.id)) == 1

    def test_it_is_looked_at_before_the_state(self, backend):
        store = made(backend)
        deleted(backend, store.id)
        for verb in (renamed, retried, deleted):
            with pytest.raises(StaleError):
                verb(backend, store.id, generation=1)
        assert deleted(backend, store.id, generation=2).announcement is None

    def test_a_strangers_store_has_none(self, backend):
        theirs = made(backend, STRANGER)
        for verb in (renamed, retried, deleted):
            with pytest.raises(StoreNotFoundError):
                verb(backend, theirs.id, generation=9)


class TestAccountAudit:
    def test_it_tells_of_tokens_and_accounts_in_ids_only(self, backend):
        anna = an_identity()
        account = ask(backend, anna).account
        kept = keep(backend, anna, "Anna's laptop")
        with backend.accounts.enter(anna, Scope.TOKENS) as transaction:
            transaction.tokens.revoke(kept.id, transaction.caller.acting("request 2"))
            transaction.tokens.revoke(kept.id, transaction.caller.acting("request 3"))  # tells nothing
        name = ask(backend, anna).name
        told = backend.told_of(account)
        assert told == [
            (name, "first request", "account made", "identity"),
            (name, "first request", "member added", name.removeprefix("person ")),
            (f"customer {name}", "request 1", "token made", str(kept.id)),
            (f"customer {name}", "request 2", "token revoked", str(kept.id)),
        ]
        secrets = (
            "anna",
            "Anna",
            "laptop",
            "@",
            "org-7",
            "one.example",
            kept.prefix,
            shown("Anna's laptop").digest,
        )
        assert [each for each in secrets if each in repr(told)] == []

    def test_a_token_in_it_is_told_by_id(self, backend):
        mine = let_in(backend)
        kept = keep(backend, mine)
        ((actor, cause, action, subject),) = backend.told_of(CUSTOMER)
        assert re.fullmatch(f"customer token {UUIDS}", actor)
        assert (cause, action, subject) == ("request 1", "token made", str(kept.id))

    def test_what_was_refused_is_not_told(self, backend):
        mine = let_in(backend)
        for number in range(MOST_TOKENS - 1):
            keep(backend, mine, str(number))
        with pytest.raises(TokenLimitError):
            keep(backend, mine, "too many")
        with pytest.raises(TokenNotFoundError), backend.accounts.enter(mine, Scope.TOKENS) as transaction:
            transaction.tokens.revoke(uuid4(), ACTOR)
        assert len(backend.told_of(CUSTOMER)) == MOST_TOKENS - 1

    def test_it_can_only_grow(self, real):
        keep(real, let_in(real))
        real.back_door.run("SET session_replication_role = origin")
        for attack in (
            "UPDATE account_audit SET actor = 'x'",
            "DELETE FROM account_audit",
            "TRUNCATE account_audit",
        ):
            with pytest.raises(Exception, match="append-only"):
                real.back_door.run(attack)
        rows = real.database.rows(text("SELECT written_by FROM account_audit"), {})
        assert [row["written_by"].startswith("urumi_create_store") for row in rows] == [True]


class TestOneTransaction:
    """What only a database can promise."""

    def test_an_error_undoes_all_that_was_done(self, real):
        by, order = let_in(real), a_new_store()
        kept = keep(real, by)
        with suppress(ZeroDivisionError), real.accounts.enter(by, Scope.WRITE) as transaction:
            transaction.stores.add(order, KEY, ACTOR, most=9)
            transaction.tokens.revoke(kept.id, ACTOR)
            raise ZeroDivisionError
        assert stores_of(real, by) == set()
        assert real.said(order.id) == []
        assert ask(real, shown("another")).account == CUSTOMER
        assert len(real.told_of(CUSTOMER)) == 1
        assert real.stores.add(a_new_store(), KEY, ACTOR).announcement  # the key is free

    def test_nobody_sees_it_before_its_end(self, real):
        by = let_in(real)
        with real.accounts.enter(by, Scope.WRITE) as transaction:
            store = transaction.stores.add(a_new_store(), None, ACTOR, most=9).store
            assert real.back_door.run("SELECT FROM stores WHERE id = :id", id=store.id) == []
        assert stores_of(real, by) == {store.id}
