"""The stores' gateway of images/gateway, as a program of this machine: for tests.

`python -m dev.gateway` builds it and prints where it is.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from rich.console import Console

from dev.cluster import go
from dev.cluster.build import cache, digest
from dev.cluster.cluster import ClusterError, Say
from dev.cluster.made import made
from dev.machine.place import CHECKOUT

MODULE = CHECKOUT / "images/gateway"

# As the Dockerfile has them.
_FLAGS = ["-trimpath", "-buildvcs=false", "-ldflags", "-s -w"]


def program(say: Say) -> Path:
    """The program, built if it is not there yet. Raises ClusterError."""
    found = cache("gateway") / digest(go.find(), _FLAGS, MODULE) / "gateway"

    def build(beside: Path) -> None:
        say("building the gateway once: about a minute on 2 cores the first time")
        began = time.monotonic()
        go.run(["build", *_FLAGS, "-o", str(beside), "."], folder=MODULE)
        say(f"gateway built in {time.monotonic() - began:.0f} s")

    return made(found, build, say)


def _main() -> int:
    try:
        found = program(Console(stderr=True).print)
    except ClusterError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{found}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(_main())
