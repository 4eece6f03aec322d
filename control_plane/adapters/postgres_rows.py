"""How rows of Postgres become our types, and the pieces of SQL that several statements share."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy.engine import RowMapping

from control_plane.domain.store import Desired, Store, StoreState

STORE_COLUMNS = ", ".join(field.name for field in fields(Store))

# Reads the CTE `changed` (the new row, with from_state) and the parameters actor, cause, action.
AUDIT_CHANGED = """
    INSERT INTO audit (store_id, actor, cause, action, from_state, to_state, generation, reason)
    SELECT id, :actor, :cause, :action, from_state, state, generation, reason FROM changed
"""


def store_of(row: RowMapping) -> Store:
    """The store that a row of `stores` describes."""
    values: dict[str, Any] = {field.name: row[field.name] for field in fields(Store)}
    values["desired"] = Desired(values["desired"])
    values["state"] = StoreState(values["state"])
    return Store(**values)
