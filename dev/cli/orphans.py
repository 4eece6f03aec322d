"""`urumi orphans …`: what is in the cell and in no row, and what an operator does about it."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from control_plane.domain.dead_letters import Operator
from control_plane.domain.errors import TemporaryError
from control_plane.domain.invariants import catalogue
from control_plane.domain.invariants.findings import Finding, Report
from control_plane.domain.orphans import NoOrphanError, Orphan
from dev.cli import operators, output
from dev.cli.failures import UNREACHABLE, USAGE, CommandError

app = typer.Typer(no_args_is_help=True, help="See and remove namespaces that belong to no store.")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]

COLUMNS = ("namespace", "store", "found", "quarantined", "removal asked")
LIMIT = 1000
PATIENCE = 10.0  # seconds for looking again
_ABOUT = (catalogue.NO_ORPHANS, catalogue.DELETED_IS_GONE, catalogue.ONE_RELEASE_PER_STORE)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show the orphans that passes have put on record, and what else a look at the platform finds."""
    from control_plane import bootstrap  # noqa: PLC0415 - half a second that `urumi --help` need not pay

    settings = operators.settings()
    try:
        known = bootstrap.orphans(settings).orphans(limit=LIMIT)
    except TemporaryError as error:
        raise CommandError(f"{error}: `urumi status` shows what runs", UNREACHABLE) from error
    report = bootstrap.doctor(settings)(patience=PATIENCE)
    others = _others(report, {each.store_id for each in known})
    if as_json:
        output.as_json(
            {
                "orphans": [_facts(each) for each in known],
                "also_seen": [{"subject": each.subject, "seen": each.seen} for each in others],
            }
        )
    else:
        if known:
            output.table(COLUMNS, [_row(each) for each in known])
        for each in others:
            output.line(f"{each.subject}: {each.seen}")
        if not known and not others:
            output.say("there are no orphans")
    for problem in report.problems:
        output.warn(f"not looked at: {problem.part}: {problem.reason}; {problem.advice}")
    if report.problems:
        raise typer.Exit(UNREACHABLE)


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="The namespace, store-ID, or the id.", metavar="NAME")],
    reason: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
    operator: Annotated[
        str | None, typer.Option("--as", help="Who asks; the user and host if not given.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask on a terminal.")] = False,
) -> None:
    """Have an orphan's namespace removed with all that is in it; never a store's."""
    from control_plane import bootstrap  # noqa: PLC0415 - as above

    try:
        store_id = UUID(name.removeprefix("store-"))
    except ValueError as error:
        raise CommandError(
            f"{name!r} is no store's namespace: `urumi orphans list` shows names", USAGE
        ) from error
    desk = bootstrap.orphans(operators.settings())
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Remove the namespace store-{store_id} and all its data?", abort=True, err=True)
    try:
        desk.ask_removal(store_id, Operator(operator or operators.user(), reason))
    except NoOrphanError as error:
        raise CommandError(str(error)) from error
    except TemporaryError as error:
        raise CommandError(f"{error}: `urumi status` shows what runs", UNREACHABLE) from error
    output.line(f"store-{store_id}: removal asked; it happens in the background")


def _others(report: Report, known: set[UUID]) -> list[Finding]:
    """Rows without a namespace, and releases and namespaces in places where nothing of a store belongs."""
    evidence = [one for each in report.invariants for one in each.evidence if one.invariant in _ABOUT]
    return [
        each
        for each in evidence
        if each.store_id not in known
        and (each.invariant != catalogue.ONE_RELEASE_PER_STORE or not each.subject.startswith("store "))
    ]


def _facts(orphan: Orphan) -> dict[str, str | None]:
    return {
        "namespace": orphan.namespace,
        "store_id": str(orphan.store_id),
        "store": orphan.state.value if orphan.state else None,
        "found_at": orphan.found_at.isoformat(),
        "quarantined_at": orphan.quarantined_at.isoformat() if orphan.quarantined_at else None,
        "removal_at": orphan.removal_at.isoformat() if orphan.removal_at else None,
    }


def _row(orphan: Orphan) -> tuple[str, ...]:
    times = (orphan.found_at, orphan.quarantined_at, orphan.removal_at)
    return orphan.namespace, orphan.state or "never known", *(_moment(each) for each in times)


def _moment(at: datetime | None) -> str:
    return at.isoformat(sep=" ", timespec="seconds") if at else "no"
