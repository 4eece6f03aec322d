"""How an owner gets into their store: the administrator's password, revealed once, and who was let in."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from control_plane.adapters.postgres_database import Session
from control_plane.adapters.postgres_rows import AUDIT_CHANGED, STORE_COLUMNS, store_of
from control_plane.adapters.postgres_stores import REACHED, not_found
from control_plane.adapters.sealer import Sealer
from control_plane.domain import retention
from control_plane.domain.errors import ClaimedError, NotNowError
from control_plane.domain.store import Actor, Store

# Of two at once the second waits for the first, and finds nothing.
_CLAIM = text(f"""
WITH target AS (
    SELECT {STORE_COLUMNS}, admin_made FROM stores WHERE id = :id AND {REACHED}
), claimed AS (
    DELETE FROM unclaimed USING target WHERE store_id = target.id AND number = target.admin_number
        AND unclaimed.generation <= target.observed_generation
        AND made_at > clock_timestamp() - make_interval(secs => :kept)
    RETURNING sealed
), changed AS (
    SELECT target.*, state AS from_state FROM target WHERE EXISTS (SELECT FROM claimed)
), audited AS ({AUDIT_CHANGED})
SELECT {STORE_COLUMNS}, (SELECT sealed FROM claimed) AS sealed, admin_made >= admin_number AND NOT EXISTS (
    SELECT FROM unclaimed WHERE store_id = target.id AND number = target.admin_number
        AND unclaimed.generation > target.observed_generation
) AS is_over FROM target
""")
_NOTE = text(f"""
WITH changed AS (
    SELECT {STORE_COLUMNS}, state AS from_state FROM stores WHERE id = :id AND {REACHED}
), audited AS ({AUDIT_CHANGED})
SELECT * FROM changed
""")


class PostgresCredentials:
    """The `StoreCredentials` port."""

    def __init__(self, session: Session, reach: UUID | None, sealer: Sealer) -> None:
        self._session = session
        self._reach = reach
        self._sealer = sealer

    def claim(self, store_id: UUID, actor: Actor) -> str:
        """See the port."""
        kept = retention.UNCLAIMED.total_seconds()
        row = self._session.one(_CLAIM, {**self._said(store_id, actor, "password claimed"), "kept": kept})
        if row is None:
            raise not_found(store_id)
        if row["sealed"] is not None:
            return self._sealer.open(store_id, row["admin_number"], row["sealed"])
        if row["is_over"]:
            raise ClaimedError("it was revealed, or waited too long: POST …/reset-password makes a new one")
        raise NotNowError(f"the store is {row['state']}: the password can be claimed when it is READY")

    def note_login(self, store_id: UUID, actor: Actor) -> Store:
        """See the port."""
        row = self._session.one(_NOTE, self._said(store_id, actor, "login link made"))
        if row is None:
            raise not_found(store_id)
        return store_of(row)

    def _said(self, store_id: UUID, actor: Actor, action: str) -> dict[str, object]:
        said = {"actor": actor.name, "cause": actor.cause, "action": action}
        return {"id": store_id, "reach": self._reach, **said}
