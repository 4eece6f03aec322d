"""A store's whole life: holds, deletions that can be undone, former host names, and what others are told.

`platform_time()` is the time of everything that counts in days. It is the server's clock, unless the owner
of the schema has moved it: tests do, and nobody else can. Leases and rollouts go by the clock itself.
"""

from alembic import op

revision = "0007"
down_revision = "0006"

CREATE_STORE, PROVISION, RECONCILE, OPERATOR = (
    "urumi_create_store",
    "urumi_provision",
    "urumi_reconcile",
    "urumi_operator",
)

TIME = """
CREATE TABLE time_offset (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    ahead    interval NOT NULL
);
CREATE FUNCTION platform_time() RETURNS timestamptz LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS
    $$ SELECT clock_timestamp() + coalesce((SELECT ahead FROM public.time_offset), interval '0') $$;
"""

TABLES = """
ALTER TABLE stores
    ADD COLUMN holds           text[] NOT NULL DEFAULT '{}'
        CHECK (holds <@ ARRAY['owner', 'billing', 'operator']),
    ADD COLUMN removal_at      timestamptz,
    ADD COLUMN former_hostname text,
    ADD COLUMN former_until    timestamptz,
    ADD COLUMN notice          text NOT NULL DEFAULT '' CHECK (notice IN ('', 'past-due')),
    ADD COLUMN billed          boolean NOT NULL DEFAULT false, -- a subscription decides its plan
    ADD COLUMN applied_plan    text, -- that it was last released with: its volumes have that size
    ADD COLUMN settled         text, -- its newest state that was READY, DEGRADED or SUSPENDED
    ADD COLUMN made_with       text, -- of what its release was made with that is not its own
    ADD COLUMN refreshed_for   text, -- the newest such digest that it was brought to
    ADD CHECK ((former_hostname IS NULL) = (former_until IS NULL));
-- Those from before this are refreshed like any other.
UPDATE stores SET made_with = '', applied_plan = plan WHERE applied_generation > 0;
CREATE INDEX removals_by_time ON stores (removal_at) WHERE removal_at IS NOT NULL AND desired <> 'deleted';
CREATE INDEX stores_by_plan ON stores (cell, plan, made_with)
    WHERE state IN ('READY', 'DEGRADED', 'SUSPENDED');
CREATE INDEX failed_stores ON stores (cell) WHERE state = 'FAILED';
CREATE INDEX former_hostnames_by_time ON stores (former_until) WHERE former_until IS NOT NULL;

-- A former host name still leads to its store: nobody else is given it. With the owner's rights, because
-- the API sees the stores of one account only.
CREATE FUNCTION refuse_former_hostname() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM public.stores WHERE former_hostname = NEW.hostname AND id <> NEW.id AND state <> 'DELETED'
    ) THEN
        RAISE EXCEPTION 'the host name leads to another store for a while'
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'one_live_store_per_hostname';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER former_hostnames_lead_on BEFORE INSERT OR UPDATE OF hostname ON stores
    FOR EACH ROW EXECUTE FUNCTION refuse_former_hostname();
CREATE INDEX former_hostnames ON stores (former_hostname) WHERE former_hostname IS NOT NULL;

-- What happened to stores, for other systems: published in this order, at least once.
CREATE TABLE store_events (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    position     bigint NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
    store_id     uuid NOT NULL REFERENCES stores,
    account_id   uuid NOT NULL,
    generation   bigint NOT NULL,
    type         text NOT NULL,
    reason       text,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz
);
CREATE INDEX unpublished_store_events ON store_events (position) WHERE published_at IS NULL;
CREATE INDEX published_store_events ON store_events (published_at) WHERE published_at IS NOT NULL;
CREATE TRIGGER waiting_stays BEFORE DELETE ON store_events
    FOR EACH ROW WHEN (OLD.published_at IS NULL) EXECUTE FUNCTION refuse_removal();
"""

# Told by the database itself, so that no way of changing a store can forget it.
TELLING = """
CREATE FUNCTION tell_event() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    what text := CASE NEW.state
        WHEN 'QUEUED' THEN CASE TG_OP WHEN 'INSERT' THEN 'store.created' END
        WHEN 'READY' THEN 'store.ready'
        WHEN 'DEGRADED' THEN 'store.degraded'
        WHEN 'SUSPENDED' THEN 'store.suspended'
        WHEN 'DELETING' THEN 'store.deleting'
        WHEN 'DELETED' THEN 'store.deleted'
        WHEN 'FAILED' THEN 'store.failed'
    END;
BEGIN
    IF what IS NULL OR (TG_OP = 'UPDATE' AND NEW.state = OLD.state) THEN
        RETURN NULL;
    END IF;
    IF what = 'store.ready' AND OLD.settled = 'SUSPENDED' THEN
        what := 'store.resumed';
    END IF;
    INSERT INTO public.store_events (store_id, account_id, generation, type, reason)
        VALUES (NEW.id, NEW.customer_id, NEW.generation, what, NEW.reason);
    RETURN NULL;
END $$;
CREATE FUNCTION note_settled() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.settled := NEW.state;
    RETURN NEW;
END $$;
CREATE TRIGGER settled BEFORE UPDATE OF state ON stores FOR EACH ROW
    WHEN (NEW.state IN ('READY', 'DEGRADED', 'SUSPENDED')) EXECUTE FUNCTION note_settled();
CREATE TRIGGER told_outside AFTER INSERT OR UPDATE OF state ON stores
    FOR EACH ROW EXECUTE FUNCTION tell_event();
"""

# The API has no rights on it at all; should it ever get them, it sees an account's own.
WALL = f"""
ALTER TABLE store_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY account ON store_events TO {CREATE_STORE}
    USING (account_id = entered_account()) WITH CHECK (account_id = entered_account());
CREATE POLICY platform ON store_events TO {RECONCILE}, {OPERATOR} USING (true) WITH CHECK (true);
CREATE POLICY owner ON store_events TO CURRENT_USER USING (true) WITH CHECK (true);
"""

# The API announces and ticks nothing off any more; a pass looks who was taken up.
NO_TICKS = f"REVOKE SELECT (id, published_at), UPDATE (published_at) ON outbox FROM {CREATE_STORE}"  # noqa: S608

INTENT = "holds, removal_at, former_hostname, former_until, notice"
GRANTS: dict[str, dict[str, tuple[str, ...]]] = {
    CREATE_STORE: {
        "stores": (
            f"SELECT ({INTENT}, billed, applied_plan)",
            "INSERT (billed)",
            f"UPDATE (name, hostname, plan, {INTENT})",
        ),
    },
    PROVISION: {"stores": (f"SELECT ({INTENT}, billed, applied_plan)", "UPDATE (made_with, applied_plan)")},
    RECONCILE: {
        # Ends what was promised for a time, and brings live stores to what their plan says now.
        "stores": (
            "SELECT (customer_id, name, title, admin_email, plan, made_with, refreshed_for, desired,"
            f" hostname, chart_version, release_revision, release_digest, failures, created_at,"
            f" credentials_uid, admin_number, {INTENT}, billed, applied_plan)",
            f"UPDATE (desired, generation, plan, failures, next_attempt_at, refreshed_for, {INTENT})",
        ),
        "attempts": ("SELECT (store_id, generation)",),
        "store_events": (
            "SELECT (ctid, id, position, store_id, account_id, generation, type, reason, at, published_at)",
            "UPDATE (published_at)",
            "DELETE",
        ),
    },
    OPERATOR: {"store_events": ("SELECT",), "time_offset": ("SELECT",)},
}

MOVERS = {
    ("PROVISIONING", "SUSPENDED"): (RECONCILE,),
    # Whatever is asked of a store that was given up, it is tried again; some of it is asked by a deadline.
    ("FAILED", "QUEUED"): (OPERATOR, CREATE_STORE, RECONCILE),
    **{
        (state, "DELETING"): (CREATE_STORE, RECONCILE)
        for state in ("QUEUED", "PROVISIONING", "READY", "DEGRADED", "UPDATING", "SUSPENDED", "FAILED")
    },
}


def upgrade() -> None:
    """Make it all, and say who may do what."""
    op.execute(TIME)
    op.execute(TABLES)
    op.execute(TELLING)
    op.execute(WALL)
    for (before, after), roles in MOVERS.items():
        op.execute(
            "INSERT INTO moves (from_state, to_state, roles)"  # noqa: S608 - constants
            f" VALUES ('{before}', '{after}', '{{{', '.join(roles)}}}')"
            " ON CONFLICT (from_state, to_state) DO UPDATE SET roles = EXCLUDED.roles"
        )
    op.execute(
        "REVOKE EXECUTE ON FUNCTION platform_time(), tell_event(), note_settled(),"
        " refuse_former_hostname() FROM PUBLIC;"
        f" GRANT EXECUTE ON FUNCTION platform_time() TO {CREATE_STORE}, {PROVISION}, {RECONCILE}, {OPERATOR}"
    )
    op.execute(NO_TICKS)
    for role, tables in GRANTS.items():
        for table, rights in tables.items():
            op.execute(f"GRANT {', '.join(rights)} ON {table} TO {role}")
