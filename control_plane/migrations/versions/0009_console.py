"""The console, where browsers sign in, has a role of its own. The API loses what only signing in needs.

From here on only the console begins a session, ends one by its secret and uses up a one-time address.
An API from before this had browsers sign in itself: it is refused that, an address stays good, and people
sign in again as soon as the console serves. All else of it goes on meanwhile: sessions that have begun,
tokens, ID tokens. Whoever goes back to such code makes its user a member of the console's role.
"""

from alembic import op

revision = "0009"
down_revision = "0008"

API, CONSOLE = "urumi_create_store", "urumi_console"

# As in 0003: roles are the server's, and another database's migrations may have made it.
MAKE_ROLE = f"""
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{CONSOLE}') THEN
        CREATE ROLE {CONSOLE} NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role {CONSOLE} is missing and % may not make it: let an administrator run'
            ' `ALTER ROLE % CREATEROLE` or `CREATE ROLE {CONSOLE} NOLOGIN`, then migrate again',
            current_user, quote_ident(current_user) USING ERRCODE = 'insufficient_privilege';
END $$;
DO $$ BEGIN
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO {CONSOLE}', current_database());
END $$;
GRANT USAGE ON SCHEMA public TO {CONSOLE};
"""

# What an account's request needs, as the API has it, but for making tokens: that is the API's alone.
# Not as a member of the API's role: granting that takes its ADMIN OPTION, which the owner may lack.
_INTENT = "holds, removal_at, former_hostname, former_until, notice"
GRANTS: dict[str, tuple[str, ...]] = {
    "account_audit": ("INSERT (account_id, actor, cause, action, subject)",),
    "accounts": ("SELECT (id, plan)",),
    "audit": (
        "SELECT (store_id, position, at, actor, cause, action, from_state, to_state, generation, reason)",
        "INSERT (store_id, actor, cause, action, from_state, to_state, generation, reason, lease_token)",
    ),
    "cells": ("SELECT (id, name)",),
    "idempotency_keys": (
        "SELECT",
        "INSERT (customer_id, key, body_digest, store_id)",
        "UPDATE (body_digest, store_id, created_at)",
    ),
    "members": (
        "SELECT (account_id, person_id, role, joined_at, removed_at)",
        "UPDATE (role, removed_at)",
    ),
    "moves": ("SELECT",),
    "outbox": ("INSERT (id, store_id, generation)",),
    "people": ("SELECT (id, email, name)",),
    "sessions": (
        "SELECT (id, person_id, account_id, role, created_at, seen_at, expires_at, ended_at, browser)",
        "INSERT (digest, person_id, account_id, role, browser)",
        "UPDATE (ended_at)",
    ),
    "stores": (
        "SELECT (id, customer_id, name, title, admin_email, plan, desired, generation, applied_generation,"
        " observed_generation, state, reason, chart_version, cell, hostname, release_revision,"
        " release_digest, failures, created_at, updated_at, ready_at, credentials_uid, admin_number,"
        f" admin_made, {_INTENT}, billed, applied_plan)",
        "INSERT (id, customer_id, name, title, admin_email, plan, hostname, cell, quiet_until, billed)",
        "UPDATE (desired, generation, state, reason, failures, next_attempt_at, quiet_until, deadline_at,"
        f" updated_at, title, admin_number, name, hostname, plan, {_INTENT})",
    ),
    "subscriptions": (
        "SELECT (id, account_id, store_id, status, since, plan, trial_ends_at, known_at, note, due_at,"
        " updated_at)",
    ),
    "tokens": (
        "SELECT (id, account_id, name, prefix, scopes, created_at, expires_at, last_used_at, revoked_at)",
        "UPDATE (revoked_at)",
    ),
    "unclaimed": ("SELECT", "DELETE"),
}
FUNCTIONS = (
    "enter(jsonb), leave(text, text), entered_account(), entered_as_staff(), entered_session(),"
    " platform_time()"
)

# `enter` uses an address up with its owner's rights: who called it is told by the session's user.
ONCE = f"""
CREATE FUNCTION refuse_sign_in() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT pg_has_role(session_user, '{CONSOLE}', 'MEMBER') THEN
        RAISE EXCEPTION '% may not let anybody sign in', session_user
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_the_console_lets_in BEFORE UPDATE OF used_at ON sign_ins
    FOR EACH ROW EXECUTE FUNCTION refuse_sign_in();
REVOKE EXECUTE ON FUNCTION refuse_sign_in() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION leave(text, text) FROM {API};
REVOKE INSERT (digest, person_id, account_id, role, browser) ON sessions FROM {API};
"""

# The policy `account` of each shows an account its own rows.
WALLED = (
    "account_audit",
    "accounts",
    "audit",
    "billing_facts",
    "dead_letters",
    "idempotency_keys",
    "identities",
    "links",
    "members",
    "people",
    "sessions",
    "sign_ins",
    "store_events",
    "stores",
    "subscriptions",
    "tokens",
    "unclaimed",
)


def upgrade() -> None:
    """Make the role, before the wall like the API, and take from the API what it leaves to the console."""
    op.execute(MAKE_ROLE)
    for table in WALLED:
        op.execute(f"ALTER POLICY account ON {table} TO {API}, {CONSOLE}")
    for table, rights in GRANTS.items():
        op.execute(f"GRANT {', '.join(rights)} ON {table} TO {CONSOLE}")
    op.execute(f"GRANT EXECUTE ON FUNCTION {FUNCTIONS} TO {CONSOLE}")
    op.execute(f"UPDATE moves SET roles = roles || '{{{CONSOLE}}}' WHERE '{API}' = ANY (roles)")  # noqa: S608
    op.execute(ONCE)
