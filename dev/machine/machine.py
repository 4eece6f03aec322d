"""Start and stop everything of one place, in the right order."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TypeVar

from dev.cluster.lock import locked
from dev.machine import (
    clusters,
    customers,
    database_roles,
    emulator,
    environment,
    functions,
    keys,
    migrations,
    postgres,
    postgres_home,
    processes,
    topics,
)
from dev.machine.digests import digest
from dev.machine.place import Place

T = TypeVar("T")
Say = Callable[[str], None]

TICKER = "ticker"
WEBHOOK = functions.WEBHOOK.name


def up(place: Place, say: Say) -> dict[str, str]:
    """Start whatever does not run and return the place's environment. Raises MachineError.

    Idempotent, also after any part was killed. `say` gets lines of progress, from threads.
    """
    with _alone(place, say):
        provider = clusters.choose(place)
        postgres.check(place)
        emulator.check(place)
        database = _aside(lambda: _database(place, say))
        messages = _aside(lambda: emulator.up(place, say))
        cluster = _aside(lambda: clusters.up(place, provider, say))
        (url, logins), broker, (made, kubeconfigs) = database(), messages(), cluster()
        around = functions.Surroundings(
            logins,
            broker.address,
            kubeconfigs,
            made,
            keys.keys(place),
        )
        bases = functions.up(place, around)
        topics.ensure(
            broker.address,
            provision=_seen_from(broker, bases["provision"]),
            reconcile=_seen_from(broker, bases["reconcile"]),
            billing_event=_seen_from(broker, bases["billing_event"]),
        )
        _tick(place, bases["reconcile"])
        values = {
            "URUMI_API_URL": bases["create_store"],
            "URUMI_CONSOLE_URL": functions.public_url(bases["console"]),
            "URUMI_API_TOKEN": customers.customers(place)[0].token,
            "URUMI_PROVISION_URL": bases["provision"],
            "URUMI_RECONCILE_URL": bases["reconcile"],
            "URUMI_BILLING_EVENT_URL": bases["billing_event"],
            **({"URUMI_STRIPE_WEBHOOK_URL": bases[WEBHOOK]} if WEBHOOK in bases else {}),
            "DATABASE_URL": url,  # the admin's: for people, never for a function
            "URUMI_OPERATOR_DATABASE_URL": logins["operator"],
            "PUBSUB_EMULATOR_HOST": broker.address,
            "PUBSUB_PROJECT_ID": topics.PROJECT,
            "KUBECONFIG": str(made.kubeconfig),  # the admin's: for people, never for a function
            "URUMI_OPERATOR_KUBECONFIG": str(kubeconfigs["operator"]),
            "URUMI_CLUSTER": made.provider,
            "URUMI_PODS": made.pods,
            "URUMI_HELM": str(made.helm),
        }
        environment.write(place, values)
        say(f"all parts answer; API: {values['URUMI_API_URL']}, console: {values['URUMI_CONSOLE_URL']}")
        return values


def down(place: Place, say: Say) -> None:
    """Stop all that `up` started here, whole or half, by process id; data stays."""
    if not place.root.exists():
        return
    with _alone(place, say):
        _stop_all(place, say)


def clean(place: Place, say: Say) -> None:
    """`down`, then remove the place's data; nothing in its folder that is not ours."""
    if not place.root.exists():
        return
    with _alone(place, say):
        _stop_all(place, say)
        clusters.forget(place, say)
        for left in database_roles.forget(place):
            say(f"database: {left}")
        postgres_home.forget(place)
        for folder in (place.data, place.logs, place.run):
            shutil.rmtree(folder)
        for file in (place.environment, place.kubeconfig, place.root / "lock"):
            file.unlink(missing_ok=True)
    with suppress(OSError):  # somebody keeps other files there
        place.root.rmdir()
    say(f"removed the data in {place.root}")


def _stop_all(place: Place, say: Say) -> None:
    if processes.stop(place, TICKER):
        say("stopped ticker")
    functions.down(place)
    clusters.down(place, say)
    emulator.down(place)
    postgres.down(place)
    for name in processes.recorded(place):
        processes.stop(place, name)
    say("all parts are stopped")


def _database(place: Place, say: Say) -> tuple[str, Mapping[str, str]]:
    url = postgres.up(place, say)
    migrations.migrate(place, url, say)
    logins = database_roles.urls(place, url)
    customers.register(place, logins["operator"])
    return url, logins


def _tick(place: Place, reconcile: str) -> None:
    settings = {
        "URUMI_RECONCILE_URL": reconcile,
        "URUMI_TICK_SECONDS": os.environ.get("URUMI_TICK_SECONDS") or "2",
    }
    wanted = digest([Path(__file__).with_name("ticker.py")], settings)
    found = processes.running(place, TICKER)
    if found and found.digest != wanted:
        processes.stop(place, TICKER)
    processes.start(
        place,
        TICKER,
        [sys.executable, "-m", "dev.machine.ticker"],
        environment={**settings, "PATH": os.defpath, "PYTHONUNBUFFERED": "1"},
        digest=wanted,
    )


def _seen_from(broker: emulator.Emulator, base: str) -> str:
    return base.replace("127.0.0.1", broker.push_host)


def _aside(work: Callable[[], T]) -> Callable[[], T]:
    """Begin `work` in a thread; the answer waits for its result or its error.

    A daemon thread, so that Ctrl-C ends the command at once.
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - carried over to whoever waits
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return result.result


def _alone(place: Place, say: Say) -> AbstractContextManager[None]:
    place.root.mkdir(parents=True, exist_ok=True)
    return locked(place.root / "lock", waiting=lambda: say(f"waiting: another command works on {place.root}"))
