"""`urumi stores …`: the public API from the command line. What changes a store is in `verbs`."""

from __future__ import annotations

import itertools
from typing import Annotated

import typer

from dev.cli import output
from dev.cli.api import Api, Event, Store, Subscription
from dev.cli.failures import FAILED, CommandError
from dev.cli.follow import follow, succeeded, told

app = typer.Typer(no_args_is_help=True, help="Stores, through the public API.")

Which = Annotated[str, typer.Argument(help="The store's id or its name.", metavar="ID")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]

COLUMNS = ("name", "state", "plan", "address", "created", "id")
COMMANDS = {"change-plan": "plan"}  # verbs of the API that have another name here
STEPS = {
    "notice": "its administrators get a notice",
    "suspended": "suspended",
    "removed": "removed for good",
}  # what the API calls what becomes of a store
HISTORY = ("at", "state", "action", "actor", "generation", "reason")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="A DNS label of 3 to 40 characters.")],
    *,
    title: Annotated[str | None, typer.Option(help="The shop's title; the name if not given.")] = None,
    email: Annotated[str, typer.Option(help="The owner's e-mail address.")] = "owner@example.com",
    plan: Annotated[str | None, typer.Option(help="The plan; the platform's default if not given.")] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: asking again makes no second.")] = None,
    as_json: Json = False,
) -> None:
    """Ask for a store; it is accepted at once and built in the background."""
    store = Api.from_environment().create(name, title or name, email, plan, key)
    if as_json:
        output.as_json(store)
        return
    details(store)
    output.say(f"follow it: urumi stores watch {store['name']}")


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    search: Annotated[str | None, typer.Option(help="Only those whose name or title has this text.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many; all if not given.")] = None,
    as_json: Json = False,
) -> None:
    """Show stores, newest first."""
    api = Api.from_environment()
    stores = list(itertools.islice(api.stores(state=state.upper() if state else None, search=search), limit))
    if as_json:
        output.as_json({"stores": stores})
        return
    if not stores:
        output.say("no stores; make one: urumi stores create NAME")
        return
    output.table(COLUMNS, [_row(store) for store in stores])


@app.command()
def show(store: Which, as_json: Json = False) -> None:
    """Show one store and its history."""
    api = Api.from_environment()
    found = api.find(store)
    if "subscription" not in found:
        found = api.show(found["id"])
    events = api.events(found["id"])
    if as_json:
        output.as_json({**found, "events": events})
        return
    details(found)
    output.line()
    history(events)


@app.command()
def claim(store: Which, as_json: Json = False) -> None:
    """Reveal the administrator's password: once, on stdout; it is kept nowhere but in the store."""
    api = Api.from_environment()
    found = api.find(store)
    claimed = api.claim(found["id"])
    login = f"{found['address']}/wp-login.php"
    if as_json:
        output.as_json({**claimed, "login": login})
        return
    output.say(f"user {claimed['user']}, at {login}; keep the password, it is not shown again:")
    output.line(claimed["password"])


@app.command()
def login(store: Which, as_json: Json = False) -> None:
    """Print an address that logs you in as the store's administrator: within a minute, and once."""
    api = Api.from_environment()
    link = api.login_link(api.find(store)["id"])
    if as_json:
        output.as_json(link)
        return
    output.line(link["url"])


@app.command()
def watch(store: Which, as_json: Json = False) -> None:
    """Follow a store until it is READY or SUSPENDED, FAILED or DELETED; exit code 0 only for success."""
    api = Api.from_environment()
    first = api.find(store)
    last = follow(api, first, told)
    if as_json:
        output.as_json(last)
    else:
        details(last)
    if not succeeded(first, last):
        raise typer.Exit(FAILED)


def history(events: list[Event]) -> None:
    """A store's history as a table."""
    output.table(HISTORY, [_moment(event) for event in events])


def require_ready(store: Store) -> None:
    """Raise CommandError unless the store is READY."""
    if store["state"] != "READY":
        reason = store["reason"] or "no reason was given"
        raise CommandError(
            f"{store['name']} is {store['state']}: {reason}; see `urumi stores show {store['id']}`"
        )


def details(store: Store) -> None:
    """All that is known of a store, and what can be asked of it."""
    apart = ("hostname", "holds", "possible", "subscription")
    shown = {name: value for name, value in store.items() if name not in apart}
    possible = (COMMANDS.get(verb, verb) for verb in store["possible"])
    paying = store.get("subscription")
    output.fields(
        {
            **shown,
            "subscription": paying and _subscription(paying),
            "held_by": ", ".join(store["holds"]),
            "possible": ", ".join(possible),
        }
    )


def _subscription(paying: Subscription) -> str:
    state = paying["status"].replace("-", " ")
    since = f" since {paying['since'][:10]}" if paying["since"] else ""
    says = f"{paying['id']}: {state}{since}"
    if step := paying["next"]:
        says += f"; {STEPS.get(step['then'], step['then'])} on {step['at'][:10]} unless it is paid"
    if paying["note"]:
        says += f"; {paying['note']}"
    return says


def _row(store: Store) -> tuple[str, ...]:
    created = store["created_at"][:19].replace("T", " ")
    return store["name"], store["state"], store["plan"], store["address"] or "", created, store["id"]


def _moment(event: Event) -> tuple[str, ...]:
    before, after = event["from_state"] or "", event["to_state"] or ""
    state = f"{before} → {after}" if before and before != after else after
    at = event["at"][11:23]
    return at, state, event["action"], event["actor"], str(event["generation"]), event["reason"] or ""
