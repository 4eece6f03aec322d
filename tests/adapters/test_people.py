"""The contract of `People` and `Departures`, and of who enters with a session or a one-time address."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from uuid import uuid4

import pytest

from control_plane.domain.accounts import ALL_SCOPES, Role, Scope
from control_plane.domain.errors import (
    ForbiddenError,
    LastOwnerError,
    MemberNotFoundError,
    RateLimitedError,
    SessionNotFoundError,
    UnauthenticatedError,
)
from control_plane.domain.limits import Limits
from control_plane.domain.people import (
    ONE_TIME_LIFE,
    SESSION_IDLE,
    SESSION_LIFE,
    Membership,
    OnceShown,
    SessionShown,
)
from control_plane.use_cases.create_token import digest_of
from tests.adapters.test_accounts import an_identity, ask, at_once, kinds, let_in
from tests.builders import ACTOR, CUSTOMER, LIMITS, STRANGER, a_new_store

HOUR = 3600.0
UUIDS = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def sign_in(backend, who, name="one", *, instead_of=None, browser="Firefox"):
    """A session for whoever this is, and what it shows."""
    session = SessionShown(digest_of(name))
    with backend.console.enter(who, Scope.READ) as transaction:
        actor = transaction.caller.acting("request 1")
        former = instead_of.digest if instead_of else None
        transaction.people.open(session.digest, browser, instead_of=former, actor=actor)
    return session


def people_of(backend, by):
    """What this caller may ask of people, in a transaction of its own each time."""

    class Asked:
        def __getattr__(self, name):
            def call(*arguments, **more):
                with backend.accounts.enter(by, Scope.READ) as transaction:
                    if name in ("remove", "set_role", "end_session"):
                        more["actor"] = transaction.caller.acting("request 2")
                    return getattr(transaction.people, name)(*arguments, **more)

            return call

    return Asked()


def refused(backend, shown):
    """Whether this is nobody."""
    try:
        ask(backend, shown)
    except UnauthenticatedError:
        return True
    return False


ANNA, BEN = an_identity(), an_identity(subject="ben", email="ben@example.com", name="Ben")
EVE = an_identity(subject="eve", customer="org-8", email="eve@example.com", name="Eve")


class TestPeople:
    def test_who_comes_first_is_the_owner_and_others_are_members(self, backend):
        anna, ben = ask(backend, ANNA), ask(backend, BEN)
        assert re.fullmatch(f"person {UUIDS}", anna.name)
        found = people_of(backend, ANNA).members()
        assert [(each.person_id, each.role) for each in found] == [
            (anna.person, Membership.OWNER),
            (ben.person, Membership.MEMBER),
        ]
        assert [(each.email, each.name) for each in found] == [
            ("anna@example.com", "Anna"),
            ("ben@example.com", "Ben"),
        ]

    def test_twenty_at_once_are_one_person_and_one_owner(self, backend):
        results = at_once(20, lambda number: ask(backend, ANNA))
        assert kinds(results) == {"done": 20}
        assert len({each.name for each in results}) == 1
        assert len(people_of(backend, ANNA).members()) == 1

    def test_twenty_people_at_once_have_one_owner(self, backend):
        at_once(20, lambda number: ask(backend, an_identity(subject=f"person {number}")))
        found = people_of(backend, an_identity(subject="person 0")).members()
        assert sorted(each.role for each in found) == ["member"] * 19 + ["owner"]

    def test_one_person_of_two_customers_at_once_is_one(self, backend):
        results = at_once(10, lambda number: ask(backend, an_identity(customer=f"org {number % 2}")))
        assert kinds(results) == {"done": 10}
        assert len({each.name for each in results}) == 1
        assert len({each.account for each in results}) == 2

    def test_a_new_address_and_name_replace_the_old_and_none_replaces_nothing(self, backend):
        ask(backend, ANNA)
        me = people_of(backend, an_identity(email="a@new.example", name=None)).me()
        assert (me.email, me.name) == ("a@new.example", "Anna")

    def test_a_token_is_no_person(self, backend):
        mine = let_in(backend)
        people = people_of(backend, mine)
        assert people.me() is None
        assert people.current() is None
        for ask_it in (
            people.members,
            people.sessions,
            lambda: people.end_session(uuid4()),
            lambda: people.remove(uuid4()),
            lambda: people.set_role(uuid4(), Membership.OWNER),
            lambda: sign_in(backend, mine),
        ):
            with pytest.raises(ForbiddenError):
                ask_it()


class TestSessions:
    def test_a_session_says_who_and_is_known_as_the_current_one(self, backend):
        person = ask(backend, ANNA)
        mine = sign_in(backend, ANNA, browser="F" * 500)
        caller = ask(backend, mine)
        assert (caller.account, caller.name) == (person.account, person.name)
        assert (caller.role, caller.scopes) == (Role.CUSTOMER, ALL_SCOPES)
        current = people_of(backend, mine).current()
        assert (current.person_id, current.current, current.browser) == (person.person, True, "F" * 200)
        assert current.expires_at - current.created_at == pytest.approx(
            SESSION_LIFE, abs=timedelta(seconds=1)
        )
        assert people_of(backend, mine).me().email == "anna@example.com"

    def test_its_account_is_the_one_it_began_in(self, backend):
        mine = sign_in(backend, ANNA)
        ask(backend, an_identity(customer="org-9"))
        assert ask(backend, mine).account == ask(backend, ANNA).account

    @pytest.mark.parametrize("role", list(Role))
    def test_it_has_the_role_with_which_it_began(self, backend, role):
        mine = sign_in(backend, an_identity(role=role))
        assert ask(backend, mine).role is role

    def test_staff_reach_all_stores_with_it_and_customers_their_own(self, backend):
        with backend.accounts.enter(EVE, Scope.WRITE) as transaction:
            theirs = transaction.caller.account
        store = backend.stores.add(a_new_store(customer_id=theirs), None, ACTOR).store
        for role, expected in ((Role.SUPPORT, store.id), (Role.CUSTOMER, None)):
            mine = sign_in(backend, an_identity(role=role, subject=role.value), name=role.value)
            with backend.accounts.enter(mine, Scope.READ) as transaction:
                assert backend.value(store.id, "id") == store.id
                found = [each for each in (store.id,) if _sees(transaction, each)]
            assert found == ([expected] if expected else [])

    def test_a_secret_that_nobody_has_is_nobody(self, backend):
        sign_in(backend, ANNA)
        for digest in (digest_of("another"), "", "00" * 32, digest_of("one")[:-2]):
            assert refused(backend, SessionShown(digest))

    def test_it_ends_after_its_whole_life_however_much_it_is_used(self, backend):
        mine = sign_in(backend, ANNA)
        for _ in range(11):
            backend.later(HOUR)
            ask(backend, mine)
        backend.later(HOUR - 60)
        ask(backend, mine)
        backend.later(61)
        assert SESSION_LIFE.total_seconds() == 12 * HOUR
        assert refused(backend, mine)

    def test_it_ends_when_nobody_used_it(self, backend):
        assert SESSION_IDLE.total_seconds() == 2 * HOUR
        mine = sign_in(backend, ANNA)
        backend.later(2 * HOUR - 60)
        ask(backend, mine)
        backend.later(2 * HOUR - 60)
        ask(backend, mine)
        backend.later(2 * HOUR + 1)
        assert refused(backend, mine)

    def test_when_it_was_used_is_noted_once_a_minute(self, backend):
        mine = sign_in(backend, ANNA)
        first = people_of(backend, mine).current()
        backend.later(20)
        aged = people_of(backend, mine).current()
        assert aged.seen_at - aged.created_at == first.seen_at - first.created_at
        backend.later(60)
        seen = people_of(backend, mine).current()
        assert seen.seen_at - seen.created_at > timedelta(seconds=79)

    def test_a_new_one_ends_the_one_that_it_replaces(self, backend):
        first = sign_in(backend, ANNA, "one")
        second = sign_in(backend, ANNA, "two", instead_of=first)
        assert refused(backend, first)
        assert ask(backend, second)

    def test_also_that_of_another_account(self, backend):
        first = sign_in(backend, EVE, "one")
        account, person = ask(backend, first).account, ask(backend, first).name
        sign_in(backend, ANNA, "two", instead_of=first)
        assert refused(backend, first)
        (*_, last) = backend.told_of(account)
        assert last[:3] == (f"customer {person}", "request 1", "signed out")

    def test_leaving_ends_it_at_once(self, backend):
        mine, other = sign_in(backend, ANNA, "one"), sign_in(backend, ANNA, "two")
        backend.departures.leave(mine.digest, "request 3")
        backend.departures.leave(digest_of("nobody's"), "request 4")
        assert refused(backend, mine)
        account = ask(backend, other).account
        backend.departures.leave(mine.digest, "request 5")  # tells nothing
        assert [cause for _, cause, *_ in backend.told_of(account)][-1] == "request 3"

    def test_it_counts_towards_the_request_rate(self, backend, monkeypatch):
        mine = sign_in(backend, ANNA)
        monkeypatch.setitem(LIMITS, "standard", Limits(live_stores=1, rate=0.01, burst=2))
        backend.later(1)
        if hasattr(backend, "functions"):
            from control_plane.adapters.postgres_accounts import PostgresAccounts
            from tests.adapters.backends import SEALER

            backend.accounts = PostgresAccounts(backend.functions["create_store"], SEALER, LIMITS)
        ask(backend, mine)
        ask(backend, mine)
        with pytest.raises(RateLimitedError):
            ask(backend, mine)


def _sees(transaction, store_id):
    try:
        return transaction.stores.get(store_id)
    except Exception:  # noqa: BLE001 - whatever it is, they do not see it
        return None


class TestListOfSessions:
    def test_a_member_sees_their_own_and_an_owner_all(self, backend):
        anna = sign_in(backend, ANNA, "a")
        ben, bens = sign_in(backend, BEN, "b"), sign_in(backend, BEN, "c")
        eve = sign_in(backend, EVE, "e")
        for by, count in ((anna, 3), (ben, 2), (bens, 2), (eve, 1)):
            found = people_of(backend, by).sessions()
            assert (len(found), [each.current for each in found].count(True)) == (count, 1)
        assert len(people_of(backend, BEN).sessions()) == 2

    def test_what_has_ended_is_not_in_it(self, backend):
        mine, other = sign_in(backend, ANNA, "a"), sign_in(backend, ANNA, "b")
        backend.departures.leave(other.digest, "request 1")
        assert len(people_of(backend, mine).sessions()) == 1
        backend.later(2 * HOUR + 1)
        assert people_of(backend, ANNA).sessions() == []

    def test_one_is_ended_at_once_by_whoever_sees_it(self, backend):
        anna, ben = sign_in(backend, ANNA, "a"), sign_in(backend, BEN, "b")
        bens = people_of(backend, ben).current().id
        annas = people_of(backend, anna).current().id
        for by, theirs in ((ben, annas), (sign_in(backend, EVE, "e"), bens), (anna, uuid4())):
            with pytest.raises(SessionNotFoundError):
                people_of(backend, by).end_session(theirs)
        assert ask(backend, anna)
        people_of(backend, anna).end_session(bens)
        people_of(backend, anna).end_session(bens)
        assert refused(backend, ben)
        told = [entry[2:] for entry in backend.told_of(ask(backend, anna).account)]
        assert told.count(("session ended", str(bens))) == 1
        people_of(backend, anna).end_session(annas)
        assert refused(backend, anna)


def while_waiting(backend, by, shown, work):
    """What becomes of those who come while somebody's request is under way, that does this."""
    with ThreadPoolExecutor(len(shown)) as threads:
        with backend.accounts.enter(by, Scope.READ) as transaction:
            others = [threads.submit(refused, backend, each) for each in shown]
            Event().wait(0.5)  # they are all on their way by now, and none of them is through
            assert not any(each.done() for each in others)
            work(transaction)
        return ["refused" if each.result(timeout=10) else "done" for each in others]


class TestWhoIsOnTheirWay:
    """Those who came before they were put out, and after whom somebody looked at their session."""

    def test_when_their_session_ends(self, backend):
        anna, ben = sign_in(backend, ANNA, "a"), sign_in(backend, BEN, "b")
        bens = people_of(backend, ben).current().id
        end = lambda transaction: transaction.people.end_session(bens, ACTOR)  # noqa: E731
        assert while_waiting(backend, anna, [ben, BEN], end) == ["refused", "done"]

    def test_when_their_membership_ends(self, backend):
        anna, ben = sign_in(backend, ANNA, "a"), sign_in(backend, BEN, "b")
        person = ask(backend, ben).person
        remove = lambda transaction: transaction.people.remove(person, ACTOR)  # noqa: E731
        assert while_waiting(backend, anna, [ben, BEN], remove) == ["refused", "refused"]


class TestMembers:
    def test_a_removed_member_is_nobody_at_once_and_stays_so(self, backend):
        anna, ben = sign_in(backend, ANNA, "a"), sign_in(backend, BEN, "b")
        person = ask(backend, ben).person
        people_of(backend, anna).remove(person)
        assert refused(backend, ben)
        assert refused(backend, BEN)
        assert [each.email for each in people_of(backend, anna).members()] == ["anna@example.com"]
        assert len(people_of(backend, anna).sessions()) == 1
        with pytest.raises(MemberNotFoundError):
            people_of(backend, anna).remove(person)

    def test_of_another_account_they_stay_a_member(self, backend):
        ask(backend, ANNA)
        here, there = BEN, an_identity(subject="ben", customer="org-9")
        person = ask(backend, here).person
        mine = sign_in(backend, there, "there")
        people_of(backend, ANNA).remove(person)
        assert refused(backend, here)
        assert ask(backend, mine).person == ask(backend, there).person == person

    def test_only_an_owner_decides(self, backend):
        anna, ben = ask(backend, ANNA).person, ask(backend, BEN).person
        for person in (anna, ben, uuid4()):
            with pytest.raises(ForbiddenError):
                people_of(backend, BEN).remove(person)
            with pytest.raises(ForbiddenError):
                people_of(backend, BEN).set_role(person, Membership.OWNER)
        with pytest.raises(MemberNotFoundError):
            people_of(backend, EVE).remove(ben)
        assert len(people_of(backend, ANNA).members()) == 2

    def test_the_last_owner_stays_one(self, backend):
        anna, ben = ask(backend, ANNA).person, ask(backend, BEN).person
        with pytest.raises(LastOwnerError):
            people_of(backend, ANNA).remove(anna)
        with pytest.raises(LastOwnerError):
            people_of(backend, ANNA).set_role(anna, Membership.MEMBER)
        assert people_of(backend, ANNA).set_role(anna, Membership.OWNER).role is Membership.OWNER
        assert people_of(backend, ANNA).set_role(ben, Membership.OWNER).role is Membership.OWNER
        people_of(backend, BEN).remove(anna)
        assert refused(backend, ANNA)
        with pytest.raises(LastOwnerError):
            people_of(backend, BEN).remove(ben)

    def test_of_two_owners_who_remove_each_other_one_stays(self, backend):
        anna, ben = ask(backend, ANNA).person, ask(backend, BEN).person
        people_of(backend, ANNA).set_role(ben, Membership.OWNER)
        pairs = [(ANNA, ben), (BEN, anna)]
        results = at_once(2, lambda number: people_of(backend, pairs[number][0]).remove(pairs[number][1]))
        assert sorted(kinds(results)) == ["UnauthenticatedError", "done"]

    def test_it_is_told_in_ids_and_only_when_something_changed(self, backend):
        anna, ben = ask(backend, ANNA), ask(backend, BEN)
        for _ in range(2):
            people_of(backend, ANNA).set_role(ben.person, Membership.OWNER)
        people_of(backend, ANNA).remove(ben.person)
        told = backend.told_of(anna.account)
        by = (f"customer {anna.name}", "request 2")
        assert told[-2:] == [
            (*by, "made owner", str(ben.person)),
            (*by, "member removed", str(ben.person)),
        ]
        assert not re.search("anna|ben@|Ben", repr(told))


class TestOneTimeAddresses:
    def test_it_lets_in_the_one_person_of_the_place_once(self, backend):
        let_in(backend)
        for secret in ("x", "y"):
            backend.let_sign_in(CUSTOMER, digest_of(secret))
        first = ask(backend, OnceShown(digest_of("x")))
        assert (first.account, first.role) == (CUSTOMER, Role.CUSTOMER)
        assert refused(backend, OnceShown(digest_of("x")))
        again = ask(backend, OnceShown(digest_of("y")))
        assert again.person == first.person

    def test_of_many_at_once_one_comes_in(self, backend):
        let_in(backend)
        backend.let_sign_in(CUSTOMER, digest_of("x"))
        results = at_once(8, lambda number: ask(backend, OnceShown(digest_of("x"))))
        assert kinds(results) == {"done": 1, "UnauthenticatedError": 7}

    def test_of_many_that_wait_for_one_request_one_comes_in(self, backend):
        mine = let_in(backend)
        backend.let_sign_in(CUSTOMER, digest_of("x"))
        shown = [OnceShown(digest_of("x"))] * 4
        results = while_waiting(backend, mine, shown, lambda transaction: None)
        assert sorted(results) == ["done", *["refused"] * 3]

    def test_it_ends_by_itself(self, backend):
        let_in(backend)
        backend.let_sign_in(CUSTOMER, digest_of("x"))
        backend.let_sign_in(CUSTOMER, digest_of("y"))
        backend.later(ONE_TIME_LIFE.total_seconds() - 2)
        assert ask(backend, OnceShown(digest_of("x")))
        backend.later(4)
        assert refused(backend, OnceShown(digest_of("y")))

    def test_nobodys_is_refused(self, backend):
        let_in(backend, STRANGER, "theirs")
        backend.let_sign_in(STRANGER, digest_of("x"))
        for digest in ("", digest_of("y"), "00" * 32):
            assert refused(backend, OnceShown(digest))

    def test_one_thing_is_no_other(self, backend):
        mine = let_in(backend)
        backend.let_sign_in(CUSTOMER, digest_of("x"))
        session = sign_in(backend, ANNA)
        assert refused(backend, SessionShown(mine.digest))
        assert refused(backend, SessionShown(digest_of("x")))
        assert refused(backend, OnceShown(session.digest))
