"""The functions as processes, each with its own settings and nothing else."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dev.machine import processes, topics
from dev.machine.customers import tokens_file
from dev.machine.digests import digest
from dev.machine.place import CHECKOUT, Place
from dev.machine.serving import Command, port_of, serve
from dev.machine.waiting import http_status

BASE_DOMAIN = "localhost:8088"
PROVISION = {"kind": "ServiceAccount", "name": "provision", "namespace": "urumi-system"}
# How long leases last and how soon what was lost is said again: handed on where they are set.
PATIENCE_SETTINGS = ("URUMI_LEASE_SECONDS", "URUMI_HELM_SECONDS", "URUMI_WAKE_SECONDS")
SECONDS = 60.0
PATIENCE = 12.0  # a function drains for 8 s after SIGTERM


@dataclass(frozen=True)
class Function:
    """One function and where it listens by default."""

    name: str
    port: int
    # A path that answers without doing anything: functions-framework keeps /robots.txt from
    # functions, and GET on / would begin a pass of reconcile.
    probe: str = "/robots.txt"


FUNCTIONS = (
    Function("create_store", 8080, "/healthz"),
    Function("provision", 8081),
    Function("reconcile", 8082),
)


@dataclass(frozen=True)
class Surroundings:
    """What the functions need to know of the other parts."""

    database_urls: Mapping[str, str]  # by function: each has its own role
    emulator: str  # host:port
    kubeconfigs: Mapping[str, Path]  # by identity: each function has its own
    helm: Path


def up(place: Place, around: Surroundings) -> dict[str, str]:
    """Start or reuse all functions; restart those whose code or settings changed.

    Returns the base URL of each. Raises MachineError.
    """
    with ThreadPoolExecutor() as threads:
        ports = threads.map(lambda one: _up(place, one, settings(place, one.name, around)), FUNCTIONS)
    return {one.name: f"http://127.0.0.1:{port}" for one, port in zip(FUNCTIONS, ports, strict=True)}


def down(place: Place) -> None:
    """Stop all functions at the same time, letting them drain."""
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda one: processes.stop(place, one.name, patience=PATIENCE), FUNCTIONS))


def answers(function: Function, port: int) -> bool:
    """Whether the function serves requests."""
    status = http_status(port, function.probe)
    return status == 200 if function.name == "create_store" else status is not None


def settings(place: Place, name: str, around: Surroundings) -> dict[str, str]:
    """The settings of one function: what all have, and its own."""
    own = {
        "create_store": lambda: {
            "URUMI_API_TOKENS_FILE": str(tokens_file(place)),
            "URUMI_BASE_DOMAIN": BASE_DOMAIN,
        },
        "provision": lambda: {
            "KUBECONFIG": str(around.kubeconfigs[name]),
            "URUMI_HELM": str(around.helm),
            "URUMI_CHART": str(CHECKOUT / "chart"),
            "URUMI_CELL_IDENTITY": json.dumps(PROVISION),
        },
        "reconcile": lambda: {"KUBECONFIG": str(around.kubeconfigs[name])},
    }
    return {
        "DATABASE_URL": around.database_urls[name],
        "PUBSUB_PROJECT_ID": topics.PROJECT,
        "PUBSUB_EMULATOR_HOST": around.emulator,
        "URUMI_CELL": "local",
        **own[name](),
        **{each: os.environ[each] for each in PATIENCE_SETTINGS if each in os.environ},
    }


def _up(place: Place, function: Function, own: Mapping[str, str]) -> int:
    environment = {
        **own,
        "FUNCTION_TARGET": function.name,
        "FUNCTION_SOURCE": f"functions/{function.name}/main.py",
        "HOST": "127.0.0.1",
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
    code = [CHECKOUT / "control_plane", CHECKOUT / "functions" / function.name, CHECKOUT / "requirements.txt"]
    # A function reads its kubeconfig once: another server or token takes a new process.
    kubeconfig = Path(own["KUBECONFIG"]).read_text() if "KUBECONFIG" in own else ""
    wanted = digest(code, {**environment, "kubeconfig": kubeconfig})
    record = processes.running(place, function.name)
    if record and record.digest == wanted and answers(function, port_of(record)):
        return port_of(record)
    processes.stop(place, function.name, patience=PATIENCE)
    return serve(
        place,
        function.name,
        port=function.port,
        command=lambda port: Command(
            [sys.executable, "-m", "control_plane.launcher"], {**environment, "PORT": str(port)}
        ),
        answers=lambda port: answers(function, port),
        seconds=SECONDS,
        digest=wanted,
    )
