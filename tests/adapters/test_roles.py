"""Each function's login can do its own work and nobody else's."""

# ruff: noqa: S608 - statements are put together from constants only

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from control_plane.adapters.postgres_database import Database, sqlstate
from control_plane.adapters.postgres_dead_letters import PostgresParking
from control_plane.adapters.postgres_outbox import PostgresOutbox
from control_plane.domain.dead_letters import Answer, Kind, Message, Operator, Poison
from control_plane.domain.events import INTENTS
from control_plane.domain.rollout import Verdict
from control_plane.domain.store import MOVES, StoreState
from dev.machine import database, database_roles
from tests.adapters.backends import PostgresBackend, judged
from tests.adapters.granted import granted
from tests.builders import ACTOR, a_new_store
from tests.postgres_server import Server, database_name

MAY_NOT = "42501"  # insufficient_privilege
GOLDEN = Path(__file__).with_name("granted.txt")
USERS = database_roles.USERS
_S = StoreState
TABLES = (
    "alembic_version",
    "attempts",
    "audit",
    "cells",
    "dead_letters",
    "idempotency_keys",
    "moves",
    "operations",
    "orphans",
    "outbox",
    "states",
    "stores",
)
# Who makes which of MOVES; `*` stands for all states that lead there.
MOVERS: Mapping[str, set[tuple[str, str]]] = {
    "create_store": {("*", "DELETING"), ("FAILED", "QUEUED")},
    "provision": {("QUEUED", "PROVISIONING"), ("*", "UPDATING"), ("*", "FAILED")},
    "reconcile": {
        ("*", "READY"),
        ("READY", "DEGRADED"),
        ("UPDATING", "SUSPENDED"),
        ("DELETING", "DELETED"),
        ("PROVISIONING", "FAILED"),
        ("UPDATING", "FAILED"),
    },
    "operator": {("FAILED", "QUEUED")},
}

TO_EVERYBODY = (
    *(f"TRUNCATE {table} CASCADE" for table in TABLES),
    *(f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in TABLES),
    *(f"DELETE FROM {table}" for table in ("stores", "audit", "operations", "cells", "moves", "states")),
    "CREATE TABLE public.mine (x integer)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION public.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE FUNCTION public.refuse_any_change() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NEW; END'",
    "CREATE TRIGGER mine BEFORE UPDATE ON stores FOR EACH ROW EXECUTE FUNCTION refuse_any_change()",
    "DROP TRIGGER only_allowed_moves ON stores",
    "DROP TABLE audit",
    "ALTER TABLE audit ADD COLUMN mine text",
    "ALTER TABLE stores OWNER TO CURRENT_USER",
    "CREATE INDEX mine ON stores (title)",
    "SELECT refuse_any_change()",
    "INSERT INTO moves VALUES ('QUEUED', 'READY', '{}')",
    "UPDATE moves SET roles = '{urumi_create_store,urumi_provision,urumi_reconcile,urumi_operator}'",
    "INSERT INTO states VALUES ('HAPPY')",
    "UPDATE alembic_version SET version_num = '0001'",
    "INSERT INTO cells (id, name) VALUES (gen_random_uuid(), 'mine')",
    "UPDATE stores SET id = gen_random_uuid()",
    "UPDATE stores SET customer_id = gen_random_uuid()",
    "UPDATE stores SET name = 'mine', hostname = 'mine'",
    "UPDATE stores SET title = 'mine', admin_email = 'me@example.com'",
    "UPDATE stores SET plan = 'large'",
    "UPDATE stores SET cell = gen_random_uuid(), created_at = now()",
    "UPDATE audit SET reason = 'nothing happened'",
    "UPDATE operations SET reason = 'nothing happened'",
    "UPDATE outbox SET generation = 9",
    "UPDATE outbox SET transaction = pg_current_xact_id()",
    "UPDATE attempts SET began_at = now()",
    *(
        f"INSERT INTO audit (store_id, actor, cause, action, to_state, generation, {column})"
        f" VALUES (gen_random_uuid(), 'a', 'c', 'x', 'QUEUED', 1, {value})"
        for column, value in {
            "written_by": "'somebody else'",
            "transaction": "pg_current_xact_id()",
            "at": "now() - interval '1 day'",
            "id": "gen_random_uuid()",
        }.items()
    ),
    "INSERT INTO audit (store_id, actor, cause, action, to_state, generation, position)"
    " OVERRIDING SYSTEM VALUE VALUES (gen_random_uuid(), 'a', 'c', 'x', 'QUEUED', 1, 0)",
    "SET session_replication_role = replica",
    "SET SESSION AUTHORIZATION urumi",
    "SET ROLE urumi",
    "SET ROLE urumi_owner",
    "CREATE ROLE mine",
    "CREATE DATABASE mine",
    "ALTER ROLE urumi_owner PASSWORD 'mine'",
    "ALTER DEFAULT PRIVILEGES FOR ROLE urumi_owner GRANT ALL ON TABLES TO PUBLIC",
    "ALTER SYSTEM SET log_statement = 'all'",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY (SELECT 1) TO '/tmp/mine'",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT rolpassword FROM pg_authid",
)

_ORDER = (
    "INSERT INTO stores (id, customer_id, name, title, admin_email, plan, hostname, cell{more})"
    " SELECT gen_random_uuid(), gen_random_uuid(), 'n', 't', 'e', 'p', 'h', id{value} FROM cells"
)
_LEASE = tuple(
    f"UPDATE stores SET {change}"
    for change in ("lease_holder = 'me'", "lease_until = now()", "lease_token = 9")
)
_RELEASE = tuple(
    f"UPDATE stores SET {change}"
    for change in (
        "applied_generation = generation",
        "release_revision = 9",
        "release_digest = 'x'",
        "chart_version = '9'",
        "credentials_uid = 'x'",
    )
)
_OBSERVED = ("UPDATE stores SET observed_generation = 0", "UPDATE stores SET ready_at = now()")
_INTENT = ("UPDATE stores SET desired = 'deleted'", "UPDATE stores SET generation = generation + 1")
_PARK = (
    "INSERT INTO dead_letters (source, message_id, body, kind, reason) VALUES ('s', 'm', 'b', 'refused', 'r')"
)
_ANNOUNCE = "INSERT INTO outbox (id, store_id, generation) VALUES (gen_random_uuid(), gen_random_uuid(), 1)"
_ATTEMPT = (
    "INSERT INTO attempts (store_id, lease_token, holder, generation) VALUES (gen_random_uuid(), 1, 'h', 1)"
)
_OPERATE = "INSERT INTO operations (operator, action, subject) VALUES ('o', 'a', 's')"
_ORPHAN = "INSERT INTO orphans (cell, store_id) SELECT id, id FROM cells"
_KEY = (
    "INSERT INTO idempotency_keys (customer_id, key, body_digest, store_id)"
    " VALUES (gen_random_uuid(), 'k', 'd', gen_random_uuid())"
)

TO_ONE: Mapping[str, tuple[str, ...]] = {
    "create_store": (
        *_LEASE,
        *_RELEASE,
        *_OBSERVED,
        _ORDER.format(more=", state", value=", 'READY'"),
        _ORDER.format(more=", applied_generation", value=", 1"),
        _ORDER.format(more=", lease_until", value=", now()"),
        "SELECT lease_holder FROM stores",
        "SELECT written_by FROM audit",
        "SELECT generation FROM outbox",
        "SELECT holder FROM attempts",
        "SELECT body FROM dead_letters",
        "SELECT store_id FROM orphans",
        "SELECT reason FROM operations",
        "SELECT watermark FROM cells",
        "UPDATE cells SET pass_until = now()",
        "DELETE FROM outbox",
        "DELETE FROM idempotency_keys",
        _ATTEMPT,
        _PARK,
        _ORPHAN,
        _OPERATE,
    ),
    "provision": (
        *_INTENT,
        *_OBSERVED,
        _ORDER.format(more="", value=""),
        "SELECT key FROM idempotency_keys",
        "UPDATE idempotency_keys SET body_digest = 'x'",
        "DELETE FROM idempotency_keys",
        _KEY,
        "SELECT watermark FROM cells",
        "UPDATE cells SET pass_until = now()",
        "SELECT reason FROM audit",
        "SELECT store_id FROM outbox",
        "UPDATE outbox SET published_at = now()",
        "DELETE FROM outbox",
        _ANNOUNCE,
        "SELECT holder FROM attempts",
        "DELETE FROM attempts",
        "INSERT INTO attempts (store_id, lease_token, holder, generation, began_at)"
        " VALUES (gen_random_uuid(), 1, 'h', 1, now())",
        "DELETE FROM dead_letters",
        "UPDATE dead_letters SET source = 'x'",
        "UPDATE orphans SET removal_at = now()",
        "DELETE FROM orphans",
        _ORPHAN,
        "SELECT reason FROM operations",
        _OPERATE,
    ),
    "reconcile": (
        *_LEASE,
        *_RELEASE,
        *_INTENT,
        _ORDER.format(more="", value=""),
        "UPDATE stores SET failures = 0",
        "UPDATE stores SET next_attempt_at = now()",
        *(
            f"SELECT {column} FROM stores"
            for column in ("customer_id", "name", "title", "admin_email", "hostname")
        ),
        "SELECT credentials_uid FROM stores",
        "SELECT key FROM idempotency_keys",
        "UPDATE idempotency_keys SET created_at = now()",
        _KEY,
        "SELECT reason FROM audit",
        "SELECT holder FROM attempts",
        _ATTEMPT,
        "SELECT body FROM dead_letters",
        "UPDATE dead_letters SET body = 'x'",
        "UPDATE orphans SET quarantined_at = now()",
        "UPDATE orphans SET removal_at = now()",
        "UPDATE cells SET name = 'x'",
        "SELECT reason FROM operations",
        _OPERATE,
    ),
    "operator": (
        *_LEASE,
        *_RELEASE,
        *_OBSERVED,
        "UPDATE stores SET desired = 'deleted'",
        _ORDER.format(more="", value=""),
        _KEY,
        "DELETE FROM idempotency_keys",
        "UPDATE cells SET pass_until = now()",
        "UPDATE outbox SET published_at = now()",
        "DELETE FROM outbox",
        _ATTEMPT,
        "DELETE FROM attempts",
        _PARK,
        "UPDATE dead_letters SET body = 'x'",
        "UPDATE dead_letters SET reason = 'x'",
        "DELETE FROM dead_letters",
        _ORPHAN,
        "UPDATE orphans SET quarantined_at = now()",
        "DELETE FROM orphans",
        "INSERT INTO operations (operator, action, subject, written_by) VALUES ('o', 'a', 's', 'x')",
        "INSERT INTO operations (operator, action, subject, at) VALUES ('o', 'a', 's', now())",
    ),
}


def refusal(login: Database, statement: str, **parameters: object) -> str:
    """The SQLSTATE with which the database refuses it; empty if it does not."""
    try:
        login.rows(text(statement), parameters)
    except DBAPIError as error:
        return sqlstate(error)
    return ""


def a_stored(real: PostgresBackend) -> UUID:
    return real.stores.add(a_new_store(), None, ACTOR).store.id


def a_waiting_letter(real: PostgresBackend, parking: PostgresParking) -> Poison:
    poison = Poison(INTENTS, Message(str(uuid4()), b"poison"), Kind.MALFORMED, "it is not JSON")
    parking.park([poison])
    return poison


@pytest.mark.parametrize("user", USERS)
def test_what_nobody_may_is_refused_to_each(real: PostgresBackend, user: str) -> None:
    a_stored(real)
    others = {f"urumi_{other}" for other in USERS if other != user}
    statements = (*TO_EVERYBODY, *(f"SET ROLE {other}" for other in sorted(others)))
    login = real.functions[user]
    assert {each: code for each in statements if (code := refusal(login, each)) != MAY_NOT} == {}


@pytest.mark.parametrize("user", USERS)
def test_the_work_of_others_is_refused(real: PostgresBackend, user: str) -> None:
    real.work.take(a_stored(real), seconds=30)
    login = real.functions[user]
    assert {each: code for each in TO_ONE[user] if (code := refusal(login, each)) != MAY_NOT} == {}


@pytest.mark.parametrize("user", USERS)
def test_each_makes_its_own_moves_only(real: PostgresBackend, user: str) -> None:
    store_id = a_stored(real)
    expected, seen = {}, {}
    for before, after in ((before, after) for before, afters in MOVES.items() for after in afters):
        mine = {(before, after), ("*", after)} & MOVERS[user]
        expected[before, after] = "" if mine else MAY_NOT
        real.put(store_id, state=before, reason="because")
        move = "UPDATE stores SET state = :after, reason = 'because' WHERE id = :id"
        seen[before, after] = refusal(real.functions[user], move, after=after, id=store_id)
        assert real.value(store_id, "state") == (after if mine else before)
    assert seen == expected


def test_a_writer_cannot_put_a_table_of_moves_of_its_own_in_between(
    real: PostgresBackend, postgres: Server, database_url: str
) -> None:
    store_id = a_stored(real)
    real.put(store_id, state="PROVISIONING")
    connection = database.connect(postgres.logins(database_url)["provision"])
    try:
        connection.run("CREATE TEMPORARY TABLE moves (from_state text, to_state text, roles text[])")
        connection.run("INSERT INTO moves VALUES ('PROVISIONING', 'READY', '{urumi_provision}')")
        connection.run("SET search_path = pg_temp, public")
        with pytest.raises(Exception, match="may not move"):
            connection.run("UPDATE public.stores SET state = 'READY' WHERE id = :id", id=store_id)
    finally:
        connection.close()


def test_only_an_operator_answers_a_letter(real: PostgresBackend) -> None:
    poison = a_waiting_letter(real, PostgresParking(real.functions["provision"]))
    answer = "UPDATE dead_letters SET answer = 'discarded', answered_at = clock_timestamp()"
    for user in ("create_store", "provision", "reconcile"):
        assert refusal(real.functions[user], answer) == MAY_NOT
    (letter,) = real.letters.letters(answered=False, limit=2)
    real.letters.answer(letter.id, Answer.DISCARDED, Operator("anna", "seen"))
    real.parking.park([poison])  # it waits again, whoever parks it
    assert [each.id for each in real.letters.letters(answered=False, limit=2)] == [letter.id]


@pytest.mark.parametrize("table", ["dead_letters", "outbox"])
def test_what_still_waits_is_removed_by_nobody(real: PostgresBackend, table: str) -> None:
    a_stored(real)
    a_waiting_letter(real, PostgresParking(real.functions["reconcile"]))
    for login in (real.functions["reconcile"], real.database):
        assert refusal(login, f"DELETE FROM {table}") == MAY_NOT


def test_the_api_ticks_off_what_it_has_published(real: PostgresBackend) -> None:
    announced = real.stores.add(a_new_store(), None, ACTOR).announcement
    assert announced
    PostgresOutbox(real.functions["create_store"]).mark_published([announced.id])
    assert real.said(announced.intent.store_id) == [(1, True)]


@pytest.mark.parametrize("user", ["provision", "reconcile"])
def test_both_who_meet_poison_park_it(real: PostgresBackend, user: str) -> None:
    parking = PostgresParking(real.functions[user])
    poison = a_waiting_letter(real, parking)
    parking.park([poison])
    (letter,) = real.letters.letters(answered=False, limit=2)
    assert letter.deliveries == 2


def test_an_operator_reads_everything(real: PostgresBackend) -> None:
    found = real.database.rows(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"), {})
    assert {row["tablename"] for row in found} == set(TABLES)
    for table in TABLES:
        assert refusal(real.functions["operator"], f"SELECT * FROM {table}") == ""


def test_the_record_tells_who_wrote_whatever_the_writer_says(
    real: PostgresBackend, postgres: Server, database_url: str
) -> None:
    store_id = a_stored(real)
    leased = real.work.take(store_id, seconds=30)
    assert leased
    real.work.begin(leased, ACTOR)
    real.work.record_release(leased, revision=1, digest="d", chart_version="1", deadline=60, actor=ACTOR)
    judged(real, [Verdict(store_id, 1, _S.PROVISIONING, _S.FAILED, "late")], ACTOR)
    real.parking.park([Poison(INTENTS, Message("1", b""), Kind.MALFORMED, "x")])
    (letter,) = real.letters.letters(answered=False, limit=2)
    real.letters.answer(letter.id, Answer.DISCARDED, Operator("anna", "seen"))
    names = {user: database.user(url) for user, url in postgres.logins(database_url).items()}
    audit = real.database.rows(text("SELECT action, written_by FROM audit ORDER BY position"), {})
    assert [(row["action"], row["written_by"]) for row in audit] == [
        ("created", names["create_store"]),
        ("begun", names["provision"]),
        ("release applied", names["provision"]),
        ("observed", names["reconcile"]),
    ]
    operations = real.database.rows(text("SELECT written_by FROM operations"), {})
    assert [row["written_by"] for row in operations] == [names["operator"]]


def test_all_belongs_to_the_owner_and_nothing_to_the_roles(real: PostgresBackend) -> None:
    # Of every database of this server: tables, functions, types, schemas and the databases themselves.
    owners = text("""
        SELECT DISTINCT rolname FROM pg_shdepend JOIN pg_roles ON pg_roles.oid = refobjid
        WHERE refclassid = CAST('pg_authid' AS regclass) AND deptype = 'o'
    """)
    assert [row["rolname"] for row in real.database.rows(owners, {})] == [database_roles.OWNER]
    # What belongs to the server's superuser is not told there.
    others = text("""
        SELECT relname FROM pg_class WHERE relnamespace = CAST('public' AS regnamespace)
            AND relowner <> CAST(:owner AS regrole)
    """)
    assert real.database.rows(others, {"owner": database_roles.OWNER}) == []


def test_no_role_has_powers_over_the_server(
    real: PostgresBackend, postgres: Server, database_url: str
) -> None:
    rows = real.database.rows(
        text("""
        SELECT rolname, rolcanlogin, rolcreaterole,
            rolsuper OR rolcreatedb OR rolreplication OR rolbypassrls AS mighty,
            ARRAY(SELECT CAST(CAST(roleid AS regrole) AS text) FROM pg_auth_members
                  WHERE member = pg_roles.oid ORDER BY 1) AS member_of
        FROM pg_roles WHERE rolname LIKE 'urumi\\_%'
    """),
        {},
    )
    seen = {row["rolname"]: tuple(row.values())[1:] for row in rows}
    owner = seen.pop(database_roles.OWNER)
    assert owner[:3] == (True, True, False)
    logins = postgres.logins(database_url)
    expected = {f"urumi_{user}": (False, False, False, []) for user in USERS}
    expected |= {database.user(logins[user]): (True, False, False, [f"urumi_{user}"]) for user in USERS}
    assert seen == expected


@pytest.fixture
def fresh(postgres: Server):
    """The URL of a database that was migrated itself: a copy lacks the rights on the database."""
    url = postgres.empty_database()
    postgres.migrate(url)
    yield url
    postgres.drop(url)


def test_nothing_is_granted_but_what_is_written_down(fresh: str) -> None:
    found = granted(fresh)
    again = ".venv/bin/python -m tests.adapters.granted > tests/adapters/granted.txt"
    assert found == GOLDEN.read_text(), f"if each of these is meant: {again}"


@pytest.mark.parametrize("user", USERS)
def test_nobody_makes_temporary_tables(postgres: Server, fresh: str, user: str) -> None:
    connection = database.connect(postgres.logins(fresh)[user])
    try:
        with pytest.raises(Exception, match="permission denied to create temporary tables"):
            connection.run("CREATE TEMPORARY TABLE mine (x integer)")
    finally:
        connection.close()


def test_whoever_is_no_member_sees_nothing(postgres: Server, fresh: str) -> None:
    postgres.run("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    try:
        url = f"postgresql+pg8000://stranger:stranger@{fresh.rpartition('@')[2]}"
        with pytest.raises(Exception, match="permission denied for database"):
            database.connect(url)
        postgres.run(f"GRANT CONNECT ON DATABASE {database_name(fresh)} TO stranger")
        connection = database.connect(url)
        try:
            for table in TABLES:
                with pytest.raises(Exception, match="permission denied for schema public"):
                    connection.run(f"SELECT * FROM public.{table}")
        finally:
            connection.close()
    finally:
        postgres.run(f"REVOKE ALL ON DATABASE {database_name(fresh)} FROM stranger")
        postgres.run("DROP ROLE stranger")
