"""`urumi demo`: from nothing to a store that is READY, and how to go on from there."""

from __future__ import annotations

import secrets
import time
import uuid

from dev.cli import output, signing_in
from dev.cli.api import Api, Store
from dev.cli.follow import follow, told
from dev.cli.stores import history, require_ready
from dev.machine import machine
from dev.machine.place import Place

PRETENCE = """
SIMULATED CLUSTER: Kubernetes, Helm and the control plane are real, but pods only pretend.
No shop runs behind the address above and it will not answer. Real shops take root on Linux
(`make demo CLUSTER=node`), or Docker and kind (`make demo CLUSTER=kind`)."""

ENTER = ("{urumi} stores login {name}", "an address that logs its owner in")
GO_ON = (
    ("{urumi} stores show {name}", "the store and its history"),
    ("{urumi} stores create my-shop", "another store; then: stores watch my-shop"),
    ("{urumi} stores delete {name}", "switch it off; removed when its plan's retention is over"),
    ("{urumi} signin", "an address that signs a browser in to the console"),
    ("{urumi} status", "all parts, their addresses and logs"),
    ("{urumi} logs provision -f", "what provision does"),
    (". {environment}", "all addresses, for curl, psql, helm and kubectl"),
    ("make down", "stop everything; data stays"),
)


def demo(place: Place, *, as_json: bool) -> None:
    """Start what does not run, create a store with a fresh name and follow it to READY.

    Raises CommandError or MachineError.
    """
    values = machine.up(place, output.say)
    api = Api(values["URUMI_API_URL"], values["URUMI_API_TOKEN"])
    name = f"demo-{secrets.token_hex(3)}"
    asked = time.monotonic()
    store = api.create(name, "Demo Shop", "owner@example.com", None, str(uuid.uuid4()))
    store = follow(api, store, told)
    took = time.monotonic() - asked
    simulated = values["URUMI_PODS"] == "simulated"
    if as_json:
        output.as_json(
            {
                "store": store,
                "events": api.events(store["id"]),
                "cluster": values["URUMI_CLUSTER"],
                "pods": values["URUMI_PODS"],
                "seconds_to_settle": round(took, 2),
                "seconds_in_all": round(output.elapsed(), 2),
            }
        )
        require_ready(store)
        return
    require_ready(store)
    _tell(place, api, store, took, simulated=simulated)
    output.line()
    output.line(f"The console is at {values['URUMI_CONSOLE_URL']}")
    output.line(f"Open this in a browser within {signing_in.MINUTES} minutes; it signs you in there, once:")
    output.line(f"  {signing_in.address(place, values)}")


def _tell(place: Place, api: Api, store: Store, took: float, *, simulated: bool) -> None:
    output.line()
    output.line(
        f"{store['name']} is READY, {took:.1f} s after it was asked for",
    )
    output.line(f"(the whole command took {output.elapsed():.1f} s).")
    output.line()
    output.line(f"Address: {store['address']}")
    if simulated:
        output.warn(PRETENCE)
    output.line()
    history(api.events(store["id"]))
    output.line()
    output.line("How to go on:")
    words = {
        "urumi": ".venv/bin/urumi",
        "name": store["name"],
        "environment": output.near(str(place.environment)),
    }
    for command, effect in GO_ON if simulated else (ENTER, *GO_ON):
        output.line(f"  {command.format(**words):46}  {effect}")
