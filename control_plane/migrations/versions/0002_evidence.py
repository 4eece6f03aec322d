"""What lets the platform be checked from outside, and what waits for an operator.

Attempts show that one worker at a time had a store; transaction ids show that an intent and its
announcement were written together; dead letters, orphans and operations are the operator's.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = """
-- The uid of the Secret that the store's passwords are in, from before Helm first used it.
ALTER TABLE stores ADD COLUMN credentials_uid text;

ALTER TABLE audit
    ADD COLUMN lease_token bigint,
    ADD COLUMN written_by  text NOT NULL DEFAULT session_user,
    ADD COLUMN transaction xid8 NOT NULL DEFAULT pg_current_xact_id();
ALTER TABLE outbox
    DROP CONSTRAINT outbox_store_id_fkey, -- an orphan of the cell is announced too, and has no row
    ADD COLUMN transaction xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX published ON outbox (published_at) WHERE published_at IS NOT NULL;

-- Each time that a lease was taken. `free_since` is when the one before it had ended.
CREATE TABLE attempts (
    store_id    uuid NOT NULL REFERENCES stores,
    lease_token bigint NOT NULL,
    holder      text NOT NULL,
    generation  bigint NOT NULL,
    began_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    free_since  timestamptz,
    PRIMARY KEY (store_id, lease_token)
);
CREATE INDEX attempts_by_age ON attempts (began_at);

-- Messages that nobody can act on, and intents that were given up, until somebody answers.
CREATE TABLE dead_letters (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    source      text NOT NULL, -- the topic that it came from
    message_id  text NOT NULL,
    body        bytea NOT NULL,
    store_id    uuid,
    generation  bigint,
    kind        text NOT NULL CHECK (kind IN ('malformed', 'unknown-store', 'refused', 'undeliverable')),
    reason      text NOT NULL,
    deliveries  integer NOT NULL DEFAULT 1,
    parked_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    answer      text CHECK (answer IN ('requeued', 'discarded')),
    answered_at timestamptz,
    CHECK ((answer IS NULL) = (answered_at IS NULL)),
    UNIQUE (source, message_id)
);
CREATE INDEX waiting_dead_letters ON dead_letters (parked_at) WHERE answer IS NULL;
CREATE INDEX answered_dead_letters ON dead_letters (answered_at) WHERE answer IS NOT NULL;

-- Namespaces of the cell whose store the database never knew, or knows as DELETED.
CREATE TABLE orphans (
    cell           uuid NOT NULL REFERENCES cells,
    store_id       uuid NOT NULL,
    found_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    quarantined_at timestamptz,
    removal_at     timestamptz, -- when an operator asked for its removal
    PRIMARY KEY (cell, store_id)
);

-- What operators did. Like the audit, it can only grow.
CREATE TABLE operations (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    position   bigint NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    operator   text NOT NULL,
    action     text NOT NULL,
    subject    text NOT NULL, -- an id or a name
    reason     text,
    written_by text NOT NULL DEFAULT session_user
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON operations
    FOR EACH ROW EXECUTE FUNCTION refuse_any_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON operations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_any_change();
"""


def upgrade() -> None:
    """Create everything."""
    op.execute(TABLES)
