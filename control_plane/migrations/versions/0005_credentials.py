"""Administrators' passwords that nobody has claimed yet, sealed with a key that the database does not have.

A store's administrator has passwords by number: the first comes with the store, each reset asks for
the next. A row of `unclaimed` is there from when provision makes a password until its owner takes it.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

API, PROVISION, RECONCILE, OPERATOR = (
    "urumi_create_store",
    "urumi_provision",
    "urumi_reconcile",
    "urumi_operator",
)

TABLES = """
ALTER TABLE stores
    ADD COLUMN admin_number integer NOT NULL DEFAULT 1, -- of the password that was asked for last
    ADD COLUMN admin_made   integer NOT NULL DEFAULT 0 CHECK (admin_made <= admin_number); -- of the last made

CREATE TABLE unclaimed (
    store_id   uuid NOT NULL REFERENCES stores,
    number     integer NOT NULL,
    generation bigint NOT NULL, -- of the store, that has the password when it runs
    sealed     bytea NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (store_id, number)
);
CREATE INDEX unclaimed_by_age ON unclaimed (made_at);
"""

GRANTS = {
    API: {
        "unclaimed": ("SELECT", "DELETE"),
        "stores": ("SELECT (admin_number, admin_made)", "UPDATE (admin_number)"),
    },
    PROVISION: {
        "unclaimed": ("SELECT", "INSERT (store_id, number, generation, sealed)"),
        "stores": ("SELECT (admin_number, admin_made)", "UPDATE (admin_made)"),
    },
    RECONCILE: {"unclaimed": ("SELECT (ctid, made_at)", "DELETE")},
    OPERATOR: {"unclaimed": ("SELECT", "UPDATE (sealed)")},
}


def upgrade() -> None:
    """Make the table, behind the wall."""
    op.execute(TABLES)
    seen = "EXISTS (SELECT FROM stores WHERE stores.id = store_id)"
    op.execute(
        "ALTER TABLE unclaimed ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        f" CREATE POLICY account ON unclaimed TO {API} USING ({seen});"
        f" CREATE POLICY platform ON unclaimed TO {PROVISION}, {RECONCILE}, {OPERATOR} USING (true);"
        " CREATE POLICY owner ON unclaimed TO CURRENT_USER USING (true)"
    )
    for role, tables in GRANTS.items():
        for table, rights in tables.items():
            op.execute(f"GRANT {', '.join(rights)} ON {table} TO {role}")
