"""Each function's login can do its own work and nobody else's."""

# ruff: noqa: S608 - statements are put together from constants only

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from control_plane.adapters.postgres_database import Database, sqlstate
from control_plane.adapters.postgres_dead_letters import PostgresParking
from control_plane.domain.accounts import Scope, TokenShown
from control_plane.domain.dead_letters import Answer, Kind, Message, Operator, Poison
from control_plane.domain.events import INTENTS
from control_plane.domain.people import OnceShown
from control_plane.domain.rollout import Verdict
from control_plane.domain.store import MOVES, StoreState
from control_plane.use_cases.create_token import digest_of
from dev.machine import database, database_roles
from tests import postgres_server
from tests.adapters.backends import PostgresBackend, judged
from tests.adapters.granted import granted
from tests.builders import ACTOR, CUSTOMER, STRANGER, a_new_store
from tests.postgres_server import Server, database_name

MAY_NOT = "42501"  # insufficient_privilege
GOLDEN = Path(__file__).with_name("granted.txt")
API, CONSOLE = "create_store", "console"
USERS = database_roles.USERS
_S = StoreState
SHOWN = TokenShown(digest_of("a customer's"))
_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = CAST(:name AS regclass) AND attnum > 0"
_WITH_DIGESTS = ("tokens", "sessions", "sign_ins")
TABLES = (
    "account_audit",
    "accounts",
    "alembic_version",
    "attempts",
    "audit",
    "billing_facts",
    "cells",
    "dead_letters",
    "idempotency_keys",
    "identities",
    "links",
    "members",
    "moves",
    "operations",
    "orphans",
    "outbox",
    "people",
    "sessions",
    "sign_ins",
    "states",
    "store_events",
    "stores",
    "subscriptions",
    "time_offset",
    "tokens",
    "unclaimed",
)
# Behind the wall, with a column that each who may read the table may read.
WALLED = {
    "account_audit": "subject",
    "accounts": "id",
    "audit": "action",
    "billing_facts": "source",
    "dead_letters": "source",
    "idempotency_keys": "created_at",
    "identities": "issuer",
    "links": "customer",
    "members": "role",
    "people": "id",
    "sessions": "expires_at",
    "sign_ins": "expires_at",
    "stores": "id",
    "subscriptions": "id",
    "tokens": "id",
    "unclaimed": "made_at",
}
# Who makes which of MOVES; `*` stands for all states that lead there.
MOVERS: Mapping[str, set[tuple[str, str]]] = {
    "create_store": {("*", "DELETING"), ("FAILED", "QUEUED")},
    "console": {("*", "DELETING"), ("FAILED", "QUEUED")},
    "billing_event": {("*", "DELETING"), ("FAILED", "QUEUED")},
    "provision": {("QUEUED", "PROVISIONING"), ("*", "UPDATING"), ("*", "FAILED")},
    "reconcile": {
        ("*", "READY"),
        ("READY", "DEGRADED"),
        ("UPDATING", "SUSPENDED"),
        ("PROVISIONING", "SUSPENDED"),
        ("*", "DELETING"),
        ("FAILED", "QUEUED"),
        ("DELETING", "DELETED"),
        ("PROVISIONING", "FAILED"),
        ("UPDATING", "FAILED"),
    },
    "operator": {("FAILED", "QUEUED")},
}

TO_EVERYBODY = (
    *(f"TRUNCATE {table} CASCADE" for table in TABLES),
    *(f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in TABLES),
    *(
        f"DELETE FROM {table}"
        for table in ("stores", "audit", "operations", "cells", "moves", "states", "accounts", "tokens")
    ),
    "DELETE FROM account_audit",
    *(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY" for table in WALLED),
    *(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY" for table in WALLED),
    *(f"DROP POLICY {policy} ON {table}" for table in WALLED for policy in ("account", "platform", "owner")),
    *(f"ALTER POLICY account ON {table} USING (true)" for table in WALLED),
    *(f"CREATE POLICY mine ON {table} USING (true)" for table in WALLED),
    # It is no way around: whoever reads with it gets an error and no rows.
    *(f"SET row_security = off; SELECT {column} FROM {table}" for table, column in WALLED.items()),
    "ALTER ROLE CURRENT_USER BYPASSRLS",
    "SELECT account_of('i', 'c', 'n')",
    "SELECT person_of('i', 's')",
    "SELECT admitted(gen_random_uuid(), gen_random_uuid(), 'i', 's', 'e', 'n')",
    "SELECT digest FROM sessions",
    "SELECT digest FROM sign_ins",
    "UPDATE sessions SET digest = sha256('mine')",
    "UPDATE sessions SET role = 'operator'",
    "UPDATE sessions SET account_id = gen_random_uuid(), person_id = gen_random_uuid()",
    "UPDATE sessions SET expires_at = now(), seen_at = now()",
    "UPDATE members SET account_id = gen_random_uuid()",
    "UPDATE members SET person_id = gen_random_uuid()",
    "UPDATE identities SET person_id = gen_random_uuid()",
    "UPDATE sign_ins SET used_at = NULL",
    "INSERT INTO people (name) VALUES ('n')",
    "INSERT INTO members (account_id, person_id, role)"
    " VALUES (gen_random_uuid(), gen_random_uuid(), 'owner')",
    "INSERT INTO identities (issuer, subject, person_id) VALUES ('i', 's', gen_random_uuid())",
    "CREATE OR REPLACE FUNCTION public.entered_as_staff() RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "ALTER FUNCTION entered_account() RESET ALL",
    "DROP FUNCTION enter(jsonb)",
    "SELECT digest FROM tokens",
    "UPDATE tokens SET digest = sha256('mine')",
    "UPDATE tokens SET role = 'operator'",
    "UPDATE tokens SET scopes = '{stores:read}'",
    "UPDATE tokens SET account_id = gen_random_uuid()",
    "UPDATE tokens SET expires_at = NULL",
    "UPDATE tokens SET last_used_at = NULL, created_at = now()",
    "INSERT INTO tokens (account_id, name, prefix, digest, scopes, created_at)"
    " SELECT id, 'n', 'p', sha256('x'), '{}', now() FROM accounts LIMIT 1",
    "UPDATE accounts SET requests_left = 'Infinity'",
    "UPDATE accounts SET requests_at = now()",
    "UPDATE links SET account_id = gen_random_uuid()",
    "UPDATE account_audit SET actor = 'nobody'",
    *(
        f"INSERT INTO account_audit (account_id, actor, cause, action, subject, {column})"
        f" VALUES (gen_random_uuid(), 'a', 'c', 'x', 's', {value})"
        for column, value in {
            "written_by": "'somebody else'",
            "at": "now() - interval '1 day'",
            "id": "gen_random_uuid()",
        }.items()
    ),
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
    "UPDATE stores SET title = 'mine', admin_email = 'me@example.com'",
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
_MOVE = ("UPDATE stores SET name = 'mine', hostname = 'mine'",)
_PLAN = ("UPDATE stores SET plan = 'large'",)
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

_ACCOUNT = "INSERT INTO accounts (id) VALUES (gen_random_uuid())"
_LINK = (
    "INSERT INTO links (kind, issuer, customer, account_id)"
    " SELECT 'identity', 'i', 'c', {account} FROM accounts LIMIT 1"
)
_TOKEN = (
    "INSERT INTO tokens (account_id, name, prefix, digest, scopes{more})"
    " SELECT {account}, 'n', 'p', sha256('x'), '{{}}'{value} FROM accounts LIMIT 1"
)
_SESSION = (
    "INSERT INTO sessions (digest, person_id, account_id, role, browser)"
    " SELECT sha256('x'), person_id, account_id, 'customer', 'b' FROM members"
)
_TOLD = (
    "INSERT INTO account_audit (account_id, actor, cause, action, subject)"
    " VALUES ({account}, 'a', 'c', 'x', 's')"
)
_FACT = (
    "INSERT INTO billing_facts (source, event_id, kind, occurred_at, fingerprint)"
    " VALUES ('s', 'e', 'unknown', now(), 'f')"
)
_ADDRESS = "UPDATE billing_facts SET admin_email = 'e'"
_SUBSCRIPTION = (
    "INSERT INTO subscriptions (id, source, customer, account_id) VALUES ('s', 'b', 'c', gen_random_uuid())"
)
_NOT_BILLING = (
    _FACT,
    _ADDRESS,
    _SUBSCRIPTION,
    "SELECT kind FROM billing_facts",
    "SELECT billed_account('s', 'c', 'x')",
    "UPDATE subscriptions SET store_id = NULL",
    "UPDATE subscriptions SET status = 'active', due_at = NULL",
    "DELETE FROM billing_facts",
    "DELETE FROM subscriptions",
)
_NOT_ENTERED = (
    "SELECT id FROM accounts",
    "SELECT plan FROM accounts",
    "SELECT customer FROM links",
    "SELECT id FROM tokens",
    "SELECT subject FROM account_audit",
    "SELECT enter('{}')",
    "SELECT leave('', '')",
    "SELECT name FROM people",
    "SELECT role FROM members",
    "SELECT subject FROM identities",
    "SELECT browser FROM sessions",
    "UPDATE sessions SET ended_at = now()",
    "SELECT account_id FROM sign_ins",
    "INSERT INTO sign_ins (digest, account_id) VALUES (sha256('x'), gen_random_uuid())",
    "UPDATE accounts SET plan = 'partner'",
    "UPDATE tokens SET revoked_at = now()",
    "DELETE FROM links",
    _ACCOUNT,
    _LINK.format(account="id"),
    _TOKEN.format(account="gen_random_uuid()", more="", value=""),
    _TOLD.format(account="gen_random_uuid()"),
)

# Each in a transaction of a customer who entered, so that the wall does not stand before the rights.
_ENTERED = (
    *_NOT_BILLING,
    "SELECT customer FROM subscriptions",
    "SELECT requests_left FROM accounts",
    "SELECT role FROM tokens",
    "SELECT customer FROM links",
    "SELECT subject FROM account_audit",
    "SELECT subject FROM identities",
    "SELECT account_id FROM sign_ins",
    "INSERT INTO sign_ins (digest, account_id) SELECT sha256('x'), id FROM accounts",
    "UPDATE people SET name = 'n'",
    "UPDATE stores SET admin_email = 'e'",
    "DELETE FROM people",
    "DELETE FROM members",
    "DELETE FROM sessions",
    "INSERT INTO sessions (digest, person_id, account_id, role, browser, expires_at)"
    " SELECT sha256('x'), person_id, account_id, 'customer', 'b', 'infinity' FROM members",
    "UPDATE accounts SET plan = 'partner'",
    "DELETE FROM links",
    "UPDATE stores SET admin_made = 0",
    _ACCOUNT,
    _LINK.format(account="id"),
    *(
        _TOKEN.format(account="id", more=f", {column}", value=f", {value}")
        for column, value in {
            "role": "'operator'",
            "revoked_at": "now()",
            "last_used_at": "now()",
        }.items()
    ),
    # With the rights, and for a stranger: here it is the wall.
    _TOKEN.format(account=f"'{STRANGER}'", more="", value=""),
    _TOLD.format(account=f"'{STRANGER}'"),
    _TOLD.format(account="gen_random_uuid()"),
    _KEY,
    _ORDER.format(more="", value=""),
    *_LEASE,
    *_RELEASE,
    *_OBSERVED,
    _ORDER.format(more=", state", value=", 'READY'"),
    _ORDER.format(more=", applied_generation", value=", 1"),
    _ORDER.format(more=", lease_until", value=", now()"),
    "SELECT lease_holder FROM stores",
    "SELECT written_by FROM audit",
    "SELECT id FROM outbox",
    "UPDATE outbox SET published_at = now()",
    "SELECT generation FROM attempts",
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
)

TO_ONE: Mapping[str, tuple[str, ...]] = {
    # It lets nobody sign in or out: that is the console's.
    "create_store": (*_ENTERED, _SESSION, "SELECT leave('', '')"),
    # It makes no tokens: those are the API's.
    "console": (*_ENTERED, _TOKEN.format(account="id", more="", value="")),
    "provision": (
        *_NOT_ENTERED,
        *_NOT_BILLING,
        *_INTENT,
        *_MOVE,
        *_PLAN,
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
    # It keeps the deadlines of subscriptions, and makes the store that had to wait for another's end.
    "reconcile": (
        *_NOT_ENTERED,
        *_LEASE,
        *_RELEASE,
        *_MOVE,
        _FACT,
        _ADDRESS,
        _SUBSCRIPTION,
        "SELECT billed_account('s', 'c', 'x')",
        "UPDATE subscriptions SET account_id = gen_random_uuid()",
        "DELETE FROM billing_facts",
        "DELETE FROM subscriptions",
        _ORDER.format(more=", state", value=", 'READY'"),
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
    "billing_event": (
        *_NOT_ENTERED,
        *_LEASE,
        *_RELEASE,
        *_OBSERVED,
        *_MOVE,
        _ADDRESS,
        "UPDATE billing_facts SET kind = 'canceled'",
        "INSERT INTO billing_facts (source, event_id, kind, occurred_at, fingerprint, received_at)"
        " VALUES ('s', 'e', 'unknown', now(), 'f', now())",
        "UPDATE subscriptions SET account_id = gen_random_uuid()",
        "UPDATE subscriptions SET customer = 'c'",
        "DELETE FROM billing_facts",
        "DELETE FROM subscriptions",
        _ORDER.format(more=", state", value=", 'READY'"),
        _ORDER.format(more=", holds", value=", '{}'"),
        "SELECT lease_holder FROM stores",
        "SELECT reason FROM audit",
        "SELECT id FROM outbox",
        "DELETE FROM outbox",
        "DELETE FROM idempotency_keys",
        "SELECT holder FROM attempts",
        "SELECT body FROM dead_letters",
        "UPDATE dead_letters SET body = 'x'",
        "DELETE FROM dead_letters",
        "SELECT store_id FROM orphans",
        "SELECT reason FROM operations",
        "SELECT watermark FROM cells",
        "UPDATE cells SET pass_until = now()",
        "SELECT sealed FROM unclaimed",
        _ATTEMPT,
        _ORPHAN,
        _OPERATE,
    ),
    "operator": (
        *_MOVE,
        *_PLAN,
        _FACT,
        _SUBSCRIPTION,
        "SELECT billed_account('s', 'c', 'x')",
        "UPDATE subscriptions SET store_id = NULL",
        "UPDATE billing_facts SET kind = 'canceled'",
        "SELECT enter('{}')",
        "SELECT leave('', '')",
        "INSERT INTO sign_ins (digest, account_id, expires_at)"
        " SELECT sha256('x'), id, 'infinity' FROM accounts",
        "DELETE FROM people",
        "DELETE FROM members",
        "DELETE FROM sessions",
        "INSERT INTO accounts (requests_left) VALUES ('Infinity')",
        _TOKEN.format(account="id", more=", last_used_at", value=", now()"),
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


def refusal_to(real: PostgresBackend, user: str, statement: str, **parameters: object) -> str:
    """The same of a function as it works: API and console in a transaction of a customer who entered."""
    accounts = {API: real.accounts, CONSOLE: real.console}.get(user)
    if accounts is None:
        return refusal(real.functions[user], statement, **parameters)
    try:
        with accounts.enter(SHOWN, Scope.READ) as transaction:
            transaction.stores._session.rows(text(statement), parameters)
    except DBAPIError as error:
        return sqlstate(error)
    return ""


@pytest.fixture
def entered(real: PostgresBackend) -> PostgresBackend:
    """Where a customer has a token, and a stranger has one too."""
    real.let_in(CUSTOMER, SHOWN.digest)
    real.let_in(STRANGER, digest_of("theirs"))
    return real


# What `granted` does not tell: which rows, and whose rights a function has.
_WALLS = """
SELECT tablename, concat_ws(', ',
    CASE WHEN relrowsecurity THEN 'walled' ELSE 'open' END, CASE WHEN relforcerowsecurity THEN 'forced' END,
    CASE WHEN relowner <> 'urumi_owner'::regrole THEN 'owned by ' || relowner::regrole END)
FROM pg_tables JOIN pg_class ON oid = format('%I.%I', schemaname, tablename)::regclass
WHERE schemaname = 'public' ORDER BY tablename COLLATE "C"
"""
_POLICIES = r"""
SELECT tablename, format('%s, %s, to %s: sees %s, writes %s', policyname,
    lower(concat_ws(' ', NULLIF(permissive, 'PERMISSIVE'), cmd)),
    (SELECT string_agg(each, ', ' ORDER BY each) FROM unnest(roles) AS each),
    regexp_replace(COALESCE(qual, '-'), '\s+', ' ', 'g'),
    regexp_replace(COALESCE(with_check, '-'), '\s+', ' ', 'g'))
FROM pg_policies WHERE schemaname = 'public' ORDER BY tablename, policyname
"""
_FUNCTIONS = """
SELECT format('%s: %s rights, %s', oid::regprocedure,
    CASE WHEN prosecdef THEN 'its owner''s' ELSE 'its caller''s' END, array_to_string(proconfig, '; '))
FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY proname COLLATE "C"
"""


def walls(url: str) -> str:
    """Which tables are behind the wall, with which policies, and with whose rights functions run."""
    connection = database.connect(url)
    try:
        flags = connection.run(_WALLS)
        rules = {
            table: [rule for _, rule in theirs]
            for table, theirs in groupby(connection.run(_POLICIES), key=lambda each: each[0])
        }
        functions = [each for (each,) in connection.run(_FUNCTIONS)]
    finally:
        connection.close()
    lines = ["rows"]
    for table, flag in flags:
        lines += [f"    {table}: {flag}", *(f"        {rule}" for rule in rules.get(table, []))]
    lines += ["functions", *(f"    {each}" for each in functions)]
    return "\n".join(lines) + "\n"


def granted_and_walled(url: str) -> str:
    """All of `granted.txt`. `url` is the superuser's."""
    return granted(url) + walls(url)


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
def test_the_work_of_others_is_refused(entered: PostgresBackend, user: str) -> None:
    entered.work.take(a_stored(entered), seconds=30)
    assert {each: code for each in TO_ONE[user] if (code := refusal_to(entered, user, each)) != MAY_NOT} == {}


def test_the_api_changes_nothing_of_strangers_and_nothing_without_entering(entered: PostgresBackend) -> None:
    a_stored(entered)
    entered.stores.add(a_new_store(customer_id=STRANGER), None, ACTOR)
    theirs = [
        f"SELECT xmin::text FROM {table} WHERE {column} = '{STRANGER}'"
        for table, column in {"stores": "customer_id", "tokens": "account_id"}.items()
    ]
    attacks = (
        "UPDATE tokens SET revoked_at = now()",
        f"UPDATE tokens SET revoked_at = now() WHERE account_id = '{STRANGER}'",
        "UPDATE stores SET title = 'mine'",
        f"UPDATE stores SET title = 'mine' WHERE customer_id = '{STRANGER}'",
        f"UPDATE idempotency_keys SET body_digest = 'mine' WHERE customer_id = '{STRANGER}'",
    )
    before = [entered.back_door.run(each) for each in theirs]
    for attack in attacks:
        assert refusal(entered.functions[API], attack) == ""  # nothing is found
    assert entered.back_door.run("SELECT FROM tokens WHERE revoked_at IS NOT NULL") == []
    assert entered.back_door.run("SELECT FROM stores WHERE title = 'mine'") == []
    for attack in reversed(attacks):
        assert refusal_to(entered, API, attack) == ""  # one's own only; the last revokes the token itself
    assert [entered.back_door.run(each) for each in theirs] == before
    assert entered.functions[API].rows(text("SELECT id FROM stores"), {}) == []
    assert entered.functions[API].rows(text("SELECT id FROM tokens"), {}) == []


def test_only_the_console_lets_a_browser_in_and_what_others_tried_uses_nothing_up(
    entered: PostgresBackend,
) -> None:
    entered.let_sign_in(CUSTOMER, digest := digest_of("an address"))
    with pytest.raises(DBAPIError) as error, entered.accounts.enter(OnceShown(digest), Scope.READ):
        pass
    assert sqlstate(error.value) == MAY_NOT
    with entered.console.enter(OnceShown(digest), Scope.READ) as transaction:
        assert transaction.caller.account == CUSTOMER


_RIGHTS = """
    SELECT table_name, column_name, privilege_type FROM information_schema.column_privileges
    WHERE grantee = :role
    UNION SELECT table_name, '', privilege_type FROM information_schema.table_privileges WHERE grantee = :role
    UNION SELECT routine_name, '', privilege_type FROM information_schema.routine_privileges
    WHERE grantee = :role
"""


def test_the_console_may_what_the_api_may_but_make_tokens_and_lets_people_in_and_out(
    real: PostgresBackend,
) -> None:
    def rights(user: str) -> set[tuple[str, str, str]]:
        rows = real.back_door.run(_RIGHTS, role=f"urumi_{user}")
        return {(str(table), str(column), str(right)) for table, column, right in rows}

    made = ("id", "account_id", "name", "prefix", "digest", "scopes", "expires_at")
    assert rights(API) - rights(CONSOLE) == {("tokens", each, "INSERT") for each in made}
    begun = ("digest", "person_id", "account_id", "role", "browser")
    assert rights(CONSOLE) - rights(API) == {
        ("leave", "", "EXECUTE"), *(("sessions", each, "INSERT") for each in begun),
    }  # fmt: skip


def test_each_meets_the_wall_that_turns_it_off(entered: PostgresBackend) -> None:
    # Not for want of rights: of the tables that each may read, the wall itself answers.
    a_stored(entered)
    said: dict[str, set[str]] = {}
    for user in USERS:
        for table, column in WALLED.items():
            try:
                entered.functions[user].rows(
                    text(f"SET row_security = off; SELECT {column} FROM {table}"), {}
                )
            except DBAPIError as error:
                if "would be affected by row-level security policy" in str(error.orig):
                    said.setdefault(user, set()).add(table)
    for user in (API, CONSOLE):
        assert said[user] >= {"accounts", "audit", "idempotency_keys", "stores", "tokens"}
    assert said["provision"] >= {"dead_letters", "stores"}
    assert said["reconcile"] >= {"dead_letters", "idempotency_keys", "stores"}
    assert said["operator"] == set(WALLED)


@pytest.mark.parametrize("user", USERS)
def test_each_makes_its_own_moves_only(entered: PostgresBackend, user: str) -> None:
    real, store_id = entered, a_stored(entered)
    expected, seen = {}, {}
    for before, after in ((before, after) for before, afters in MOVES.items() for after in afters):
        mine = {(before, after), ("*", after)} & MOVERS[user]
        expected[before, after] = "" if mine else MAY_NOT
        real.put(store_id, state=before, reason="because")
        move = "UPDATE stores SET state = :after, reason = 'because' WHERE id = :id"
        seen[before, after] = refusal_to(real, user, move, after=after, id=store_id)
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
    for user in ("create_store", "console", "provision", "reconcile"):
        assert refusal(real.functions[user], answer) == MAY_NOT
    (letter,) = real.letters.letters(answered=False, limit=2)
    real.letters.answer(letter.id, Answer.DISCARDED, Operator("anna", "seen"))
    real.parking.park([poison])  # it waits again, whoever parks it
    assert [each.id for each in real.letters.letters(answered=False, limit=2)] == [letter.id]


@pytest.mark.parametrize("table", ["dead_letters", "outbox", "store_events"])
def test_what_still_waits_is_removed_by_nobody(real: PostgresBackend, table: str) -> None:
    a_stored(real)
    a_waiting_letter(real, PostgresParking(real.functions["reconcile"]))
    for login in (real.functions["reconcile"], real.database):
        assert refusal(login, f"DELETE FROM {table}") == MAY_NOT


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
    for table in set(TABLES) - set(_WITH_DIGESTS):
        assert refusal(real.functions["operator"], f"SELECT * FROM {table}") == ""
    for table in _WITH_DIGESTS:
        columns = {row["attname"] for row in real.database.rows(text(_COLUMNS), {"name": table})}
        read = ", ".join(sorted(columns - {"digest"}))
        assert refusal(real.functions["operator"], f"SELECT {read} FROM {table}") == ""


def test_the_record_tells_who_wrote_whatever_the_writer_says(
    real: PostgresBackend, postgres: Server, database_url: str
) -> None:
    store_id = a_stored(real)
    leased = real.work.take(store_id, seconds=30)
    assert leased
    real.work.begin(leased, ACTOR)
    real.work.record_release(
        leased, revision=1, digest="d", chart_version="1", made_with="p1", deadline=60, actor=ACTOR
    )
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
    found = granted_and_walled(fresh)
    again = ".venv/bin/python -m tests.adapters.test_roles > tests/adapters/granted.txt"
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


if __name__ == "__main__":
    with postgres_server.running() as server:
        server.migrate(url := server.empty_database())
        print(granted_and_walled(url), end="")
