"""Follow one store until it has settled."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dev.cli.api import Api, Store, UnreachableError
from dev.cli.output import say

PAUSE = 0.3  # seconds between two looks
PATIENCE = 30.0  # seconds for which the API may be away: it is restarted now and then
ENDS = ("FAILED", "DELETED")
RESTS = ("READY", "SUSPENDED")  # where a store stays once it is as its newest generation wants it


def follow(api: Api, store: Store, tell: Callable[[Store], None]) -> Store:
    """Wait until the store is READY or SUSPENDED as asked last, FAILED or DELETED, and return it then.

    `tell` is called with each change. Raises CommandError when the API stays away.
    """
    seen = ""
    with _spinner() as show:
        for now in _looks(api, store):
            if (text := _text(now)) != seen:
                seen = text
                tell(now)
            show(text)
            if settled(now):
                return now
            time.sleep(PAUSE)
    raise AssertionError("looks never end by themselves")


def settled(store: Store) -> bool:
    """Whether nothing more will happen by itself."""
    rests = store["state"] in RESTS and store["observed_generation"] == store["generation"]
    return rests or store["state"] in ENDS


def succeeded(first: Store, last: Store) -> bool:
    """Whether the store ended as it was asked to when we began to look."""
    if first["state"] in ("DELETING", "DELETED"):
        return last["state"] == "DELETED"
    off = first["holds"] or first["removal_at"]
    return last["state"] == ("SUSPENDED" if off else "READY")


def told(store: Store) -> None:
    """A store's state as a line of progress."""
    say(_text(store))


def _text(store: Store) -> str:
    reason = store["reason"]
    return f"{store['name']}: {store['state']}" + (f" - {reason}" if reason else "")


def _looks(api: Api, store: Store) -> Iterator[Store]:
    away_since: float | None = None
    yield store
    while True:
        try:
            store = api.show(store["id"])
        except UnreachableError:
            now = time.monotonic()
            if away_since is None:
                away_since = now
                say("the API does not answer; trying on")
            if now - away_since > PATIENCE:
                raise
        else:
            away_since = None
        yield store


@contextmanager
def _spinner() -> Iterator[Callable[[str], None]]:
    """A turning sign with the state on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - 50 ms that plain output need not pay
    from rich.markup import escape  # noqa: PLC0415 - as above

    with Console(stderr=True).status("") as status:
        yield lambda text: status.update(escape(text))
