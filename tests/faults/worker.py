"""A process that runs use cases on real parts, each in a child of its own that may end at any moment.

`python worker.py` reads one JSON object a line: {"id", "verb", "arguments", "environment", "at", "how",
"report"}. The child wires the verb as the deployed function does, with each port behind a wrapper that
notes the calls. Just before call number `at`, or the first call of the name `at`, it kills or stops
itself, as `how` says; the last call of all is "end". What it called and what came of it stands in the
file `report`. On stdout: {"id", "pid"} when a child begins, {"id", "status"} when it has ended.

The code that runs is the one first on PYTHONPATH, which may be a copy with a defect in it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from control_plane import bootstrap, logs
from control_plane.domain.accounts import TokenShown
from control_plane.domain.life import Verb
from control_plane.settings import (
    CreateStoreSettings,
    ProvisionSettings,
    ReconcileSettings,
    from_environment,
)
from control_plane.use_cases.create_store import Order
from control_plane.use_cases.create_token import digest_of

SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class Moments:
    """Counts calls on ports; one of them may be the last that this process comes to."""

    def __init__(self, at: int | str | None, how: str | None) -> None:
        self.calls: list[str] = []
        self._at, self._how = at, how
        self._report: Callable[[dict[str, Any]], None] = lambda _: None

    def report_to(self, file: Path) -> None:
        """From now on the file tells the calls."""

        def report(more: dict[str, Any]) -> None:
            aside = file.with_suffix(".new")
            aside.write_text(json.dumps({"calls": self.calls, **more}))
            aside.replace(file)

        self._report = report

    def come_to(self, call: str, **more: Any) -> None:
        """The next moment: just before this call."""
        self.calls.append(call)
        self._report(more)
        if self._how and self._at in (len(self.calls), call):
            self._at = None
            os.kill(os.getpid(), SIGNALS[self._how])


class Watched:
    """A port whose calls are moments."""

    def __init__(self, port: Any, name: str, moments: Moments) -> None:
        self._port, self._name, self._moments = port, name, moments

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._port, name)
        if not callable(attribute):
            return attribute

        def call(*arguments: Any, **named: Any) -> Any:
            self._moments.come_to(f"{self._name}.{name}")
            found = attribute(*arguments, **named)
            return self._transaction(found) if hasattr(found, "__enter__") else found

        return call

    @contextmanager
    def _transaction(self, entered: AbstractContextManager[Any]) -> Iterator[Any]:
        with entered as transaction:
            stores = Watched(transaction.stores, "stores", self._moments)
            yield dataclasses.replace(transaction, stores=stores)
            self._moments.come_to(f"{self._name}.commit")


def watched(verb: Any, moments: Moments, ports: tuple[str, ...]) -> Any:
    """The use case with these ports, its own and those of use cases inside it, behind wrappers."""
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(verb):
        value = getattr(verb, field.name)
        if field.name in ports:
            changes[field.name] = Watched(value, field.name, moments)
        elif dataclasses.is_dataclass(value) and type(value).__module__.startswith("control_plane.use_cases"):
            changes[field.name] = watched(value, moments, ports)
    return dataclasses.replace(verb, **changes)


PORTS = ("accounts", "outbox", "events", "work", "cluster", "releases", "fleet", "terms", "teller")


def create(moments: Moments, *, name: str, key: str) -> str:
    """What POST /v1/stores does."""
    verb = watched(bootstrap.api(from_environment(CreateStoreSettings)).create_store, moments, PORTS)
    order = Order(name, name, "owner@example.com", "standard")
    seen = verb(_me(), order, key=key, body=name.encode(), cause="fault")
    return str(seen.store.id)


def ask(moments: Moments, *, store_id: str, what: str, given: str = "") -> None:
    """What a request that changes a store does."""
    change = watched(bootstrap.api(from_environment(CreateStoreSettings)).change_store, moments, PORTS)
    change(_me(), UUID(store_id), {Verb(what): given}, generation=None, cause="fault")


def _me() -> TokenShown:
    """The place's first customer."""
    return TokenShown(digest_of(os.environ["URUMI_API_TOKEN"]))


def provision(moments: Moments, *, store_id: str) -> None:
    """What a message for the store does."""
    verb = watched(bootstrap.provision(from_environment(ProvisionSettings)), moments, PORTS)
    verb(UUID(store_id), cause=f"fault {os.getpid()}")


def reconcile(moments: Moments) -> dict[str, Any]:
    """What a tick does."""
    verb = watched(bootstrap.reconcile(from_environment(ReconcileSettings)), moments, PORTS)
    return dataclasses.asdict(verb(cause=f"fault {os.getpid()}"))


VERBS: dict[str, Callable[..., Any]] = {
    "create": create,
    "ask": ask,
    "provision": provision,
    "reconcile": reconcile,
}


def run(command: dict[str, Any]) -> None:
    """The life of a child."""
    os.dup2(2, 1)  # logs go where they can be read; stdout is for the test
    os.environ.clear()
    os.environ.update(command["environment"])
    logs.configure()
    moments = Moments(command["at"], command["how"])
    moments.report_to(Path(command["report"]))
    try:
        result = VERBS[command["verb"]](moments, **command["arguments"])
        moments.come_to("end", result=result)
    except Exception as error:  # noqa: BLE001 - told to the test
        traceback.print_exc()
        moments.come_to("end", error=type(error).__name__)


def say(what: dict[str, Any]) -> None:
    """One line for the test."""
    print(json.dumps(what), flush=True)


def main() -> None:
    """Fork a child for each line until there are no more, and tell how each ended."""
    children: dict[int, int] = {}
    lines = os.fdopen(os.dup(0), "rb", buffering=0)
    rest, open_ = b"", True
    while open_ or children:
        if open_ and select.select([lines], [], [], 0.01)[0]:
            chunk = lines.read(65536) or b""
            open_ = bool(chunk)
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                command = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    run(command)
                    sys.stderr.flush()
                    os._exit(0)
                children[pid] = command["id"]
                say({"id": command["id"], "pid": pid})
        while children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            say({"id": children.pop(pid), "status": os.waitstatus_to_exitcode(status)})


if __name__ == "__main__":
    main()
