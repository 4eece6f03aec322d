"""The front door as a whole: HAProxy is kept running, and its map is kept to what the cluster says."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal

from dev.front_door import runtime, table
from dev.front_door.api import Api
from dev.front_door.configuration import MAP
from dev.front_door.haproxy import Haproxy
from dev.front_door.listeners import listening_at
from dev.front_door.log import say
from dev.front_door.objects import endpoints_of, ingress_of, service_of
from dev.front_door.routes import routes
from dev.front_door.runtime import RuntimeApiError
from dev.front_door.server import Server
from dev.front_door.watch import Watch

_INGRESSES = "/apis/networking.k8s.io/v1/ingresses"
_SERVICES = "/api/v1/services"
_ENDPOINTS = "/apis/discovery.k8s.io/v1/endpointslices"
_AGAIN = 0.5  # seconds after which a map that HAProxy did not take is tried again
_NAMED = 10  # host names in one line of the log

News = Literal["changed", "child ended", "stop"]


class Door:
    """One front door in the current folder."""

    def __init__(self, find: Callable[[], Server], binary: str, door: socket.socket) -> None:
        """`find` tells the API server, `binary` is HAProxy, `door` the socket where shoppers come in."""
        # Its put may be called from a signal handler, whatever the main thread is at.
        self._news: SimpleQueue[News] = SimpleQueue()
        self._map = Path(MAP)
        self._table = self._last_time()
        self._complaints: frozenset[str] = frozenset()
        self._untold = False  # HAProxy may have another table than the file
        self._door, self._control = door, listening_at(runtime.SOCKET)  # open as long as we are
        self._haproxy = Haproxy(binary, self._door, self._control)
        api = Api(find)
        self._ingresses = Watch(api, _INGRESSES, ingress_of, self._changed)
        self._services = Watch(api, _SERVICES, service_of, self._changed)
        self._endpoints = Watch(api, _ENDPOINTS, endpoints_of, self._changed)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Only in the main thread."""
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: self._news.put("stop"))
        signal.signal(signal.SIGCHLD, lambda *_: self._news.put("child ended"))
        self._haproxy.keep()
        say(f"listening at {self._door.getsockname()[:2]}; {len(self._table)} stores known from last time")
        for watch in (self._ingresses, self._services, self._endpoints):
            threading.Thread(target=watch.run, daemon=True).start()
        try:
            while "stop" not in (news := self._next()):
                if "changed" in news:
                    self._look()
                if self._untold:
                    self._tell()
        finally:
            self._haproxy.stop()
            say("stopped")

    def _changed(self) -> None:
        self._news.put("changed")

    def _next(self) -> set[News]:
        """All news there is, after some has come or something is due. HAProxy is seen to."""
        pause = self._haproxy.keep()
        due = [each for each in (pause, _AGAIN if self._untold else None) if each is not None]
        news: set[News] = set()
        with suppress(Empty):
            news.add(self._news.get(timeout=min(due, default=None)))
            while True:
                news.add(self._news.get_nowait())
        return news

    def _look(self) -> None:
        """Bring the file to what the cluster says, once Ingresses and Services are known."""
        ingresses, services = self._ingresses.known(), self._services.known()
        if ingresses is None or services is None:
            return
        wanted, complaints = routes(ingresses, services, self._endpoints.known() or {})
        for complaint in sorted(complaints - self._complaints):
            say(f"WARNING {complaint}")
        self._complaints = complaints
        if wanted == self._table:
            return
        # First the file: a HAProxy that is started in this very moment has the table at once.
        self._write(wanted)
        changed = sorted({host for host, _ in wanted.items() ^ self._table.items()})
        shown = ", ".join(changed[:_NAMED]) + (", ..." if len(changed) > _NAMED else "")
        say(f"{len(wanted)} stores; changed: {shown}")
        self._table = wanted
        self._untold = True

    def _tell(self) -> None:
        try:
            runtime.bring_to(MAP, self._table)
            self._untold = False
        except RuntimeApiError as error:
            say(f"ERROR HAProxy did not take the new table, and is told again: {error}")

    def _last_time(self) -> table.Table:
        """The table of last time, in a file that HAProxy can read whatever became of it."""
        known: table.Table = {}
        with suppress(FileNotFoundError):
            known = table.table_in(self._map.read_text(errors="replace"))
        self._write(known)
        return known

    def _write(self, wanted: table.Table) -> None:
        beside = self._map.with_suffix(".new")
        beside.write_text(table.text(wanted))
        beside.replace(self._map)
