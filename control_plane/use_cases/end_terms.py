"""Do what is due: retentions and former host names that end, and plans or cell values that are others now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from control_plane.domain.chart_values import made_with
from control_plane.domain.errors import DatabaseUnavailableError
from control_plane.domain.life import EndRetention, ForgetFormerHostname, Together
from control_plane.domain.plans import Plan
from control_plane.domain.store import Actor
from control_plane.ports.fleet import PassLease
from control_plane.ports.terms import Terms

log = structlog.get_logger()

_BATCH = 50
AT_ONCE = 5  # stores of a cell that are brought to a change of all: the others go on selling


@dataclass(frozen=True)
class EndTerms:
    """The verb, with what it needs."""

    terms: Terms
    plans: Mapping[str, Plan]
    cell_values: Mapping[str, Any] = field(default_factory=dict)  # as provision has them
    at_once: int = AT_ONCE

    def __call__(self, lease: PassLease, actor: Actor) -> int:
        """Once a pass; returns how many stores were changed. One bad row does not hold up the others.

        Raises DatabaseUnavailableError.
        """
        changed = 0
        for store_id in self.terms.ended(lease, limit=_BATCH):
            try:
                self.terms.change(store_id, Together([EndRetention(), ForgetFormerHostname()]), actor)
                changed += 1
            except DatabaseUnavailableError:
                raise
            except Exception:
                log.exception("term_not_ended", store_id=str(store_id))
        digests = {name: made_with(plan, self.cell_values) for name, plan in self.plans.items()}
        return changed + self.terms.refresh(lease, digests, actor, at_once=self.at_once)
