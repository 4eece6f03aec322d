"""A role for each function and for operators: owner of nothing, with the least that its statements need.

The roles cannot log in; users are made their members (on Cloud SQL, IAM users). Only the owner of
the schema, who runs the migrations, may change it. Which moves a role may make stands beside the moves.
"""

from collections.abc import Mapping

from alembic import op

revision = "0003"
down_revision = "0002"

CREATE_STORE, PROVISION, RECONCILE, OPERATOR = ROLES = (
    "urumi_create_store",
    "urumi_provision",
    "urumi_reconcile",
    "urumi_operator",
)

# Roles are the server's, not the database's: another database's migrations may have made them, even now.
MAKE_ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
        CREATE ROLE {role} NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role {role} is missing and % may not make it: let an administrator run'
            ' `ALTER ROLE % CREATEROLE` or `CREATE ROLE {role} NOLOGIN`, then migrate again',
            current_user, quote_ident(current_user) USING ERRCODE = 'insufficient_privilege';
END $$
"""

# What everybody has unless it is taken away: temporary tables, connecting, calling functions.
NOTHING_FOR_EVERYBODY = """
DO $$ BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO {roles}', current_database());
END $$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA public FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON ROUTINES FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO {roles};
"""

# Never written_by, transaction, position or at: nobody can pretend to be another, or to have written before.
AUDIT = "store_id, actor, cause, action, from_state, to_state, generation, reason, lease_token"
STORE = """id, customer_id, name, title, admin_email, plan, desired, generation, applied_generation,
    observed_generation, state, reason, chart_version, cell, hostname, release_revision, release_digest,
    failures, created_at, updated_at, ready_at, credentials_uid"""
LETTER = "body, store_id, generation, kind, reason"
PARKING = (
    f"INSERT (source, message_id, deliveries, {LETTER})",
    "SELECT (source, message_id, deliveries)",
    "UPDATE (deliveries, answer, answered_at)",
)

GRANTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    CREATE_STORE: {
        "cells": ("SELECT (id, name)",),
        "moves": ("SELECT",),
        "stores": (
            f"SELECT ({STORE})",
            "INSERT (id, customer_id, name, title, admin_email, plan, hostname, cell, quiet_until)",
            "UPDATE (desired, generation, state, reason, failures, next_attempt_at, quiet_until, deadline_at,"
            " updated_at)",
        ),
        "idempotency_keys": (
            "SELECT",
            "INSERT (customer_id, key, body_digest, store_id)",
            "UPDATE (body_digest, store_id, created_at)",
        ),
        "outbox": (
            "SELECT (id, published_at)",
            "INSERT (id, store_id, generation)",
            "UPDATE (published_at)",
        ),
        "audit": (
            "SELECT (store_id, position, at, actor, cause, action, from_state, to_state, generation, reason)",
            f"INSERT ({AUDIT})",
        ),
    },
    PROVISION: {
        "cells": ("SELECT (id, name)",),
        "moves": ("SELECT",),
        "stores": (
            f"SELECT ({STORE}, lease_holder, lease_until, lease_token, next_attempt_at)",
            "UPDATE (lease_holder, lease_until, lease_token, applied_generation, state, reason,"
            " chart_version, release_revision, release_digest, credentials_uid, failures, next_attempt_at,"
            " quiet_until, deadline_at, updated_at)",
        ),
        "attempts": ("INSERT (store_id, lease_token, holder, generation, free_since)",),
        "audit": (f"INSERT ({AUDIT})",),
        # A message whose store is refused again may have been parked before, for something else.
        "dead_letters": (*PARKING, f"SELECT ({LETTER})", f"UPDATE ({LETTER})"),
        "orphans": ("SELECT", "UPDATE (quarantined_at)"),
    },
    RECONCILE: {
        "cells": ("SELECT", "UPDATE (pass_token, pass_until, seen_at, full_pass_at, watermark)"),
        "moves": ("SELECT",),
        "stores": (
            "SELECT (id, cell, generation, applied_generation, observed_generation, state, reason,"
            " lease_until, next_attempt_at, quiet_until, deadline_at, updated_at, ready_at)",
            "UPDATE (observed_generation, state, reason, quiet_until, deadline_at, updated_at, ready_at)",
        ),
        "outbox": (
            "SELECT (ctid, id, store_id, generation, created_at, published_at)",
            "INSERT (id, store_id, generation)",
            "UPDATE (published_at)",
            "DELETE",
        ),
        "audit": (f"INSERT ({AUDIT})",),
        "dead_letters": (*PARKING, "SELECT (ctid, answered_at)", "DELETE"),
        "idempotency_keys": ("SELECT (ctid, created_at)", "DELETE"),
        "attempts": ("SELECT (ctid, began_at)", "DELETE"),
        "orphans": ("SELECT", "INSERT (cell, store_id)", "DELETE"),
    },
    OPERATOR: {
        **dict.fromkeys(
            ("alembic_version", "states", "moves", "cells", "attempts", "idempotency_keys"), ("SELECT",)
        ),
        "stores": (
            "SELECT",
            "UPDATE (generation, state, reason, failures, next_attempt_at, quiet_until, deadline_at,"
            " updated_at)",
        ),
        "outbox": ("SELECT", "INSERT (id, store_id, generation)"),
        "audit": ("SELECT", f"INSERT ({AUDIT})"),
        "dead_letters": ("SELECT", "UPDATE (answer, answered_at)"),
        "orphans": ("SELECT", "UPDATE (removal_at)"),
        "operations": ("SELECT", "INSERT (operator, action, subject, reason)"),
    },
}

MOVERS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("QUEUED", "PROVISIONING"): (PROVISION,),
    ("QUEUED", "FAILED"): (PROVISION,),
    ("QUEUED", "DELETING"): (CREATE_STORE,),
    ("PROVISIONING", "READY"): (RECONCILE,),
    ("PROVISIONING", "FAILED"): (PROVISION, RECONCILE),
    ("PROVISIONING", "DELETING"): (CREATE_STORE,),
    ("READY", "DEGRADED"): (RECONCILE,),
    ("READY", "UPDATING"): (PROVISION,),
    ("READY", "DELETING"): (CREATE_STORE,),
    ("DEGRADED", "READY"): (RECONCILE,),
    ("DEGRADED", "UPDATING"): (PROVISION,),
    ("DEGRADED", "DELETING"): (CREATE_STORE,),
    ("UPDATING", "READY"): (RECONCILE,),
    ("UPDATING", "SUSPENDED"): (RECONCILE,),
    ("UPDATING", "FAILED"): (PROVISION, RECONCILE),
    ("UPDATING", "DELETING"): (CREATE_STORE,),
    ("SUSPENDED", "UPDATING"): (PROVISION,),
    ("SUSPENDED", "DELETING"): (CREATE_STORE,),
    ("DELETING", "DELETED"): (RECONCILE,),
    ("FAILED", "QUEUED"): (OPERATOR, CREATE_STORE),
    ("FAILED", "DELETING"): (CREATE_STORE,),
}

# The functions run as whoever writes, so that current_user is the writer; names are qualified and the
# search path is fixed, so that no writer can put tables or operators of their own in between.
# A superuser is a member of every role.
RULES = """
CREATE OR REPLACE FUNCTION refuse_forbidden_move() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    movers text[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'QUEUED' THEN
            RAISE EXCEPTION 'a store begins QUEUED, not %', NEW.state USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.generation < OLD.generation OR NEW.lease_token < OLD.lease_token THEN
        RAISE EXCEPTION 'generation and lease token only grow' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state <> OLD.state THEN
        SELECT roles INTO movers FROM public.moves WHERE from_state = OLD.state AND to_state = NEW.state;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'a store may not move from % to %', OLD.state, NEW.state
                USING ERRCODE = 'check_violation';
        ELSIF NOT EXISTS (
            SELECT FROM unnest(movers) AS mover WHERE pg_has_role(current_user, mover, 'MEMBER')
        ) THEN
            RAISE EXCEPTION '% may not move a store from % to %', current_user, OLD.state, NEW.state
                USING ERRCODE = 'insufficient_privilege';
        END IF;
    END IF;
    RETURN NEW;
END $$;

ALTER FUNCTION refuse_any_change() SET search_path = pg_catalog, pg_temp;

-- Who parks a letter may make it wait again, but not call it answered.
CREATE FUNCTION refuse_answer() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT pg_has_role(current_user, 'urumi_operator', 'MEMBER') THEN
        RAISE EXCEPTION '% may not answer a dead letter', current_user
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_operators_answer BEFORE UPDATE OF answer, answered_at ON dead_letters
    FOR EACH ROW WHEN (NEW.answer IS NOT NULL) EXECUTE FUNCTION refuse_answer();

-- What still waits is removed by nobody, however the times of cleaning are set.
CREATE FUNCTION refuse_removal() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a row of % that still waits cannot be removed', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER waiting_stays BEFORE DELETE ON dead_letters
    FOR EACH ROW WHEN (OLD.answer IS NULL) EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER waiting_stays BEFORE DELETE ON outbox
    FOR EACH ROW WHEN (OLD.published_at IS NULL) EXECUTE FUNCTION refuse_removal();
"""


def upgrade() -> None:
    """Make the roles that the server lacks, and say what each may do in this database."""
    for role in ROLES:
        op.execute(MAKE_ROLE.format(role=role))
    op.execute("ALTER TABLE moves ADD COLUMN roles text[] NOT NULL DEFAULT '{}'")
    for (before, after), roles in MOVERS.items():
        op.execute(
            f"UPDATE moves SET roles = '{{{', '.join(roles)}}}'"  # noqa: S608 - constants
            f" WHERE from_state = '{before}' AND to_state = '{after}'"
        )
    op.execute("ALTER TABLE moves ALTER COLUMN roles DROP DEFAULT")
    op.execute(RULES)
    op.execute(NOTHING_FOR_EVERYBODY.format(roles=", ".join(ROLES)))
    for role, tables in GRANTS.items():
        for table, rights in tables.items():
            op.execute(f"GRANT {', '.join(rights)} ON {table} TO {role}")
