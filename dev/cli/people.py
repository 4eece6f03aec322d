"""`urumi people …`: what an operator does about people."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from control_plane.domain.dead_letters import Operator
from control_plane.domain.registry import ERASED_ADDRESS
from dev.cli import operators, output

app = typer.Typer(no_args_is_help=True, help="People who sign in (for operators).")


@app.command()
def erase(
    who: Annotated[str, typer.Argument(help="Their id, or their e-mail address.", metavar="PERSON")],
    reason: Annotated[str | None, typer.Option(help="Why, for the record: no names.")] = None,
    operator: Annotated[
        str | None, typer.Option("--as", help="Who asks; the user and host if not given.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask on a terminal.")] = False,
) -> None:
    """Forget a person: name, address, identity, sessions and memberships. Their accounts stay."""
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Forget {who}? Nobody can undo it.", abort=True, err=True)
    with operators.registry() as registry:
        person = who if "@" in who else operators.an_id(who)
        done = registry.erase(person, Operator(operator or operators.user(), reason))
    output.line(f"person {done.person_id}: erased from {done.accounts} accounts")
    if done.stores:
        output.line(f"{done.stores} stores had their address; they have {ERASED_ADDRESS} now")


@app.callback()
def _group() -> None:
    """So that `erase` is a command of its own, though it is the only one."""
