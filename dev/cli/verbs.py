"""`urumi stores …`: what can be asked of a store that is there. Each command says what comes of it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dev.cli import output
from dev.cli.api import Api, Store
from dev.cli.failures import USAGE, CommandError
from dev.cli.stores import Json, Which, details

app = typer.Typer()


@app.command()
def suspend(store: Which, as_json: Json = False) -> None:
    """Switch a store off, and keep all of it: what you suspended only you resume."""
    api = Api.from_environment()
    found = api.find(store)
    after = api.ask(found["id"], "suspend")
    _tell(
        found, after, f"off at once, and nothing is lost; undo: urumi stores resume {after['name']}", as_json
    )


@app.command()
def resume(store: Which, as_json: Json = False) -> None:
    """Have a store that you suspended run again, as it was."""
    api = Api.from_environment()
    found = api.find(store)
    after = api.ask(found["id"], "resume")
    _tell(found, after, f"your hold is lifted; {_runs(after)}", as_json)


@app.command()
def rename(
    store: Which, title: Annotated[str, typer.Argument(help="The new title.")], as_json: Json = False
) -> None:
    """Give a store another title; its name and address stay."""
    api = Api.from_environment()
    found = api.find(store)
    after = api.change(found["id"], title=title)
    _tell(found, after, f"title: {found['title']} → {after['title']}", as_json)


@app.command()
def move(
    store: Which,
    name: Annotated[str, typer.Argument(help="The new name, which its address begins with.")],
    as_json: Json = False,
) -> None:
    """Give a store another name and address; the address before leads to it for a while."""
    api = Api.from_environment()
    found = api.find(store)
    after = api.change(found["id"], name=name)
    until = f"; {found['hostname']} leads there until {_day(after['former_until'])}"
    _tell(found, after, f"address: {found['address']} → {after['address']}{until}", as_json)


@app.command("plan")
def change_plan(
    store: Which,
    plan: Annotated[str, typer.Argument(help="The new plan: `urumi plans` lists all.")],
    as_json: Json = False,
) -> None:
    """Give a store another plan; its storage grows with it, and never shrinks."""
    api = Api.from_environment()
    found = api.find(store)
    after = api.change(found["id"], plan=plan)
    _tell(found, after, f"plan: {found['plan']} → {after['plan']}; the shop pauses for some seconds", as_json)


@app.command()
def delete(
    store: Which,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask on a terminal.")] = False,
    as_json: Json = False,
) -> None:
    """Switch a store off, and remove it after its plan's retention; until then it can be undone."""
    api = Api.from_environment()
    found = api.find(store)
    if not yes and sys.stdin.isatty():
        used = "switched off now and removed later" if found["ready_at"] else "removed at once"
        typer.confirm(f"Delete {found['name']} ({found['id']})? It is {used}.", abort=True, err=True)
    after = api.delete(found["id"])
    if after["removal_at"] and after["state"] != "DELETING":
        undo = f"undo: urumi stores undelete {after['name']}"
        says = f"off at once; kept until {_day(after['removal_at'])}; {undo}"
    else:
        says = "nobody has ever used it: it is removed at once"
    _tell(found, after, says, as_json)


@app.command()
def undelete(store: Which, as_json: Json = False) -> None:
    """Take a deletion back, while the store is still kept."""
    api = Api.from_environment()
    found = api.find(store)
    after = api.ask(found["id"], "undelete")
    _tell(found, after, f"it is kept; {_runs(after)}", as_json)


@app.command()
def purge(
    store: Which,
    name: Annotated[
        str | None, typer.Option("--yes-purge", metavar="NAME", help="The store's name, instead of asking.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Remove a store with all its data: now, for good, and only for whoever types its name."""
    api = Api.from_environment()
    found = api.find(store)
    if name is None and not sys.stdin.isatty():
        raise CommandError(f"nobody can be asked here: add --yes-purge {found['name']}", USAGE)
    if name is None:
        says = f"{found['name']} ({found['id']}) is removed with all its data, and nobody can bring it back."
        name = typer.prompt(f"{says}\nType its name", err=True)
    after = api.ask(found["id"], "purge", name=name)
    _tell(found, after, "it is removed now, for good", as_json)


@app.command()
def retry(store: Which, as_json: Json = False) -> None:
    """Try a FAILED store again."""
    api = Api.from_environment()
    found = api.find(store)
    _tell(found, api.ask(found["id"], "retry"), "it is tried again, with all that it has already", as_json)


@app.command("reset-password")
def reset_password(store: Which, as_json: Json = False) -> None:
    """Have the administrator's password made anew; claim it when the store is READY again."""
    api = Api.from_environment()
    found = api.find(store)
    after = api.ask(found["id"], "reset-password")
    _tell(found, after, f"when it is READY: urumi stores claim {after['name']}", as_json)


def _tell(before: Store, after: Store, says: str, as_json: bool) -> None:
    if as_json:
        output.as_json(after)
        return
    details(after)
    if after["generation"] == before["generation"]:
        output.say("nothing to do: it was so already")
        return
    output.say(says)
    output.say(f"follow it: urumi stores watch {after['id']}")


def _runs(store: Store) -> str:
    if store["removal_at"]:
        return f"it stays off, and is removed on {_day(store['removal_at'])}"
    if store["holds"]:
        return f"it stays off while held by {' and '.join(store['holds'])}"
    return "it runs again as it was"


def _day(moment: str | None) -> str:
    return moment[:10] if moment else ""
