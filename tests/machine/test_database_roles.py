"""Who logs in to a place's database, on its own server and on somebody else's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from control_plane import migrate as migrate_module
from dev.machine import database, database_roles, machine, migrations, postgres, postgres_home
from dev.machine.errors import MachineError
from dev.machine.place import Place

USERS = database_roles.USERS


def _silent(_: str) -> None:
    pass


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("URUMI_UNSAFE_FAST", "1")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    place = Place(tmp_path / "place")
    yield place
    postgres.down(place)
    postgres_home.forget(place)


def _run(url: str, sql: str) -> list[list[object]]:
    connection = database.connect(url)
    try:
        return list(connection.run(sql) or [])
    finally:
        connection.close()


def _up(place: Place) -> str:
    url = postgres.up(place, _silent)
    migrations.migrate(place, url, _silent)
    return url


def _owners(url: str) -> set[str]:
    rows = _run(
        url,
        """
        SELECT relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION SELECT proowner::regrole::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()
        """,
    )
    return {str(row[0]) for row in rows}


def test_each_function_logs_in_as_a_user_of_its_own_with_a_password_of_its_own(place: Place) -> None:
    url = _up(place)
    urls = database_roles.urls(place, url)
    assert set(urls) == set(USERS)
    for user, own in urls.items():
        assert _run(own, "SELECT current_user") == [[database.user(own)]]
        assert _run(own, f"SELECT pg_has_role(current_user, 'urumi_{user}', 'USAGE')") == [[True]]
    stored = json.loads((place.data / "database-users.json").read_text())
    assert (place.data / "database-users.json").stat().st_mode & 0o777 == 0o600
    assert len(set(stored["passwords"].values())) == len(USERS) + 1
    wrong = urls["provision"].replace(stored["passwords"]["provision"], stored["passwords"]["reconcile"])
    with pytest.raises(Exception, match="password authentication failed"):
        database.connect(wrong)
    assert _owners(url) == {database_roles.OWNER}


def test_no_password_is_in_a_log_even_where_all_statements_are(place: Place) -> None:
    url = postgres.up(place, _silent)
    _run(url, "ALTER SYSTEM SET log_statement = 'all'")
    _run(url, "SELECT pg_reload_conf()")
    migrations.migrate(place, url, _silent)
    logs = "".join(file.read_text() for file in place.logs.iterdir())
    assert "CREATE ROLE urumi_provision_" in logs
    passwords = json.loads((place.data / "database-users.json").read_text())["passwords"]
    assert [user for user, password in passwords.items() if password in logs] == []


def test_starting_again_keeps_users_and_passwords_and_says_nothing_to_the_database(place: Place) -> None:
    url = _up(place)
    before = database_roles.urls(place, url)
    said: list[str] = []
    migrations.migrate(place, url, said.append)
    assert said == []
    (place.data / "migrated").unlink()
    migrations.migrate(place, url, said.append)
    assert said == ["database: migrating"]
    assert database_roles.urls(place, url) == before
    for own in before.values():
        assert _run(own, "SELECT 1") == [[1]]


def test_a_database_from_before_the_roles_is_handed_over_with_its_rows(place: Place) -> None:
    url = postgres.up(place, _silent)
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(migrate_module.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    _run(url, "INSERT INTO cells (id, name) VALUES (gen_random_uuid(), 'local')")
    _run(
        url,
        """
        INSERT INTO stores (id, customer_id, name, title, admin_email, plan, hostname, cell)
        SELECT gen_random_uuid(), gen_random_uuid(), 'old', 't', 'e', 'p', 'h', id FROM cells
        """,
    )
    assert _owners(url) == {"urumi"}
    migrations.migrate(place, url, _silent)
    assert _owners(url) == {database_roles.OWNER}
    own = database_roles.urls(place, url)["provision"]
    assert _run(own, "SELECT name, state FROM stores") == [["old", "QUEUED"]]


@pytest.fixture
def theirs(place: Place) -> str:
    """The URL of a user on somebody else's server: owner of a database, who may make users, no superuser."""
    url = postgres.up(place, _silent)
    _run(url, "CREATE ROLE me LOGIN CREATEROLE PASSWORD 'mine'")
    _run(url, "CREATE DATABASE shop OWNER me")
    return url.replace("//urumi:", "//me:").replace(_password_of(url), "mine").rpartition("/")[0] + "/shop"


def _password_of(url: str) -> str:
    return url.partition("@")[0].rpartition(":")[2]


def _users_there(url: str) -> set[str]:
    rows = _run(url, "SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname LIKE 'urumi\\_%'")
    return {str(row[0]) for row in rows}


def test_on_a_given_server_each_place_has_users_of_its_own_that_clean_removes(
    theirs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", theirs)
    one, two = Place(tmp_path / "one"), Place(tmp_path / "two")
    named = {}
    for each in (one, two):
        urls = database_roles.urls(each, _up(each))
        for own in urls.values():
            assert _run(own, "SELECT current_user") == [[database.user(own)]]
        named[each] = {database.user(own) for own in urls.values()}
    assert _owners(theirs) == {"me"}
    assert _users_there(theirs) == named[one] | named[two]
    assert len(_users_there(theirs)) == 2 * len(USERS)
    monkeypatch.delenv("DATABASE_URL")
    said: list[str] = []
    machine.clean(one, said.append)
    assert not [line for line in said if line.startswith("database:")]
    assert _users_there(theirs) == named[two]


def test_users_that_cannot_be_removed_are_named(theirs: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DATABASE_URL", theirs)
    other = Place(tmp_path / "other")
    users = {database.user(own) for own in database_roles.urls(other, _up(other)).values()}
    monkeypatch.delenv("DATABASE_URL")
    _run(theirs, "ALTER ROLE me PASSWORD 'another'")
    said: list[str] = []
    machine.clean(other, said.append)
    (line,) = [line for line in said if line.startswith("database:")]
    assert all(user in line for user in users)
    assert "password authentication failed" in line
    assert "mine" not in line


def test_who_may_make_no_roles_is_told_what_to_do(place: Place, theirs: str, monkeypatch) -> None:
    admin = postgres.own_url(place)
    assert admin
    _run(admin, "ALTER ROLE me NOCREATEROLE")
    done = subprocess.run(
        [sys.executable, "-m", "control_plane.migrate", "--cell", "local"],
        env={"DATABASE_URL": theirs, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "ALTER ROLE me CREATEROLE" in done.stderr
    assert "CREATE ROLE urumi_create_store NOLOGIN" in done.stderr
    assert _run(theirs, "SELECT to_regclass('stores')") == [[None]]

    for user in USERS:
        _run(admin, f"CREATE ROLE urumi_{user} NOLOGIN")
    monkeypatch.setenv("DATABASE_URL", theirs)
    with pytest.raises(MachineError, match=r"ALTER ROLE me CREATEROLE.*WITH ADMIN OPTION"):
        migrations.migrate(Place(place.root / "poor"), theirs, _silent)
    assert _run(theirs, "SELECT to_regclass('stores')") == [["stores"]]  # the schema needed no more
