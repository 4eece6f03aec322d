"""All that the database grants to the roles, as text: `python -m tests.adapters.granted` prints it."""

from __future__ import annotations

from itertools import groupby

from dev.machine import database
from tests import postgres_server

# Every kind of object that has rights of its own; a column's right is told with the column. Where
# nothing was ever granted or revoked, PostgreSQL's defaults hold.
_GRANTED = """
WITH rights AS (
    SELECT 1 AS place, 'database' AS object, NULL AS columns, a.* FROM pg_database,
        aclexplode(COALESCE(datacl, acldefault('d', datdba))) a
    WHERE datname = current_database()
    UNION ALL
    SELECT 2, 'schema ' || nspname, NULL, a.* FROM pg_namespace,
        aclexplode(COALESCE(nspacl, acldefault('n', nspowner))) a
    WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
    UNION ALL
    SELECT 3, relname, NULL, a.* FROM pg_class,
        aclexplode(COALESCE(relacl, acldefault('r', relowner))) a
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT 3, relname, attname, a.* FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid,
        aclexplode(attacl) a
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT 4, 'function ' || proname, NULL, a.* FROM pg_proc,
        aclexplode(COALESCE(proacl, acldefault('f', proowner))) a
    WHERE pronamespace = 'public'::regnamespace
), told AS (
    SELECT place, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS role, object,
        privilege_type || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS privilege,
        string_agg(columns, ', ' ORDER BY columns) AS columns
    FROM rights WHERE grantee <> 'urumi_owner'::regrole GROUP BY 1, 2, 3, 4
)
SELECT role, object || ': ' || privilege || COALESCE(' (' || columns || ')', '') FROM told
ORDER BY role COLLATE "C", place, object COLLATE "C", privilege
"""
_MOVES = """
SELECT from_state || ' -> ' || to_state || ': ' || array_to_string(roles, ', ')
FROM moves ORDER BY from_state, to_state
"""


def granted(url: str) -> str:
    """What each role may do in the database, and who may make which move. `url` is the superuser's."""
    connection = database.connect(url)
    try:
        rights = [(role, f"    {right}") for role, right in connection.run(_GRANTED)]
        moves = [f"    {move}" for (move,) in connection.run(_MOVES)]
    finally:
        connection.close()
    lines = [
        line
        for role, theirs in groupby(rights, key=lambda each: each[0])
        for line in (role, *(right for _, right in theirs))
    ]
    return "\n".join([*lines, "moves", *moves]) + "\n"


if __name__ == "__main__":
    with postgres_server.running() as server:
        server.migrate(fresh := server.empty_database())
        print(granted(fresh), end="")
