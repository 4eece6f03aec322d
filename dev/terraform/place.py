"""What the checks of Terraform are made with, each made once and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from dev.cluster import go
from dev.cluster.build import cache, digest
from dev.cluster.cluster import Say
from dev.cluster.made import made
from dev.terraform.schema import extract

HERE = Path(__file__).parent
PROVIDERS = {"google": True, "helm": False}
"""Whose schemas there are; whether they write what is nested as blocks."""

_MODULE = "github.com/hashicorp/terraform"
# Without dev=no it calls itself a development build.
_FLAGS = ["-trimpath", "-buildvcs=false", "-ldflags", f"-s -w -X {_MODULE}/version.dev=no"]


def terraform(say: Say) -> Path:
    """The program that go.mod pins. Raises ClusterError if it cannot be built."""
    program = cache("terraform") / digest(go.find(), _FLAGS, HERE) / "terraform"

    def build(beside: Path) -> None:
        say("building terraform once: about 5 minutes on 2 cores the first time")
        began = time.monotonic()
        go.run(["build", *_FLAGS, "-o", str(beside), _MODULE], folder=HERE)
        say(f"terraform built in {time.monotonic() - began:.0f} s")

    return made(program, build, say)


def python(name: str, say: Say) -> Path:
    """The Python of an environment with what requirements-NAME.txt locks. Raises CalledProcessError."""
    locks = HERE / f"requirements-{name}.txt"
    folder = cache("terraform") / f"{name}-{_digest(locks.read_bytes(), sys.version.encode())}"

    def install(beside: Path) -> None:
        say(f"installing what {locks.name} locks")
        _run([sys.executable, "-m", "venv", str(beside)])
        _run([str(beside / "bin/python"), "-m", "pip", "install", *_PIP, "-r", str(locks)])

    return made(folder, install, say) / "bin" / "python"


def schema(provider: str, say: Say) -> Path:
    """A file with what `extract` finds in the provider's pinned package. Raises SchemaError."""
    locks = HERE / "requirements-schemas.txt"
    source = (HERE / "schema.py").read_bytes()
    file = cache("terraform") / f"{provider}-{_digest(locks.read_bytes(), source)}.json"

    def read(beside: Path) -> None:
        say(f"reading the schema of {provider}")
        (wheel,) = packages(say).glob(f"cdktn_provider_{provider}-*.whl")
        beside.write_text(json.dumps(extract(wheel, blocks=PROVIDERS[provider])))

    return made(file, read, say)


def packages(say: Say) -> Path:
    """A folder with the packages that carry the schemas, 67 MB."""
    locks = HERE / "requirements-schemas.txt"
    folder = cache("terraform") / f"schemas-{_digest(locks.read_bytes())}"

    def download(beside: Path) -> None:
        say("downloading the packages that carry the providers' schemas")
        _run([sys.executable, "-m", "pip", "download", *_PIP, "--dest", str(beside), "-r", str(locks)])

    return made(folder, download, say)


_PIP = ("--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps")


def _run(argv: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, env=environment)


def _digest(*parts: bytes) -> str:
    sum_ = hashlib.sha256()
    for part in parts:
        sum_.update(len(part).to_bytes(8, "big") + part)
    return sum_.hexdigest()[:16]
