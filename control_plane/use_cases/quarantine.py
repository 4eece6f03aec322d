"""Keep an orphan's namespace apart; remove it only when an operator has asked for that."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import structlog

from control_plane.domain.errors import PermanentError
from control_plane.ports.orphans import OrphanNamespaces, OrphanWork

log = structlog.get_logger()


@dataclass(frozen=True)
class Quarantine:
    """The verb, with what it needs."""

    orphans: OrphanWork
    namespaces: OrphanNamespaces

    def __call__(self, store_id: UUID) -> None:
        """Do what is to be done about it, whatever the message said: label it, or have it removed.

        Nothing where it is no orphan any more. What the cell refuses is logged; the next full pass has
        it tried again. Raises TemporaryError.
        """
        try:
            self._deal_with(store_id)
        except PermanentError as error:
            log.error("orphan_untouched", store_id=str(store_id), reason=str(error))  # noqa: TRY400 - foreseen

    def _deal_with(self, store_id: UUID) -> None:
        orphan = self.orphans.find(store_id)
        if orphan is None:
            log.info("no_orphan", store_id=str(store_id))
        elif orphan.removal_at:
            self.namespaces.remove(store_id)
            log.warning("orphan_removed", store_id=str(store_id), known_as=orphan.state)
        else:
            self.namespaces.quarantine(store_id)
            self.orphans.mark_quarantined(store_id)
            log.warning("orphan_quarantined", store_id=str(store_id), known_as=orphan.state)
