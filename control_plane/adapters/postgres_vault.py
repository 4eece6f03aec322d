"""Administrators' passwords between being made and being claimed, as provision and operators see them."""

from __future__ import annotations

from sqlalchemy import text

from control_plane.adapters.postgres_database import Database
from control_plane.adapters.sealer import Sealer
from control_plane.domain.errors import LeaseLostError
from control_plane.ports.work import Leased

# Fenced, like every write of a worker. What is kept already was kept by an attempt that went no further.
_KEEP = text("""
WITH held AS (
    SELECT id FROM stores WHERE id = :id AND lease_token = :token AND lease_until > clock_timestamp()
    FOR UPDATE
), kept AS (
    INSERT INTO unclaimed (store_id, number, generation, sealed)
    SELECT id, :number, :generation, :sealed FROM held ON CONFLICT DO NOTHING RETURNING sealed
), made AS (
    UPDATE stores SET admin_made = greatest(admin_made, :number) FROM held WHERE stores.id = held.id
)
SELECT coalesce(
    (SELECT sealed FROM kept), (SELECT sealed FROM unclaimed WHERE store_id = :id AND number = :number)
) AS sealed FROM held
""")
_SEALED = text("SELECT store_id, number, sealed FROM unclaimed ORDER BY store_id, number")
_SEAL_AGAIN = text("""
UPDATE unclaimed SET sealed = :sealed WHERE store_id = :id AND number = :number AND sealed = :before
""")


class PostgresVault:
    """The `Vault` port, and the change of keys."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def keep(self, leased: Leased, number: int, password: str) -> str:
        """See the port."""
        store, lease = leased.store, leased.lease
        row = self._database.one(
            _KEEP,
            {
                "id": store.id,
                "token": lease.token,
                "number": number,
                "generation": store.generation,
                "sealed": self._sealer.seal(store.id, number, password),
            },
        )
        if row is None:
            raise LeaseLostError(str(store.id))
        return self._sealer.open(store.id, number, row["sealed"])

    def seal_again(self) -> int:
        """Seal all that is unclaimed with the newest key; how many there were. Safe to repeat."""
        rows = self._database.rows(_SEALED, {})
        for row in rows:
            values = {"id": row["store_id"], "number": row["number"], "before": bytes(row["sealed"])}
            self._database.rows(_SEAL_AGAIN, {**values, "sealed": self._sealer.again(row["sealed"])})
        return len(rows)
