"""What billing told us, and the subscriptions that it adds up to.

Facts can only grow: a subscription's state is folded from all of its facts, and its row keeps the outcome
together with the store that it pays for. An administrator's address is the one thing of a fact that names
a person, and the one that may be overwritten, by an operator, when that person is erased.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

BILLING = "urumi_billing_event"
API, RECONCILE, OPERATOR = "urumi_create_store", "urumi_reconcile", "urumi_operator"

# As in 0003: roles are the server's, and another database's migrations may have made it.
MAKE_ROLE = f"""
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{BILLING}') THEN
        CREATE ROLE {BILLING} NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role {BILLING} is missing and % may not make it: let an administrator run'
            ' `ALTER ROLE % CREATEROLE` or `CREATE ROLE {BILLING} NOLOGIN`, then migrate again',
            current_user, quote_ident(current_user) USING ERRCODE = 'insufficient_privilege';
END $$;
DO $$ BEGIN
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO {BILLING}', current_database());
END $$;
GRANT USAGE ON SCHEMA public TO {BILLING};
"""

TABLES = """
CREATE TABLE subscriptions (
    id            text PRIMARY KEY, -- the billing system's own; of all billing systems one has it
    source        text NOT NULL, -- which billing system
    customer      text NOT NULL,
    account_id    uuid NOT NULL REFERENCES accounts,
    store_id      uuid REFERENCES stores,
    store_removed boolean NOT NULL DEFAULT false, -- by billing, at the end of its retention
    status        text NOT NULL DEFAULT 'not-begun' CHECK (status IN
        ('not-begun', 'trialing', 'active', 'past-due', 'paused', 'canceled', 'expired')),
    since         timestamptz,
    plan          text,
    trial_ends_at timestamptz,
    known_at      timestamptz, -- when the platform first knew this status
    note          text NOT NULL DEFAULT '', -- what could not be done, for people
    due_at        timestamptz, -- by platform_time(): when the same facts mean something else
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((status = 'not-begun') = (since IS NULL))
);
CREATE INDEX subscriptions_of_an_account ON subscriptions (account_id);
CREATE INDEX subscriptions_of_a_store ON subscriptions (store_id);
CREATE INDEX due_subscriptions ON subscriptions (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE billing_facts (
    source          text NOT NULL,
    event_id        text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('trial_started', 'activated', 'plan_changed',
        'trial_will_end', 'past_due', 'paused', 'recovered', 'refunded', 'expired', 'canceled', 'unknown')),
    subscription_id text REFERENCES subscriptions,
    occurred_at     timestamptz NOT NULL,
    fingerprint     text NOT NULL, -- of what the event said, without the address
    plan            text,
    trial_ends_at   timestamptz,
    store_name      text,
    store_title     text,
    admin_email     text,
    remark          text NOT NULL DEFAULT '', -- what of the event could not be used
    received_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, event_id),
    CHECK ((kind = 'unknown') = (subscription_id IS NULL)),
    CHECK ((store_name IS NULL) = (store_title IS NULL) AND (store_name IS NULL) = (admin_email IS NULL))
);
CREATE INDEX facts_of_a_subscription ON billing_facts (subscription_id, occurred_at);
CREATE TRIGGER append_only BEFORE DELETE ON billing_facts
    FOR EACH ROW EXECUTE FUNCTION refuse_any_change();
CREATE TRIGGER only_addresses_change BEFORE UPDATE ON billing_facts
    FOR EACH ROW WHEN ((to_jsonb(OLD) - 'admin_email') <> (to_jsonb(NEW) - 'admin_email'))
    EXECUTE FUNCTION refuse_any_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON billing_facts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_any_change();
"""

BILLED_ACCOUNT = """
-- The account of a billing system's customer, made when they come for the first time.
CREATE FUNCTION billed_account(system_name text, customer_name text, cause_name text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    account uuid;
BEGIN
    SELECT account_id INTO account FROM public.links
        WHERE kind = 'billing' AND issuer = system_name AND customer = customer_name;
    IF FOUND THEN
        RETURN account;
    END IF;
    -- Two at once: the second waits here for the first.
    PERFORM pg_advisory_xact_lock(hashtextextended('billing ' || system_name || ' ' || customer_name, 0));
    SELECT account_id INTO account FROM public.links
        WHERE kind = 'billing' AND issuer = system_name AND customer = customer_name;
    IF NOT FOUND THEN
        INSERT INTO public.accounts DEFAULT VALUES RETURNING id INTO account;
        INSERT INTO public.links (kind, issuer, customer, account_id)
            VALUES ('billing', system_name, customer_name, account);
        INSERT INTO public.account_audit (account_id, actor, cause, action, subject)
            VALUES (account, 'billing', cause_name, 'account made', 'billing');
    END IF;
    RETURN account;
END $$;
"""

# Of an account's subscriptions the API may read; of facts nothing at all.
WALLED = {
    "subscriptions": "account_id = entered_account() OR entered_as_staff()",
    "billing_facts": "false",
}
SHARED = ("stores", "audit", "idempotency_keys", "dead_letters")  # behind the wall since 0004

_FOLDED = "store_id, store_removed, status, since, plan, trial_ends_at, known_at, note, due_at, updated_at"
_MAKE = "INSERT (id, customer_id, name, title, admin_email, plan, hostname, cell, billed, quiet_until)"
_KEYS = (  # the statement that makes a store may keep a key, which billing has none of
    "SELECT (customer_id, key, body_digest, store_id, created_at)",
    "INSERT (customer_id, key, body_digest, store_id)",
    "UPDATE (body_digest, store_id, created_at)",
)
# Operators change nothing of a letter but its answer, and an address in it when its owner is erased. A body
# may be any bytes; an address is ASCII, which `escape` leaves as it is. `***=`: what follows is no pattern.
FORGET = """
CREATE FUNCTION forget_in_letters(address text, instead text) RETURNS bigint LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
    WITH changed AS (
        UPDATE public.dead_letters
        SET body = decode(regexp_replace(encode(body, 'escape'), '***=' || address, instead, 'gi'), 'escape')
        WHERE strpos(lower(encode(body, 'escape')), lower(address)) > 0
        RETURNING 1
    )
    SELECT count(*) FROM changed
$$;
"""

GRANTS: dict[str, dict[str, tuple[str, ...]]] = {
    BILLING: {
        "subscriptions": ("SELECT", "INSERT (id, source, customer, account_id)", f"UPDATE ({_FOLDED})"),
        "billing_facts": (
            "SELECT",
            "INSERT (source, event_id, kind, subscription_id, occurred_at, fingerprint, plan, trial_ends_at,"
            " store_name, store_title, admin_email, remark)",
        ),
        "cells": ("SELECT (id, name)",),
        "moves": ("SELECT",),
        "stores": (
            "SELECT (id, customer_id, name, title, admin_email, plan, desired, generation,"
            " applied_generation, observed_generation, state, reason, chart_version, cell, hostname,"
            " release_revision, release_digest, failures, created_at, updated_at, ready_at, credentials_uid,"
            " admin_number, holds, removal_at, former_hostname, former_until, notice, billed, applied_plan)",
            _MAKE,
            "UPDATE (desired, generation, state, reason, plan, failures, next_attempt_at, quiet_until,"
            " deadline_at, updated_at, holds, notice)",
        ),
        "idempotency_keys": _KEYS,
        "outbox": ("INSERT (id, store_id, generation)",),
        "audit": (
            "INSERT (store_id, actor, cause, action, from_state, to_state, generation, reason, lease_token)",
        ),
        "dead_letters": (
            "INSERT (source, message_id, deliveries, body, store_id, generation, kind, reason)",
            "SELECT (source, message_id, deliveries)",
            "UPDATE (deliveries, answer, answered_at)",
        ),
    },
    # Keeps the deadlines, and makes the store that had to wait until the one before it was gone.
    RECONCILE: {
        "subscriptions": ("SELECT", f"UPDATE ({_FOLDED})"),
        "billing_facts": ("SELECT",),
        "stores": (_MAKE,),
        "idempotency_keys": _KEYS,
    },
    API: {
        "subscriptions": (
            "SELECT (id, account_id, store_id, status, since, plan, trial_ends_at, known_at, note, due_at,"
            " updated_at)",
        ),
    },
    OPERATOR: {
        "subscriptions": ("SELECT",),
        "billing_facts": ("SELECT", "UPDATE (admin_email)"),
    },
}


def upgrade() -> None:
    """Make the role and the tables, behind the wall, and say who may do what."""
    op.execute(MAKE_ROLE)
    op.execute(TABLES)
    platform = f"{BILLING}, {RECONCILE}, {OPERATOR}"
    for table, seen in WALLED.items():
        op.execute(
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
            f" CREATE POLICY account ON {table} TO {API} USING ({seen});"
            f" CREATE POLICY platform ON {table} TO {platform} USING (true) WITH CHECK (true);"
            f" CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)"
        )
    for table in SHARED:
        op.execute(f"ALTER POLICY platform ON {table} TO urumi_provision, {platform}")
    op.execute(BILLED_ACCOUNT)
    op.execute(FORGET)
    op.execute(
        "REVOKE EXECUTE ON FUNCTION billed_account(text, text, text), forget_in_letters(text, text)"
        " FROM PUBLIC;"
        f" GRANT EXECUTE ON FUNCTION forget_in_letters(text, text) TO {OPERATOR};"
        f" GRANT EXECUTE ON FUNCTION billed_account(text, text, text), platform_time() TO {BILLING}"
    )
    op.execute(f"UPDATE moves SET roles = roles || '{{{BILLING}}}' WHERE '{API}' = ANY (roles)")  # noqa: S608
    for role, tables in GRANTS.items():
        for table, rights in tables.items():
            op.execute(f"GRANT {', '.join(rights)} ON {table} TO {role}")
