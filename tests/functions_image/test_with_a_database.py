"""The image against a real Postgres: it migrates one, the API accepts a store, the console signs in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dev.machine import customers, database
from dev.machine.place import Place
from tests.builders import CELL
from tests.functions_image.asking import create, sign_in
from tests.functions_image.cloud_run import Instance
from tests.functions_image.forward import forwarded
from tests.functions_image.settings import DATABASE_PORT, settings
from tests.postgres_server import Server


def inside(url: str) -> str:
    """The same database from inside an instance."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{DATABASE_PORT}").geturl()


@pytest.fixture
def empty(postgres: Server) -> Iterator[str]:
    url = postgres.empty_database()
    yield url
    postgres.drop(url)


def test_it_migrates_a_database_accepts_a_store_and_signs_in(
    postgres: Server, empty: str, new: Callable[[], Instance], tmp_path: Path
) -> None:
    parts = urlsplit(empty)
    server = (str(parts.hostname), int(parts.port or 0))
    job = new().start({}, ["sleep", "600"])
    with forwarded(job, DATABASE_PORT, server):
        for _ in range(2):  # a Cloud Run job may be started again
            migrated = job.execute(
                *("python", "-m", "control_plane.migrate", "--cell", CELL),
                settings={"DATABASE_URL": inside(postgres.owner(empty))},
            )
            assert migrated == (0, "")
    postgres.let_in(empty)
    customers.register(Place(tmp_path), empty)
    token = customers.customers(Place(tmp_path))[0].token

    login = inside(postgres.logins(empty)["create_store"])
    api = new().serve({**settings("create_store"), "DATABASE_URL": login, "URUMI_NEW_STORES_CELL": CELL})
    with forwarded(api, DATABASE_PORT, server):
        accepted = create(api, token)
    assert accepted.status_code == 202, accepted.text
    assert accepted.json()["state"] == "QUEUED"
    connection = database.connect(empty)
    try:
        assert connection.run("SELECT state, (SELECT count(*) FROM outbox) FROM stores") == [["QUEUED", 1]]
    finally:
        connection.close()

    account = customers.customers(Place(tmp_path))[0].id
    with closing(database.connect(postgres.logins(empty)["operator"])) as desk:
        desk.run("INSERT INTO sign_ins (account_id, digest) VALUES (:id, sha256('a-secret'))", id=account)
    login = inside(postgres.logins(empty)["console"])
    console = new().serve({**settings("console"), "DATABASE_URL": login})
    with forwarded(console, DATABASE_PORT, server):
        assert [sign_in(console, "a-secret").status_code for _ in range(2)] == [303, 403]
