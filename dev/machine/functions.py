"""The functions as processes, each with its own settings and nothing else."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from control_plane.launcher import HEALTH
from control_plane.targets import source_of
from dev.cluster.cluster import Cluster
from dev.machine import processes, topics
from dev.machine.digests import digest
from dev.machine.keys import Keys
from dev.machine.place import CHECKOUT, Place
from dev.machine.serving import Command, port_of, serve
from dev.machine.waiting import http_status

CELL = "local"  # the one that there is
BASE_DOMAIN = "localhost"  # every name below it is this machine, in browsers too
PROVISION = {"kind": "ServiceAccount", "name": "provision", "namespace": "urumi-system"}
# How long leases last and how soon what was lost is said again: handed on where they are set.
PATIENCE_SETTINGS = ("URUMI_LEASE_SECONDS", "URUMI_HELM_SECONDS", "URUMI_WAKE_SECONDS")
# Who signs people's ID tokens, and what proves to them who we are: handed on where they are set.
ISSUERS, CLIENT_SECRETS = "URUMI_OIDC_ISSUERS", "URUMI_OIDC_CLIENT_SECRETS"
SECONDS = 60.0
PATIENCE = 12.0  # a function drains for 8 s after SIGTERM


# Of Stripe: handed on to the functions of billing where they are set. Without the first, no webhook.
STRIPE_SETTINGS = ("URUMI_STRIPE_WEBHOOK_SECRET", "URUMI_STRIPE_API_KEY", "URUMI_STRIPE_API_BASE")


@dataclass(frozen=True)
class Function:
    """One function and where it listens by default. Its name is its target."""

    name: str
    port: int


FUNCTIONS = (
    Function("create_store", 8080),
    Function("provision", 8081),
    Function("reconcile", 8082),
    Function("billing_event", 8083),
    Function("console", 8086),
)
WEBHOOK = Function("stripe_webhook", 8084)
IN_BROWSERS = ("create_store", "console")


@dataclass(frozen=True)
class Surroundings:
    """What the functions need to know of the other parts."""

    database_urls: Mapping[str, str]  # by function: each has its own role
    emulator: str  # host:port
    kubeconfigs: Mapping[str, Path]  # by identity: each function has its own
    cluster: Cluster
    keys: Keys


def up(place: Place, around: Surroundings) -> dict[str, str]:
    """Start or reuse all functions; restart those whose code or settings changed.

    Returns the base URL of each. Raises MachineError.
    """
    wanted = (*FUNCTIONS, WEBHOOK) if os.environ.get(STRIPE_SETTINGS[0]) else FUNCTIONS
    with ThreadPoolExecutor() as threads:
        ports = threads.map(lambda one: _up(place, one, settings(one.name, around)), wanted)
    return {one.name: f"http://127.0.0.1:{port}" for one, port in zip(wanted, ports, strict=True)}


def down(place: Place) -> None:
    """Stop all functions at the same time, letting them drain."""
    with ThreadPoolExecutor() as threads:
        stopped = threads.map(
            lambda one: processes.stop(place, one.name, patience=PATIENCE), (*FUNCTIONS, WEBHOOK)
        )
        list(stopped)


def answers(port: int) -> bool:
    """Whether the function serves requests."""
    return http_status(port, HEALTH) == 200


def settings(name: str, around: Surroundings) -> dict[str, str]:
    """The settings of one function: what all have, and its own."""
    shops = {
        "URUMI_NEW_STORES_CELL": CELL,
        "URUMI_BASE_DOMAIN": f"{BASE_DOMAIN}:{around.cluster.front_door}",
    }
    billing = {**shops, **{each: os.environ[each] for each in STRIPE_SETTINGS if os.environ.get(each)}}
    stores = {"login": {"keys": around.keys.public}, **around.cluster.values}
    customers = {
        **shops,
        "URUMI_CREDENTIALS_KEYS": around.keys.sealing,
        "URUMI_LOGIN_KEYS": json.dumps(around.keys.login),
        **_set(ISSUERS),
    }
    shared = {"URUMI_CELL": CELL, "URUMI_CELL_VALUES": json.dumps(stores)}
    own = {
        "create_store": lambda: customers,
        "console": lambda: {**customers, **_set(CLIENT_SECRETS)},
        "provision": lambda: {
            "KUBECONFIG": str(around.kubeconfigs[name]),
            "URUMI_HELM": str(around.cluster.helm),
            "URUMI_CHART": str(CHECKOUT / "chart"),
            "URUMI_CELL_IDENTITY": json.dumps(PROVISION),
            **shared,
            "URUMI_CREDENTIALS_KEYS": around.keys.sealing,
        },
        "reconcile": lambda: {**shops, **shared, "KUBECONFIG": str(around.kubeconfigs[name])},
        "billing_event": lambda: billing,
        "stripe_webhook": lambda: billing,
    }
    return {
        "DATABASE_URL": around.database_urls["billing_event" if name == WEBHOOK.name else name],
        "PUBSUB_PROJECT_ID": topics.PROJECT,
        "PUBSUB_EMULATOR_HOST": around.emulator,
        **own[name](),
        **_set(*PATIENCE_SETTINGS, "URUMI_PLANS"),
    }


def _set(*names: str) -> dict[str, str]:
    return {each: os.environ[each] for each in names if each in os.environ}


def public_url(base: str) -> str:
    """What listens at `base`, by the name whose Secure cookies browsers keep without https."""
    return base.replace("127.0.0.1", "localhost")


def public(name: str, port: int) -> dict[str, str]:
    """What tells a function where browsers find it, if they do."""
    return {"URUMI_PUBLIC_URL": public_url(f"http://127.0.0.1:{port}")} if name in IN_BROWSERS else {}


def _up(place: Place, function: Function, own: Mapping[str, str]) -> int:
    environment = {
        **own,
        "FUNCTION_TARGET": function.name,
        "HOST": "127.0.0.1",
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
    code = [CHECKOUT / "control_plane", source_of(function.name).parent, CHECKOUT / "requirements.txt"]
    # A function reads its kubeconfig once: another server or token takes a new process.
    kubeconfig = Path(own["KUBECONFIG"]).read_text() if "KUBECONFIG" in own else ""
    wanted = digest(code, {**environment, "kubeconfig": kubeconfig})
    record = processes.running(place, function.name)
    if record and record.digest == wanted and answers(port_of(record)):
        return port_of(record)
    processes.stop(place, function.name, patience=PATIENCE)
    return serve(
        place,
        function.name,
        port=function.port,
        command=lambda port: Command(
            [sys.executable, "-m", "control_plane.launcher"],
            {**environment, "PORT": str(port), **public(function.name, port)},
        ),
        answers=answers,
        seconds=SECONDS,
        digest=wanted,
    )
