"""`urumi doctor`: whether each invariant of the platform holds, with evidence and what to do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from control_plane.domain.invariants.findings import Finding, Judged, Report, Verdict
from dev.cli import operators, output
from dev.cli.failures import FAILED, UNREACHABLE, USAGE, CommandError

PATIENCE = 150.0  # two passes a minute apart, and how long the second may last
WATCH_PAUSE = 5.0
_SHOWN = 10  # findings of one invariant; --json has more

Key = tuple[str, str]


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, and tell changes.")] = False,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds for looking again at what is suspected; 0: all has settled.")
    ] = PATIENCE,
) -> None:
    """Check the invariants and change nothing. Exit code 0: all hold, 1: one does not, 3: could not look."""
    from control_plane import bootstrap  # noqa: PLC0415 - half a second that `urumi --help` need not pay

    if watch and as_json:
        raise CommandError("--watch tells changes line by line, --json is one document: choose one", USAGE)
    examine = bootstrap.doctor(operators.settings())
    report = examine(patience=patience)
    if as_json:
        output.as_json(_document(report))
    else:
        _show(report)
    while watch:
        time.sleep(WATCH_PAUSE)
        before, report = report, examine(patience=patience)
        for change in _changes(before, report):
            output.line(f"{datetime.now(UTC):%H:%M:%S}  {change}")
    if report.violated:
        raise typer.Exit(FAILED)
    if not report.holds:
        raise typer.Exit(UNREACHABLE)


def _show(report: Report) -> None:
    rows = [(each.verdict.value, each.invariant.name, each.invariant.statement) for each in report.invariants]
    output.table(("verdict", "invariant", "statement"), rows)
    for judged in report.invariants:
        if judged.verdict is Verdict.VIOLATED or judged.reason:
            output.line()
            for line in _told(judged):
                output.line(line)
    if report.attention:
        output.line()
    for line in report.attention:
        output.line(f"attention: {line}")
    for problem in report.problems:
        output.warn(f"not looked at: {problem.part}: {problem.reason}; {problem.advice}")


def _told(judged: Judged) -> Iterator[str]:
    yield f"{judged.invariant.name}: {judged.verdict}" + (f": {judged.reason}" if judged.reason else "")
    for each in judged.evidence[:_SHOWN]:
        yield f"  {_evidence(each)}"
    unshown = len(judged.evidence[_SHOWN:])
    if unshown or judged.more:
        yield f"  and {unshown} more, and {judged.more} that were seen once"
    if judged.evidence:
        yield f"  what to do: {judged.invariant.advice}"


def _evidence(finding: Finding) -> str:
    return f"{finding.subject}: {finding.seen} (expected: {finding.expected})"


def _changes(before: Report, after: Report) -> Iterator[str]:
    """What is to be said between two reports."""
    verdicts = {each.invariant.name: each.verdict for each in before.invariants}
    for judged in after.invariants:
        if judged.verdict is not verdicts[judged.invariant.name]:
            yield f"{judged.invariant.name}: {judged.verdict}" + (
                f": {judged.reason}" if judged.reason else ""
            )
    known, found = _findings(before), _findings(after)
    for key in found.keys() - known.keys():
        yield f"{found[key].invariant}: {_evidence(found[key])}"
    for key in known.keys() - found.keys():
        yield f"{known[key].invariant}: {known[key].subject}: not found any more"


def _findings(report: Report) -> dict[Key, Finding]:
    return {each.key: each for judged in report.invariants for each in judged.evidence}


def _document(report: Report) -> dict[str, Any]:
    return {
        "checked_at": report.checked_at.isoformat(),
        "stores": report.stores,
        "holds": report.holds,
        "invariants": [
            {
                "name": each.invariant.name,
                "statement": each.invariant.statement,
                "verdict": each.verdict.value,
                "reason": each.reason or None,
                "evidence": [_fact(one) for one in each.evidence],
                "more": each.more,
                "advice": each.invariant.advice,
            }
            for each in report.invariants
        ],
        "attention": list(report.attention),
        "not_looked_at": [
            {"part": each.part.value, "reason": each.reason, "advice": each.advice}
            for each in report.problems
        ],
    }


def _fact(finding: Finding) -> dict[str, str | None]:
    return {
        "store_id": str(finding.store_id) if finding.store_id else None,
        "subject": finding.subject,
        "seen": finding.seen,
        "expected": finding.expected,
    }
