"""Connections to a PostgreSQL with TLS: to the server that is meant alone, with a token as password."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from control_plane.adapters.postgres_database import Database, sqlstate
from control_plane.domain.errors import DatabaseUnavailableError, MisconfiguredError
from tests import metadata_server, postgres_server
from tests.adapters.migrating import run_migrate
from tests.adapters.tls_postgres import ACCOUNT, AUTHORITY, Listener, port, serve_tls
from tests.certificates import Authority
from tests.metadata_server import MetadataServer
from tests.postgres_server import Server

SQL_LOGIN = "https://www.googleapis.com/auth/sqlservice.login"
WHO = text("SELECT current_user AS name, pid, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of this module's own, because each connection of others would try TLS."""
    with postgres_server.running() as server:
        serve_tls(server, "project:instance")
        server.run(f'CREATE ROLE "{ACCOUNT}" LOGIN')
        yield server


@pytest.fixture
def metadata(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[MetadataServer]:
    """Whose token is the account's password."""
    with metadata_server.running() as metadata:
        monkeypatch.setenv("GCE_METADATA_HOST", metadata.address)
        use_token(server, metadata, "token-1")
        yield metadata


def use_token(server: Server, metadata: MetadataServer, token: str) -> None:
    server.run(f"ALTER ROLE \"{ACCOUNT}\" PASSWORD '{token}'")
    metadata.token = token


Connect = Callable[..., Database]


@pytest.fixture
def connect(server: Server) -> Iterator[Connect]:
    """A Database as the account, without a password in its URL."""
    made: list[Database] = []

    def make(url: str = "", *, ca: str | None = AUTHORITY.pem, connections: int = 1) -> Database:
        database = Database(url or url_of(server), connections=connections, ca=ca)
        made.append(database)
        return database

    yield make
    for database in made:
        database._engine.dispose()


def url_of(server: Server, host: str = "127.0.0.1", password: str = "", port_: int = 0) -> str:
    login = quote(ACCOUNT) + (f":{password}" if password else "")
    return f"postgresql+pg8000://{login}@{host}:{port_ or port(server)}/postgres"


def test_a_url_without_a_password_logs_in_with_the_accounts_token(
    connect: Connect, metadata: MetadataServer
) -> None:
    (found,) = connect().rows(WHO, {})
    assert (found["name"], found["ssl"]) == (ACCOUNT, True)
    assert metadata.scopes == [[SQL_LOGIN]]


def test_each_new_connection_has_the_token_of_its_time(
    server: Server, connect: Connect, metadata: MetadataServer
) -> None:
    metadata.seconds = 60  # so near its end that none is kept
    database = connect()
    (first,) = database.rows(WHO, {})
    use_token(server, metadata, "token-2")
    assert database.rows(WHO, {}) == [first]  # a connection outlives its token
    server.run(f"SELECT pg_terminate_backend({first['pid']}, 10000)")
    (second,) = database.rows(WHO, {})
    assert second["pid"] != first["pid"]
    assert len(metadata.scopes) == 2


def test_a_connection_over_tls_is_kept_for_the_next_statement(
    connect: Connect, metadata: MetadataServer
) -> None:
    database = connect()
    assert len({database.rows(WHO, {})[0]["pid"] for _ in range(20)}) == 1


def test_a_password_in_the_url_is_used_as_it_is(
    server: Server, connect: Connect, metadata: MetadataServer
) -> None:
    (found,) = connect(url_of(server, password="token-1")).rows(WHO, {})
    assert (found["ssl"], metadata.scopes) == (True, [])


def test_without_a_ca_no_token_is_asked_for(connect: Connect, metadata: MetadataServer) -> None:
    with pytest.raises((DBAPIError, DatabaseUnavailableError)):
        connect(ca=None).rows(WHO, {})
    assert metadata.scopes == []


def test_a_token_that_the_database_refuses_is_not_repeated(
    server: Server, connect: Connect, metadata: MetadataServer
) -> None:
    metadata.token = "token-of-another"
    with pytest.raises(DBAPIError) as refused:
        connect().rows(WHO, {})
    assert sqlstate(refused.value) == "28P01"
    assert "token-of-another" not in f"{refused.value!r} {refused.value} {refused.value.__cause__!r}"


def test_no_token_is_the_databases_absence_and_not_an_unforeseen_error(
    connect: Connect, metadata: MetadataServer
) -> None:
    metadata.statuses = [404]
    with pytest.raises(DatabaseUnavailableError, match=r"no access token for the database: .* answers 404"):
        connect().rows(WHO, {})


def test_a_server_of_another_ca_is_refused(connect: Connect, metadata: MetadataServer) -> None:
    with pytest.raises(MisconfiguredError, match="not what URUMI_DATABASE_CA asks for"):
        connect(ca=Authority().pem).rows(WHO, {})


def test_a_rotation_is_two_cas_at_once(connect: Connect, metadata: MetadataServer) -> None:
    assert connect(ca=Authority("next").pem + AUTHORITY.pem).rows(WHO, {})


def test_a_name_in_the_url_must_be_in_the_certificate(
    server: Server, connect: Connect, metadata: MetadataServer
) -> None:
    with pytest.raises(MisconfiguredError, match="Hostname mismatch"):
        connect(url_of(server, "localhost")).rows(WHO, {})
    serve_tls(server, "project:instance", "localhost")
    assert connect(url_of(server, "localhost")).rows(WHO, {})


@pytest.mark.parametrize("answer", [b"N", b"E"])
def test_a_server_without_tls_is_told_nothing(
    server: Server, connect: Connect, metadata: MetadataServer, tmp_path: Path, answer: bytes
) -> None:
    listener = Listener(answer, AUTHORITY, tmp_path)
    with (
        listener.running() as port_,
        pytest.raises(DatabaseUnavailableError, match="the database does not speak TLS"),
    ):
        connect(url_of(server, port_=port_)).rows(WHO, {})
    assert len(listener.told) == 8


def test_a_server_of_another_ca_is_told_nothing(
    server: Server, connect: Connect, metadata: MetadataServer, tmp_path: Path
) -> None:
    listener = Listener(b"S", Authority("another"), tmp_path)
    with listener.running() as port_, pytest.raises(MisconfiguredError):
        connect(url_of(server, port_=port_)).rows(WHO, {})
    assert len(listener.told) == 8


def test_a_server_that_hangs_up_does_not_answer(
    server: Server, connect: Connect, metadata: MetadataServer
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as door:

        def hang_up() -> None:
            client, _ = door.accept()
            client.recv(8)
            client.sendall(b"S")
            client.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(DatabaseUnavailableError, match="the database does not answer"):
            connect(url_of(server, port_=door.getsockname()[1])).rows(WHO, {})
        thread.join()


def test_the_migrations_log_in_as_the_functions_do(server: Server, metadata: MetadataServer) -> None:
    settings = {"URUMI_DATABASE_CA": AUTHORITY.pem, "GCE_METADATA_HOST": metadata.address}
    server.run(f'CREATE DATABASE cloud OWNER "{ACCOUNT}"')
    server.run(f'ALTER ROLE "{ACCOUNT}" CREATEROLE')
    url = urlsplit(url_of(server))._replace(path="/cloud").geturl()
    done = run_migrate(url, "--cell", "eu", **settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert metadata.scopes == [[SQL_LOGIN]]
    other = run_migrate(url, **{**settings, "URUMI_DATABASE_CA": Authority().pem})
    assert other.returncode == 1
    assert "not what URUMI_DATABASE_CA asks for" in other.stderr
    wrong = run_migrate(url, **{**settings, "URUMI_DATABASE_CA": "no PEM"})
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("URUMI_DATABASE_CA: write it as PEM")
    assert "Traceback" not in other.stderr + wrong.stderr
