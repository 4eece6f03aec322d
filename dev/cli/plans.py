"""`urumi plans`: what stores can be ordered with."""

from __future__ import annotations

from typing import Annotated

import typer

from dev.cli import output
from dev.cli.api import Api, Plan, Price

COLUMNS = ("plan", "a month", "CPU", "memory", "files", "database", "trial", "unpaid", "kept")
# ISO 4217: currencies that do not have two digits behind the point.
NO_DIGITS = {
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"),
    *("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
}
THREE_DIGITS = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}


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
        _money(plan["price"]),
        *uses,
        plan["content_storage"],
        plan["database_storage"],
        *days,
    )


def _money(price: Price) -> str:
    units, currency = str(price["minor_units"]), price["currency"]
    if currency in NO_DIGITS:
        return f"{units} {currency}"
    digits = 3 if currency in THREE_DIGITS else 2
    units = units.zfill(digits + 1)
    return f"{units[:-digits]}.{units[-digits:]} {currency}"
