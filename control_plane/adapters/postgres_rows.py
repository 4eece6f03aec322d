"""How rows of Postgres become our types, and the pieces of SQL that several statements share."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy.engine import RowMapping

from control_plane.domain.store import Desired, Hold, Notice, Store, StoreState

RUNS = "(desired = 'running' AND holds = '{}' AND removal_at IS NULL)"  # as `Store.runs` has it
STORE_COLUMNS = ", ".join(field.name for field in fields(Store))


def audit_changed(held: str = "NULL") -> str:
    """SQL that tells the audit of the CTE `changed` (the new row, with from_state).

    Reads the parameters actor, cause and action; `held` is an expression for the lease token.
    """
    return f"""
    INSERT INTO audit (store_id, actor, cause, action, from_state, to_state, generation, reason, lease_token)
    SELECT id, :actor, :cause, :action, from_state, state, generation, reason,
        CAST({held} AS bigint) FROM changed
"""


AUDIT_CHANGED = audit_changed()


def store_of(row: RowMapping) -> Store:
    """The store that a row of `stores` describes."""
    values: dict[str, Any] = {field.name: row[field.name] for field in fields(Store)}
    values["desired"] = Desired(values["desired"])
    values["state"] = StoreState(values["state"])
    values["holds"] = frozenset(map(Hold, values["holds"]))
    values["notice"] = Notice(values["notice"])
    return Store(**values)


def column_of(value: object) -> object:
    """A field of a store as its column takes it."""
    return sorted(value) if isinstance(value, frozenset) else value
