"""What an operator does about accounts and people: one-time addresses, erasure, links. In Postgres only."""

from __future__ import annotations

from uuid import uuid4

import pytest

from control_plane.adapters.postgres_registry import PostgresRegistry
from control_plane.domain.accounts import Scope
from control_plane.domain.dead_letters import Kind, Message, Operator, Poison
from control_plane.domain.people import OnceShown
from control_plane.domain.registry import ERASED_ADDRESS, Link, RegistryError
from control_plane.use_cases.create_token import digest_of
from tests.adapters.test_accounts import an_identity, ask, let_in
from tests.adapters.test_people import people_of, refused, sign_in
from tests.builders import ACTOR, CUSTOMER, STRANGER, a_new_store

PARKED = b'\xff \\ {"admin_email": "Zenobia@Example.com", "more": "\x00"'

OPERATOR = Operator("ops", "asked for by letter")
EMAIL, NAME, SUBJECT = "zenobia@example.com", "Zenobia Quux", "subject-xyzzy"
ZENOBIA = an_identity(subject=SUBJECT, customer=SUBJECT, email=EMAIL, name=NAME)


@pytest.fixture
def registry(real):
    return PostgresRegistry(real.functions["operator"])


def everything(real):
    """The whole database as text, a line for each row."""
    tables = real.back_door.run(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    )
    assert len(tables) > 15
    real.back_door.run("SET bytea_output = 'escape'")  # so that bytes are read too
    return "\n".join(
        f"{table}: {row}"
        for (table,) in tables
        for (row,) in real.back_door.run(f"SELECT t::text FROM {table} t")  # noqa: S608 - of the catalogue
    )


def traces(real):
    text = everything(real).lower()
    # Each has letters that no hexadecimal number has.
    return [each for each in (EMAIL, NAME, SUBJECT, "zenobia", "quux", "xyzzy") if each.lower() in text]


class TestErasure:
    def a_life(self, real, by=ZENOBIA):
        """All that a person can leave behind."""
        account = ask(real, by).account
        mine = sign_in(real, by, "one", browser="Zenobia's own browser")
        sign_in(real, by, "two", instead_of=mine)
        with real.accounts.enter(by, Scope.WRITE) as transaction:
            actor = transaction.caller.acting("request 1")
            for number, email in enumerate((EMAIL.upper(), EMAIL, "shop@example.com")):
                order = a_new_store(customer_id=account, name=f"shop-{number}", admin_email=email)
                transaction.stores.add(order, None, actor, most=9)
        real.parking.park([Poison("billing-events", Message("1", PARKED), Kind.MALFORMED, "no JSON")])
        return account

    @pytest.mark.parametrize("way", ["id", "address"])
    def test_nothing_names_them_any_more(self, real, registry, way):
        account = self.a_life(real)
        person = ask(real, ZENOBIA).person
        assert len(traces(real)) == 6
        erased = registry.erase(person if way == "id" else EMAIL.upper(), OPERATOR)
        assert (erased.person_id, erased.accounts, erased.stores) == (person, 1, 2)
        assert traces(real) == []
        kept = PARKED.replace(b"Zenobia@Example.com", ERASED_ADDRESS.encode())
        assert [letter.body for letter in real.letters.letters(answered=False, limit=9)] == [kept]
        emails = real.back_door.run("SELECT admin_email FROM stores ORDER BY name")
        assert [each for (each,) in emails] == [ERASED_ADDRESS, ERASED_ADDRESS, "shop@example.com"]
        told = [entry[:2] + entry[3:] for entry in real.operations()]
        assert told.count(("ops", "person erased", OPERATOR.reason)) == 1
        assert told.count(("ops", "address erased", OPERATOR.reason)) == 2
        assert ("operator", "erasure", "member removed", str(person)) in real.told_of(account)

    def test_a_customer_who_is_called_by_their_address_is_forgotten_too(self, real, registry):
        by = an_identity(subject=SUBJECT, customer=EMAIL, email=EMAIL, name=NAME)
        self.a_life(real, by)
        registry.erase(EMAIL, OPERATOR)
        assert traces(real) == []

    def test_they_are_out_at_once_and_somebody_new_when_they_come_again(self, real, registry):
        ask(real, ZENOBIA)
        mine = sign_in(real, ZENOBIA)
        before = ask(real, mine)
        registry.erase(EMAIL, OPERATOR)
        assert refused(real, mine)
        after = ask(real, ZENOBIA)
        assert (after.person, after.account) != (before.person, before.account)
        assert after.person != before.person
        assert after.account != before.account

    def test_others_keep_what_is_theirs(self, real, registry):
        ben = an_identity(subject="ben", customer="org", email="ben@example.com", name="Ben")
        her = an_identity(subject=SUBJECT, customer="org", email=EMAIL, name=NAME)
        account, mine = ask(real, ben).account, sign_in(real, ben)
        ask(real, her)
        theirs = a_new_store(customer_id=account, name="bens", admin_email="ben@example.com")
        stranger = a_new_store(customer_id=STRANGER, name="hers", admin_email=EMAIL)
        for order in (theirs, stranger):
            real.stores.add(order, None, ACTOR)
        registry.erase(EMAIL, OPERATOR)
        assert [each.email for each in people_of(real, mine).members()] == ["ben@example.com"]
        assert real.accounts_of("org") == [account]
        assert real.value(theirs.id, "admin_email") == "ben@example.com"
        # Another account's order is its own: nobody has proved that the address in it is hers.
        assert real.value(stranger.id, "admin_email") == EMAIL

    def test_nobody_and_several_are_said_to_be_that(self, real, registry):
        with pytest.raises(RegistryError, match="nobody"):
            registry.erase(EMAIL, OPERATOR)
        with pytest.raises(RegistryError, match="nobody"):
            registry.erase(uuid4(), OPERATOR)
        for subject in ("a", "b"):
            ask(real, an_identity(subject=subject, email=EMAIL))
        with pytest.raises(RegistryError, match="name one by id"):
            registry.erase(EMAIL, OPERATOR)
        person = ask(real, an_identity(subject="a", email=EMAIL)).person
        registry.erase(person, OPERATOR)
        with pytest.raises(RegistryError, match="erased before"):
            registry.erase(person, OPERATOR)
        assert [entry[1] for entry in real.operations()] == ["person erased"]


class TestLinks:
    def test_a_customer_of_a_billing_system_is_one_account(self, real, registry):
        let_in(real)
        let_in(real, STRANGER, "theirs")
        for _ in range(2):
            registry.link(CUSTOMER, "stripe", "cus_1", OPERATOR)
        registry.link(CUSTOMER, "stripe", "cus_2", OPERATOR)
        with pytest.raises(RegistryError, match=str(CUSTOMER)):
            registry.link(STRANGER, "stripe", "cus_1", OPERATOR)
        with pytest.raises(RegistryError, match="there is no account"):
            registry.link(uuid4(), "stripe", "cus_3", OPERATOR)
        assert registry.account(CUSTOMER).links == (
            Link("billing", "stripe", "cus_1"),
            Link("billing", "stripe", "cus_2"),
        )
        assert real.told_of(CUSTOMER) == [("operator", "link", "billing linked", "stripe")] * 2
        assert [entry[1:3] for entry in real.operations()] == [("billing linked", str(CUSTOMER))] * 2

    def test_a_link_of_billing_lets_nobody_in(self, real, registry):
        let_in(real)
        registry.link(CUSTOMER, "https://one.example", "org-7", OPERATOR)
        assert ask(real, an_identity()).account != CUSTOMER

    def test_an_account_is_shown_in_ids_and_counts(self, real, registry):
        anna = ask(real, an_identity())
        ask(real, an_identity(subject="ben"))
        real.stores.add(a_new_store(customer_id=anna.account), None, ACTOR)
        found = registry.account(anna.account)
        assert (found.plan, found.live_stores, found.tokens) == ("standard", 1, 1)
        assert found.links == (Link("identity", "https://one.example", "org-7"),)
        assert [role for _, role in found.members] == ["owner", "member"]
        assert found.members[0][0] == anna.person
        assert "@" not in repr(found)
        with pytest.raises(RegistryError):
            registry.account(uuid4())


class TestOneTimeAddresses:
    def test_an_operator_makes_one_for_an_account_that_is_there(self, real, registry):
        let_in(real)
        registry.let_sign_in(CUSTOMER, digest_of("x"), OPERATOR)
        told = ("ops", "one-time address made", str(CUSTOMER), OPERATOR.reason)
        assert real.operations() == [told]
        assert ask(real, OnceShown(digest_of("x"))).account == CUSTOMER
        with pytest.raises(RegistryError):
            registry.let_sign_in(uuid4(), digest_of("y"), OPERATOR)
        assert real.operations() == [told]
