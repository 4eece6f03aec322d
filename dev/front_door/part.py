"""The front door as one of a place's processes: what to run, and whether it answers."""

from __future__ import annotations

import http.client
from pathlib import Path

from dev.front_door.configuration import HEALTH

PORT = 8088
"""Where it listens unless the port is taken."""


def command(python: str, kubeconfig: Path, folder: Path, port: int) -> list[str]:
    """The command line, to be run in the checkout; its files go into `folder`."""
    return [
        python,
        "-m",
        "dev.front_door",
        f"--kubeconfig={kubeconfig}",
        f"--folder={folder}",
        f"--port={port}",
    ]


def answers(port: int) -> bool:
    """Whether HAProxy serves on 127.0.0.1:`port`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        # The host name that goes with it is an address, which is no store's.
        connection.request("GET", HEALTH)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
