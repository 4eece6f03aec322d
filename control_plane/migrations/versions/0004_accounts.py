"""Accounts, their tokens and links, and a wall between them: row-level security.

The API's role sees the rows of one account, or with staff of all, and only in a transaction that began
with `enter` (0006), which tells who is asking from what they showed. Without it the role sees nothing.
`enter` runs with the owner's rights, because nobody else may look for a token before its account is known.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

API = "urumi_create_store"
PLATFORM = ("urumi_provision", "urumi_reconcile", "urumi_operator")  # they work for every account

TABLES = """
CREATE TABLE accounts (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    plan          text NOT NULL DEFAULT 'standard',
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The request rate, a token bucket: what was left at that time; filled anew with time.
    requests_left double precision NOT NULL DEFAULT 'Infinity',
    requests_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO accounts (id) SELECT DISTINCT customer_id FROM stores;
ALTER TABLE stores ADD CONSTRAINT stores_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES accounts;

-- The account that an identity's or a billing system's customer is: one line for each of their names.
CREATE TABLE links (
    kind       text NOT NULL CHECK (kind IN ('identity', 'billing')),
    issuer     text NOT NULL,
    customer   text NOT NULL,
    account_id uuid NOT NULL REFERENCES accounts,
    linked_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, issuer, customer)
);
CREATE INDEX links_of_an_account ON links (account_id);

-- A token itself is nowhere: only its SHA-256, and its beginning for recognising it.
CREATE TABLE tokens (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id   uuid NOT NULL REFERENCES accounts,
    name         text NOT NULL,
    prefix       text NOT NULL,
    digest       bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    role         text NOT NULL DEFAULT 'customer' CHECK (role IN ('customer', 'support', 'operator')),
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
CREATE INDEX tokens_of_an_account ON tokens (account_id, created_at);

-- What happened to an account: like the audit of stores, ids only, and it can only grow.
CREATE TABLE account_audit (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    position   bigint NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
    account_id uuid NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor      text NOT NULL,
    cause      text NOT NULL,
    action     text NOT NULL,
    subject    text NOT NULL,
    written_by text NOT NULL DEFAULT session_user
);
CREATE INDEX audit_of_an_account ON account_audit (account_id, position);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON account_audit
    FOR EACH ROW EXECUTE FUNCTION refuse_any_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON account_audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_any_change();
"""

# Both are set by `enter`, for its transaction; outside of one they are empty, or not there.
WALL = """
CREATE FUNCTION entered_account() RETURNS uuid LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
    $$ SELECT nullif(current_setting('urumi.account', true), '')::uuid $$;
CREATE FUNCTION entered_as_staff() RETURNS boolean LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp AS
    $$ SELECT coalesce(current_setting('urumi.staff', true), '') = 'yes' $$;
"""

# What the API may see of each table, and what it may write; of dead letters nothing at all.
MINE = "{} = entered_account()"
WALLED = {
    "accounts": (MINE.format("id"),) * 2,
    "links": (MINE.format("account_id"),) * 2,
    "tokens": (MINE.format("account_id"),) * 2,
    "account_audit": (MINE.format("account_id"),) * 2,
    "idempotency_keys": (MINE.format("customer_id"),) * 2,
    "stores": (f"{MINE.format('customer_id')} OR entered_as_staff()",) * 2,
    # A store that is made in the same statement cannot be seen yet when its audit is checked.
    "audit": ("EXISTS (SELECT FROM stores WHERE stores.id = store_id)", "true"),
    "dead_letters": ("false", "false"),
}

ACCOUNT_OF = """
-- The account of an issuer's customer, made when they come for the first time.
CREATE FUNCTION account_of(issuer_name text, customer_name text, actor_name text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    account uuid;
BEGIN
    SELECT account_id INTO account FROM public.links
        WHERE kind = 'identity' AND issuer = issuer_name AND customer = customer_name;
    IF FOUND THEN
        RETURN account;
    END IF;
    -- Two at once: the second waits here for the first.
    PERFORM pg_advisory_xact_lock(hashtextextended(issuer_name || ' ' || customer_name, 0));
    SELECT account_id INTO account FROM public.links
        WHERE kind = 'identity' AND issuer = issuer_name AND customer = customer_name;
    IF NOT FOUND THEN
        INSERT INTO public.accounts DEFAULT VALUES RETURNING id INTO account;
        INSERT INTO public.links (kind, issuer, customer, account_id)
            VALUES ('identity', issuer_name, customer_name, account);
        INSERT INTO public.account_audit (account_id, actor, cause, action, subject)
            VALUES (account, actor_name, 'first request', 'account made', 'identity');
    END IF;
    RETURN account;
END $$;
"""

GRANTS = {
    API: {
        "accounts": ("SELECT (id, plan)",),
        "stores": ("UPDATE (title)",),
        "tokens": (
            "SELECT (id, account_id, name, prefix, scopes, created_at, expires_at, last_used_at, revoked_at)",
            "INSERT (id, account_id, name, prefix, digest, scopes, expires_at)",
            "UPDATE (revoked_at)",
        ),
        "account_audit": ("INSERT (account_id, actor, cause, action, subject)",),
    },
    "urumi_operator": {
        "accounts": ("SELECT", "INSERT (id, plan)", "UPDATE (plan)"),
        "links": ("SELECT", "INSERT (kind, issuer, customer, account_id)", "DELETE"),
        "tokens": (
            "SELECT (id, account_id, name, prefix, role, scopes, created_at, expires_at, last_used_at,"
            " revoked_at)",
            "INSERT (id, account_id, name, prefix, digest, role, scopes, expires_at)",
            "UPDATE (revoked_at)",
        ),
        "account_audit": ("SELECT", "INSERT (account_id, actor, cause, action, subject)"),
    },
}


def upgrade() -> None:
    """Make the tables, and build the wall."""
    op.execute(TABLES)
    op.execute(WALL)
    platform = ", ".join(PLATFORM)
    for table, (seen, written) in WALLED.items():
        op.execute(
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
            f" CREATE POLICY account ON {table} TO {API} USING ({seen}) WITH CHECK ({written});"
            f" CREATE POLICY platform ON {table} TO {platform} USING (true) WITH CHECK (true);"
            # FORCE binds the owner as well: for migrations, and for `enter`.
            f" CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)"
        )
    op.execute(ACCOUNT_OF)
    op.execute(
        "REVOKE EXECUTE ON FUNCTION account_of(text, text, text), entered_account(), entered_as_staff()"
        f" FROM PUBLIC; GRANT EXECUTE ON FUNCTION entered_account(), entered_as_staff() TO {API}, {platform}"
    )
    for role, tables in GRANTS.items():
        for table, rights in tables.items():
            op.execute(f"GRANT {', '.join(rights)} ON {table} TO {role}")
