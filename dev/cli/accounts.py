"""`urumi accounts …`: what an operator does about accounts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from control_plane.domain.dead_letters import Operator
from dev.cli import operators, output

app = typer.Typer(no_args_is_help=True, help="Accounts and what they are called elsewhere (for operators).")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Account = Annotated[str, typer.Argument(help="The account's id.")]


@app.command()
def link(
    account: Account,
    billing: Annotated[tuple[str, str], typer.Option(help="A billing system and its customer's id.")],
    reason: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
    operator: Annotated[
        str | None, typer.Option("--as", help="Who asks; the user and host if not given.")
    ] = None,
) -> None:
    """Tell which customer of a billing system an account is."""
    system, customer = billing
    with operators.registry() as registry:
        by = Operator(operator or operators.user(), reason)
        registry.link(operators.an_id(account), system, customer, by)
    output.line(f"account {account}: {customer} of {system}")


@app.command()
def show(account: Account, as_json: Json = False) -> None:
    """Show an account: its plan, what it is called elsewhere, and who its members are, by id."""
    with operators.registry() as registry:
        found = registry.account(operators.an_id(account))
    if as_json:
        members = [{"person": str(person), "role": role} for person, role in found.members]
        told = {**asdict(found), "id": str(found.id), "created_at": found.created_at.isoformat()}
        output.as_json({**told, "members": members})
        return
    created = found.created_at.isoformat(sep=" ", timespec="seconds")
    counts = {"live stores": found.live_stores, "API tokens": found.tokens}
    output.fields({"account": found.id, "plan": found.plan, "created": created, **counts})
    output.table(("called", "by", "as"), [(each.kind, each.issuer, each.customer) for each in found.links])
    output.table(("member", "role"), [(str(person), role) for person, role in found.members])
