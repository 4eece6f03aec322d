"""`urumi plans`: what stores can be ordered with."""

from __future__ import annotations

from typing import Annotated

import typer

from control_plane.domain.plans import Price
from dev.cli import output
from dev.cli.api import Api, Plan

COLUMNS = ("plan", "a month", "CPU", "memory", "files", "database", "trial", "unpaid", "kept")


def plans(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Show the plans: what a store may use, what that costs, and how long it is kept."""
    found = Api.from_environment().plans()
    if as_json:
        output.as_json({"plans": found})
        return
    output.table(COLUMNS, [_row(plan) for plan in found])


def _row(plan: Plan) -> tuple[str, ...]:
    quota = plan["quota"]
    days = (f"{plan[name]} days" for name in ("trial_days", "grace_days", "retention_days"))
    uses = (quota.get("limits.cpu", ""), quota.get("limits.memory", ""))
    return (
        plan["name"],
        Price.model_validate(plan["price"]).told,
        *uses,
        plan["content_storage"],
        plan["database_storage"],
        *days,
    )
