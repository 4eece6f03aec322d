"""One kind of objects of a cluster, known as well as can be: listed once, then watched."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from dev.front_door.api import Api, ApiError, GoneError
from dev.front_door.backoff import Backoff
from dev.front_door.log import say
from dev.front_door.objects import Key, key_of

T = TypeVar("T")

_STEADY = 5.0  # seconds after which a watch that ends has not failed


class Watch(Generic[T]):
    """What is known of the objects at `path`; while the server is away, what was known before."""

    def __init__(
        self,
        api: Api,
        path: str,
        read: Callable[[dict[str, Any]], T | None],
        changed: Callable[[], None],
    ) -> None:
        """`read` tells what to keep of an object, None for nothing; `changed` is called after each change."""
        self._api = api
        self._path = path
        self._read = read
        self._changed = changed
        self._backoff = Backoff(0.2, 5)
        self._lock = threading.Lock()
        self._known: dict[Key, T] = {}
        self._listed = False
        self._version = ""  # where to go on; empty: nowhere, list anew
        self._trouble = ""  # said last

    def run(self) -> None:
        """Follow what happens there, for ever: for a thread that ends with the process."""
        while True:
            began = time.monotonic()
            try:
                self._follow()
            except GoneError:
                self._version = ""
                self._backoff.worked()  # it answers
            except ApiError as error:
                self._complain(str(error))
            except Exception as error:  # noqa: BLE001 - a mistake of ours must not leave the door as it is for ever
                self._complain(repr(error))
                self._version = ""
            if time.monotonic() - began > _STEADY:
                self._backoff.worked()
            time.sleep(self._backoff.failed())

    def known(self) -> dict[Key, T] | None:
        """What is kept of each object; None until the first list has come."""
        with self._lock:
            return dict(self._known) if self._listed else None

    def _follow(self) -> None:
        """Go on from what is known until the server ends the watch. Raises ApiError."""
        if not self._version:
            self._list()
        for kind, item in self._api.watch(self._path, self._version):
            if kind != "BOOKMARK":
                self._take(kind, item)
            self._version = item["metadata"]["resourceVersion"]
            self._worked()

    def _list(self) -> None:
        items, version = self._api.list(self._path)
        known = {key_of(item): kept for item in items if (kept := self._read(item)) is not None}
        with self._lock:
            self._known, self._listed = known, True
        self._version = version
        self._worked()
        self._changed()

    def _take(self, kind: str, item: dict[str, Any]) -> None:
        key = key_of(item)
        kept = None if kind == "DELETED" else self._read(item)
        with self._lock:
            if self._known.get(key) == kept:
                return
            if kept is None:
                del self._known[key]
            else:
                self._known[key] = kept
        self._changed()

    def _worked(self) -> None:
        self._backoff.worked()
        if self._trouble:
            say(f"{self._path} is known again")
            self._trouble = ""

    def _complain(self, trouble: str) -> None:
        # Once, not once a second.
        if trouble != self._trouble:
            say(f"ERROR what is known stays, and {self._path} is asked for again: {trouble}")
            self._trouble = trouble
