"""Who is let into the database with the rights of a function."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from control_plane.adapters.postgres_database import Database
from control_plane.migrate import ROLES, Member, UnknownUserError, migrate
from dev.machine import database_roles
from tests.adapters.migrating import run_migrate
from tests.postgres_server import Server

ACCOUNT = "urumi-provision@members.iam"


ODD = 'o"dd%s account@members.iam'


def quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    """The URL of whoever migrates, to an empty database that is theirs; and users are there."""
    for user in (ACCOUNT, ODD):
        postgres.run(f"CREATE ROLE {quoted(user)} LOGIN")
    url = postgres.empty_database()
    yield database_roles.take_over(postgres._place, url)
    postgres.drop(url)
    for user in (ACCOUNT, ODD):
        postgres.run(f"DROP ROLE {quoted(user)}")


def rights(postgres: Server, user: str) -> set[str]:
    """The roles whose rights a user has."""
    return {role for role in ROLES if postgres.run(f"SELECT pg_has_role('{user}', '{role}', 'USAGE')")[0][0]}


def test_members_are_made_once_and_again(postgres: Server, url: str) -> None:
    for _ in range(2):
        done = run_migrate(
            url, "--member", f"urumi_provision={ACCOUNT}", "--member", f"urumi_reconcile={ODD}"
        )
        assert (done.returncode, done.stderr) == (0, "")
    assert rights(postgres, ACCOUNT) == {"urumi_provision"}
    assert rights(postgres, ODD) == {"urumi_reconcile"}


def test_a_member_that_is_not_there_undoes_all_of_it(url: str) -> None:
    with pytest.raises(UnknownUserError, match=r"there is no user .nobody@project\.iam."):
        migrate(url, ["eu"], [Member("urumi_provision", "nobody@project.iam")])
    done = run_migrate(url, "--cell", "eu", "--member", "urumi_provision=nobody@project.iam")
    assert done.returncode == 1
    assert "there is no user 'nobody@project.iam' on the server" in done.stderr
    assert "Traceback" not in done.stderr
    database = Database(url, connections=1)
    assert database.rows(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"), {}) == []
    database._engine.dispose()


def test_a_database_that_newer_code_has_migrated_stays_as_it_is(postgres: Server, url: str) -> None:
    """An image that was there before is deployed again: its migrations know less than the database."""
    assert run_migrate(url).returncode == 0
    database = Database(url, connections=1)
    database.rows(text("UPDATE alembic_version SET version_num = '9999' RETURNING 1"), {})
    done = run_migrate(url, "--cell", "eu", "--member", f"urumi_provision={ACCOUNT}")
    assert (done.returncode, "newer code has migrated the database" in done.stderr) == (0, True), done.stderr
    rows = database.rows(
        text("SELECT version_num, (SELECT name FROM cells) AS cell FROM alembic_version"), {}
    )
    assert [dict(row) for row in rows] == [{"version_num": "9999", "cell": "eu"}]
    assert rights(postgres, ACCOUNT) == {"urumi_provision"}
    database._engine.dispose()


@pytest.mark.parametrize("given", ["urumi_provision", "urumi_provision=", "=user", "postgres=user"])
def test_only_our_own_roles_are_given(given: str) -> None:
    done = run_migrate("postgresql+pg8000://nobody@127.0.0.1:1/nothing", "--member", given)
    assert done.returncode == 2
    assert "write it as ROLE=USER, with one of urumi_create_store" in done.stderr


def test_the_roles_that_can_be_given_are_those_of_the_migrations(postgres: Server) -> None:
    found = postgres.run("SELECT rolname FROM pg_roles WHERE rolname LIKE 'urumi\\_%' AND NOT rolcanlogin")
    assert {name for (name,) in found} == set(ROLES)
