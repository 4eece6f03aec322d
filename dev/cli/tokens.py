"""`urumi tokens …`: the account's API tokens."""

from __future__ import annotations

from typing import Annotated

import typer

from control_plane.domain.accounts import Scope
from dev.cli import output
from dev.cli.api import Api, Token
from dev.cli.failures import USAGE, CommandError

app = typer.Typer(no_args_is_help=True, help="API tokens for machines.")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]

COLUMNS = ("name", "begins with", "scopes", "created", "expires", "last used", "id")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="For you to know it by.")],
    *,
    scope: Annotated[
        list[Scope] | None, typer.Option(help="What it may do; stores:read if not given. Repeat it.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="When it ends by itself.")] = 90,
    as_json: Json = False,
) -> None:
    """Make a token; it is shown once, on stdout."""
    made = Api.from_environment().create_token(name, scope or [Scope.READ], days)
    if as_json:
        output.as_json(made)
        return
    output.say(f"token {name!r} ({', '.join(made['scopes'])}); keep it, it is not shown again:")
    output.line(made["token"])


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show the tokens that are neither revoked nor expired, newest first."""
    tokens = Api.from_environment().tokens()
    if as_json:
        output.as_json({"tokens": tokens})
        return
    output.table(COLUMNS, [_row(token) for token in tokens])


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(help="Its id, its name, or how the id begins.")],
) -> None:
    """End a token at once."""
    api = Api.from_environment()
    found = [each for each in api.tokens() if each["name"] == token or each["id"].startswith(token)]
    if len(found) != 1:
        how = "several tokens are" if found else "no token is"
        raise CommandError(f"{how} {token!r}: `urumi tokens list` shows all, with their ids", USAGE)
    api.revoke_token(found[0]["id"])
    output.say(f"revoked {found[0]['name']!r}")


def _row(token: Token) -> tuple[str, ...]:
    moments = (_day(token["created_at"]), _day(token["expires_at"]), _day(token["last_used_at"]))
    return token["name"], token["prefix"], " ".join(token["scopes"]), *moments, token["id"]


def _day(moment: str | None) -> str:
    return moment[:16].replace("T", " ") if moment else ""
