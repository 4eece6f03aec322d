"""`urumi`: the platform on this machine, and its stores."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated

import typer

from dev.cli import (
    accounts,
    doctor,
    keys,
    orphans,
    output,
    people,
    plans,
    queue,
    signing_in,
    stores,
    tokens,
    verbs,
)
from dev.cli.failures import UNREACHABLE, USAGE, CommandError, Commands
from dev.machine.place import Place

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    help="The store platform on this machine.",
    epilog="Exit codes: 0 success, 1 failed, 2 wrong usage, 3 the platform does not run.",
)
stores.app.add_typer(verbs.app)
app.add_typer(stores.app, name="stores")
app.add_typer(tokens.app, name="tokens")
app.add_typer(queue.app, name="queue")
app.add_typer(orphans.app, name="orphans")
app.add_typer(keys.app, name="keys")
app.add_typer(accounts.app, name="accounts")
app.add_typer(people.app, name="people")
app.command()(plans.plans)
app.command()(doctor.doctor)
app.command()(signing_in.signin)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]

FOLLOW_PAUSE = 0.2  # seconds


@app.command()
def up(as_json: Json = False) -> None:
    """Start whatever does not run, on the cluster that CLUSTER names or the first that fits."""
    from dev.machine import machine  # noqa: PLC0415 - commands that only read need not load it

    place = Place.from_environment()
    values = machine.up(place, output.say)
    if as_json:
        output.as_json(values)
        return
    output.line(f"API:      {values['URUMI_API_URL']}")
    output.line(f"cluster:  {values['URUMI_CLUSTER']}, pods are {values['URUMI_PODS']}")
    output.line(f"addresses and keys:  . {output.near(str(place.environment))}")


@app.command()
def down() -> None:
    """Stop everything that was started here; data stays."""
    from dev.machine import machine  # noqa: PLC0415 - as above

    machine.down(Place.from_environment(), output.say)


@app.command()
def clean() -> None:
    """Stop everything and remove all local data."""
    from dev.machine import machine  # noqa: PLC0415 - as above

    machine.clean(Place.from_environment(), output.say)


@app.command()
def demo(as_json: Json = False) -> None:
    """Start everything, create a store and follow it to READY."""
    from dev.cli import demo as demonstration  # noqa: PLC0415 - as above

    demonstration.demo(Place.from_environment(), as_json=as_json)


@app.command()
def status(as_json: Json = False) -> None:
    """Show each part: its state, address, log and last error. Exit code 3 unless all run."""
    from dev.machine.status import status as look  # noqa: PLC0415 - as above

    parts = look(Place.from_environment())
    if as_json:
        output.as_json([asdict(one) for one in parts])
    else:
        columns = ("part", "state", "address", "log", "last error")
        rows = [
            (one.part, one.state, one.address, output.near(one.log), (one.last_error or "")[:160])
            for one in parts
        ]
        output.table(columns, rows)
    if any(one.state != "running" for one in parts):
        raise typer.Exit(UNREACHABLE)


@app.command()
def logs(
    part: Annotated[str, typer.Argument(help="A part's name, as `urumi status` shows it.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written.")] = False,
) -> None:
    """Show what a part wrote since it was started."""
    from dev.machine.processes import record_of  # noqa: PLC0415 - as above

    place = Place.from_environment()
    path = place.log(part)
    if not path.exists():
        known = ", ".join(sorted(one.stem for one in place.logs.glob("*.log"))) or "none: `urumi up`"
        raise CommandError(f"no log of a part {part!r}; there are: {known}", USAGE)
    record = record_of(place, part)
    with path.open(errors="replace") as log:
        log.seek(record.log_start if record else 0)
        typer.echo(log.read(), nl=False)
        while follow:
            time.sleep(FOLLOW_PAUSE)
            typer.echo(log.read(), nl=False)
