"""The Pub/Sub emulator: from the Google Cloud CLI, else from Docker.

Setting: URUMI_EMULATOR_HOST (host:port of one that runs already; nothing is started). The
usual PUBSUB_EMULATOR_HOST is not read: a shell may hold it for another project, and our
topics would be made over there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dev.machine import processes
from dev.machine.errors import MachineError
from dev.machine.place import Place
from dev.machine.ports import lasting_port
from dev.machine.serving import Command, port_of, serve
from dev.machine.waiting import http_status, until

PART = "emulator"
PORT = 8085
IMAGE = "google/cloud-sdk:emulators"
START = ("gcloud", "beta", "emulators", "pubsub", "start")
SECONDS = 60.0
PULL_SECONDS = 600.0  # the image has more than a gigabyte
LAUNCHER = "platform/pubsub-emulator/bin/cloud-pubsub-emulator"
SDK_ROOTS = (
    "/usr/lib/google-cloud-sdk",
    "/usr/share/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/usr/local/google-cloud-sdk",
    "/opt/homebrew/share/google-cloud-sdk",
    "~/google-cloud-sdk",
)
MISSING = (
    "the Pub/Sub emulator is not installed: `gcloud components install pubsub-emulator` or "
    "`sudo apt-get install google-cloud-cli-pubsub-emulator` with the Google Cloud CLI, or start Docker"
)


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    address: str  # host:port, as PUBSUB_EMULATOR_HOST wants it
    push_host: str = "127.0.0.1"  # how the emulator reaches servers on this machine's loopback


def check(place: Place) -> None:
    """Raise MachineError, saying what to do, when this machine has no emulator."""
    if (
        not given()
        and processes.running(place, PART) is None
        and _launcher() is None
        and not _docker_answers()
    ):
        raise MachineError(MISSING)


def given() -> str | None:
    """host:port of an emulator that somebody else runs, named on purpose."""
    return os.environ.get("URUMI_EMULATOR_HOST") or None


def up(place: Place, say: Callable[[str], None]) -> Emulator:
    """Start or reuse the emulator. It forgets everything when it stops. Raises MachineError."""
    if address := given():
        host, _, given_port = address.rpartition(":")
        if not given_port.isdigit() or http_status(int(given_port), "/", host=host) is None:
            raise MachineError(f"URUMI_EMULATOR_HOST={address}: no emulator answers there")
        return Emulator(address)
    launcher = _launcher()
    push_host = "127.0.0.1" if launcher or sys.platform == "linux" else "host.docker.internal"
    if (record := processes.running(place, PART)) and _answers(port_of(record)):
        return Emulator(record.address, push_host)
    processes.stop(place, PART)
    port = _start(place, launcher) if launcher else _start_in_docker(place, say)
    say(f"Pub/Sub emulator: 127.0.0.1:{port}")
    return Emulator(f"127.0.0.1:{port}", push_host)


def down(place: Place) -> bool:
    """Stop it; returns whether it was running."""
    record = processes.record_of(place, PART)
    stopped = processes.stop(place, PART)
    if record and record.digest:
        _docker("rm", "--force", record.digest)
    return stopped


def _start(place: Place, launcher: Path) -> int:
    if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
        raise MachineError(
            "the Pub/Sub emulator needs Java: `sudo apt-get install default-jre-headless` "
            "(Debian, Ubuntu) or `brew install openjdk` (Homebrew)"
        )
    # The launcher replaces itself by Java, so that the process we record is the emulator.
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ}
    return serve(
        place,
        PART,
        port=PORT,
        command=lambda port: Command([str(launcher), "--host=127.0.0.1", f"--port={port}"], environment),
        answers=_answers,
        seconds=SECONDS,
    )


def _start_in_docker(place: Place, say: Callable[[str], None]) -> int:
    """Under Linux on the host's network, so that it reaches the functions on loopback."""
    if not _docker_answers():
        raise MachineError(MISSING)
    name = f"urumi-emulator-{hashlib.sha256(str(place.root).encode()).hexdigest()[:12]}"
    _docker("rm", "--force", name)
    port = lasting_port(place, PART, PORT)
    if sys.platform == "linux":
        network = ["--network=host"]
        listen = f"127.0.0.1:{port}"
    else:
        network = [f"--publish=127.0.0.1:{port}:{port}"]
        listen = f"0.0.0.0:{port}"
    say(f"Pub/Sub emulator: from Docker image {IMAGE} (the first time it is fetched: more than 1 GB)")
    processes.start(
        place,
        PART,
        ["docker", "run", "--rm", f"--name={name}", *network, IMAGE, *START, f"--host-port={listen}"],
        environment=dict(os.environ),
        address=f"127.0.0.1:{port}",
        digest=name,
    )
    until(place, PART, lambda: _answers(port), seconds=PULL_SECONDS)
    return port


def _answers(port: int) -> bool:
    return http_status(port, "/") == 200


def _launcher() -> Path | None:
    return next((found for root in _sdk_roots() if (found := root / LAUNCHER).is_file()), None)


def _sdk_roots() -> Iterator[Path]:
    gcloud = shutil.which("gcloud")
    if gcloud:
        yield Path(gcloud).resolve().parents[1]
    yield from (Path(root).expanduser() for root in SDK_ROOTS)
    if gcloud:  # slow: last
        asked = [gcloud, "info", "--format=value(installation.sdk_root)"]
        answer = subprocess.run(asked, capture_output=True, text=True, check=False)
        if answer.returncode == 0 and answer.stdout.strip():
            yield Path(answer.stdout.strip())


def _docker_answers() -> bool:
    return shutil.which("docker") is not None and _docker("info", "--format={{.ServerVersion}}")


def _docker(*words: str) -> bool:
    return subprocess.run(["docker", *words], capture_output=True, check=False).returncode == 0
