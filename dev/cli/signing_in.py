"""`urumi signin`: an address of the console that signs a browser in, once, for whoever has this machine."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

import typer

from control_plane.domain.dead_letters import Operator
from control_plane.domain.people import ONE_TIME_LIFE
from dev.cli import operators, output
from dev.cli.failures import UNREACHABLE, CommandError
from dev.machine import environment
from dev.machine.customers import customers
from dev.machine.place import Place

MINUTES = int(ONE_TIME_LIFE.total_seconds() // 60)


def signin(
    account: Annotated[
        str | None, typer.Option(help="Of which account; the first of this place if not given.")
    ] = None,
) -> None:
    """Print an address that signs a browser in to the console, once."""
    place = Place.from_environment()
    found = address(place, environment.read(place), operators.an_id(account) if account else None)
    output.say(f"open it within {MINUTES} minutes, in a browser on this machine; it works once:")
    output.line(found)


def address(place: Place, values: Mapping[str, str], account: UUID | None = None) -> str:
    """A new one. `values` are the place's environment. Raises CommandError."""
    from control_plane.use_cases.create_token import digest_of  # noqa: PLC0415 - rarely needed

    console = values.get("URUMI_CONSOLE_URL")
    if console is None:
        raise CommandError("the console was never started here: `urumi up` starts it", UNREACHABLE)
    secret = secrets.token_urlsafe(32)
    with operators.registry(values) as registry:
        by = Operator(operators.user())
        registry.let_sign_in(account or UUID(customers(place)[0].id), digest_of(secret), by)
    return f"{console}/signin/once?token={secret}"
