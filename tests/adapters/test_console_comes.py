"""A database with live data from before the console had a role, while an API from then still serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from control_plane import migrate as migrate_module
from control_plane.adapters.postgres_accounts import PostgresAccounts
from control_plane.adapters.postgres_database import Database, sqlstate
from control_plane.domain.accounts import Scope, TokenShown
from control_plane.domain.people import OnceShown, SessionShown
from control_plane.ports.customers import Page, Shown
from control_plane.use_cases.create_token import digest_of
from control_plane.use_cases.sign_in import SignIn
from dev.machine import database
from tests.adapters.backends import SEALER
from tests.builders import ACTOR, CELL, CUSTOMER, LIMITS, a_new_store
from tests.postgres_server import Server

MAY_NOT = "42501"  # insufficient_privilege
TOKEN = TokenShown(digest_of("a token"))
Accounts = Callable[[str], PostgresAccounts]


@pytest.fixture
def before(postgres: Server) -> Iterator[str]:
    """The superuser's URL of a database at 0008: a customer has a token, a store and three addresses."""
    url = postgres.empty_database()
    _upgrade(postgres.owner(url), "0008")
    postgres.let_in(url)
    with closing(database.connect(url)) as door:
        door.run("INSERT INTO cells (id, name) VALUES (gen_random_uuid(), :cell)", cell=CELL)
        door.run("INSERT INTO accounts (id, plan) VALUES (:id, 'partner')", id=CUSTOMER)
        door.run(
            "INSERT INTO tokens (account_id, name, prefix, digest, scopes)"
            " VALUES (:id, 'n', 'urumi_', decode(:digest, 'hex'), '{stores:read,stores:write}')",
            id=CUSTOMER,
            digest=TOKEN.digest,
        )
        for address in ("one", "two", "three"):
            door.run(
                "INSERT INTO sign_ins (account_id, digest) VALUES (:id, decode(:digest, 'hex'))",
                id=CUSTOMER,
                digest=digest_of(address),
            )
    yield url
    postgres.drop(url)


def _upgrade(url: str, revision: str) -> None:
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(migrate_module.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


@pytest.fixture
def accounts(postgres: Server, before: str) -> Iterator[Accounts]:
    """Accounts as a function enters them, with its own login."""
    made: dict[str, Database] = {}

    def enter_as(user: str) -> PostgresAccounts:
        made[user] = made.get(user) or Database(postgres.logins(before)[user], connections=2)
        return PostgresAccounts(made[user], SEALER, LIMITS)

    yield enter_as
    for each in made.values():
        each._engine.dispose()


def signed_in(accounts: PostgresAccounts, address: str) -> SessionShown:
    secret = SignIn(accounts)(OnceShown(digest_of(address)), "Firefox", instead_of=None, cause="request 1")
    return SessionShown(digest_of(secret))


def stores_of(accounts: PostgresAccounts, shown: Shown) -> list[str]:
    with accounts.enter(shown, Scope.READ) as transaction:
        return [each.name for each in transaction.stores.page(Page(limit=9))]


def test_all_that_began_goes_on_and_only_signing_in_moves(
    postgres: Server, before: str, accounts: Accounts
) -> None:
    api = accounts("create_store")
    session = signed_in(api, "one")
    with api.enter(session, Scope.WRITE) as transaction:
        transaction.stores.add(a_new_store(customer_id=CUSTOMER, name="old"), None, ACTOR, most=9)

    postgres.migrate(before)
    for shown in (session, TOKEN):
        assert stores_of(api, shown) == ["old"]
    with api.enter(session, Scope.WRITE) as transaction:
        transaction.stores.add(a_new_store(customer_id=CUSTOMER, name="new"), None, ACTOR, most=9)
    with pytest.raises(DBAPIError) as error:
        signed_in(api, "two")
    assert sqlstate(error.value) == MAY_NOT

    console = accounts("console")
    for shown in (session, TOKEN, signed_in(console, "two")):  # what was refused used nothing up
        assert sorted(stores_of(console, shown)) == ["new", "old"]


def test_whoever_goes_back_lets_the_api_sign_people_in_again(
    postgres: Server, before: str, accounts: Accounts
) -> None:
    postgres.migrate(before)
    user = database.user(postgres.logins(before)["create_store"])
    postgres.run(f"GRANT urumi_console TO {user}")
    try:
        session = signed_in(accounts("create_store"), "three")
        assert stores_of(accounts("create_store"), session) == []
    finally:
        postgres.run(f"REVOKE urumi_console FROM {user}")
