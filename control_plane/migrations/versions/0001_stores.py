"""Stores, their outbox and audit, and the rules that the database itself upholds."""

from alembic import op

revision = "0001"
down_revision = None

MOVES = {
    "QUEUED": ("PROVISIONING", "DELETING", "FAILED"),
    "PROVISIONING": ("READY", "DELETING", "FAILED"),
    "READY": ("DEGRADED", "UPDATING", "DELETING"),
    "DEGRADED": ("READY", "UPDATING", "DELETING"),
    "UPDATING": ("READY", "SUSPENDED", "DELETING", "FAILED"),
    "SUSPENDED": ("UPDATING", "DELETING"),
    "DELETING": ("DELETED",),
    "DELETED": (),
    "FAILED": ("QUEUED", "DELETING"),
}

TABLES = """
CREATE TABLE states (name text PRIMARY KEY);

CREATE TABLE moves (
    from_state text NOT NULL REFERENCES states,
    to_state   text NOT NULL REFERENCES states,
    PRIMARY KEY (from_state, to_state)
);

CREATE TABLE cells (
    id                uuid PRIMARY KEY,
    name              text NOT NULL UNIQUE,
    pass_token        bigint NOT NULL DEFAULT 0,
    pass_until        timestamptz,
    seen_at           timestamptz,
    full_pass_at      timestamptz,
    watermark         jsonb
);

CREATE TABLE stores (
    id                  uuid PRIMARY KEY,
    customer_id         uuid NOT NULL,
    name                text NOT NULL,
    title               text NOT NULL,
    admin_email         text NOT NULL,
    plan                text NOT NULL,
    desired             text NOT NULL DEFAULT 'running' CHECK (desired IN ('running', 'deleted')),
    generation          bigint NOT NULL DEFAULT 1 CHECK (generation >= 1),
    applied_generation  bigint NOT NULL DEFAULT 0,
    observed_generation bigint NOT NULL DEFAULT 0,
    state               text NOT NULL DEFAULT 'QUEUED' REFERENCES states,
    reason              text,
    chart_version       text,
    cell                uuid NOT NULL REFERENCES cells,
    hostname            text NOT NULL,
    release_revision    bigint,
    release_digest      text,
    lease_holder        text,
    lease_until         timestamptz,
    lease_token         bigint NOT NULL DEFAULT 0,
    failures            integer NOT NULL DEFAULT 0,
    next_attempt_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    quiet_until         timestamptz NOT NULL DEFAULT clock_timestamp(),
    deadline_at         timestamptz,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    ready_at            timestamptz,
    CHECK (applied_generation <= generation),
    CHECK (observed_generation <= applied_generation),
    CHECK (state <> 'FAILED' OR reason IS NOT NULL)
);
CREATE UNIQUE INDEX one_live_store_per_hostname ON stores (hostname) WHERE state <> 'DELETED';
CREATE UNIQUE INDEX one_live_store_per_name ON stores (customer_id, name) WHERE state <> 'DELETED';
CREATE INDEX stores_newest_first ON stores (customer_id, created_at DESC, id DESC);
CREATE INDEX unfinished_stores ON stores (cell, next_attempt_at)
    WHERE applied_generation < generation AND state <> 'FAILED';
CREATE INDEX moving_stores ON stores (cell, state)
    WHERE state IN ('PROVISIONING', 'UPDATING', 'DEGRADED', 'DELETING');

CREATE TABLE outbox (
    id           uuid PRIMARY KEY,
    store_id     uuid NOT NULL REFERENCES stores,
    generation   bigint NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz
);
CREATE INDEX unpublished ON outbox (created_at) WHERE published_at IS NULL;
CREATE INDEX unpublished_of_a_store ON outbox (store_id) WHERE published_at IS NULL;

-- Ids only, never an e-mail address or a title: a person can be erased without touching it.
CREATE TABLE audit (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    position    bigint NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
    store_id    uuid NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor       text NOT NULL,
    cause       text NOT NULL,
    action      text NOT NULL,
    from_state  text REFERENCES states,
    to_state    text NOT NULL REFERENCES states,
    generation  bigint NOT NULL,
    reason      text
);
CREATE INDEX audit_of_a_store ON audit (store_id, position);

CREATE TABLE idempotency_keys (
    customer_id uuid NOT NULL,
    key         text NOT NULL,
    body_digest text NOT NULL,
    store_id    uuid NOT NULL REFERENCES stores,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (customer_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
"""

RULES = """
CREATE FUNCTION refuse_forbidden_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'QUEUED' THEN
            RAISE EXCEPTION 'a store begins QUEUED, not %', NEW.state USING ERRCODE = 'check_violation';
        END IF;
    ELSIF NEW.state <> OLD.state AND NOT EXISTS (
        SELECT FROM moves WHERE from_state = OLD.state AND to_state = NEW.state
    ) THEN
        RAISE EXCEPTION 'a store may not move from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    ELSIF NEW.generation < OLD.generation OR NEW.lease_token < OLD.lease_token THEN
        RAISE EXCEPTION 'generation and lease token only grow' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_allowed_moves BEFORE INSERT OR UPDATE ON stores
    FOR EACH ROW EXECUTE FUNCTION refuse_forbidden_move();

CREATE FUNCTION refuse_any_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_any_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_any_change();
"""


def upgrade() -> None:
    """Create everything."""
    op.execute(TABLES)
    states = ", ".join(f"('{state}')" for state in MOVES)
    moves = ", ".join(f"('{before}', '{after}')" for before, afters in MOVES.items() for after in afters)
    op.execute(f"INSERT INTO states VALUES {states}; INSERT INTO moves VALUES {moves}")  # noqa: S608 - constants
    op.execute(RULES)
