"""`python -m dev.front_door --folder DIR --port N [--kubeconfig FILE] [--address ADDRESS]`."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from dev.front_door import haproxy, server
from dev.front_door.door import Door
from dev.front_door.listeners import listening


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m dev.front_door", description=__doc__)
    parser.add_argument(
        "--kubeconfig",
        type=Path,
        help="in JSON, with a bearer token; without it the pod's own service account is used",
    )
    parser.add_argument("--folder", type=Path, required=True, help="for HAProxy's files; made if missing")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--address", default="127.0.0.1", help="where to listen; %(default)s if not given")
    given = parser.parse_args()
    find = partial(server.of_kubeconfig, given.kubeconfig.absolute()) if given.kubeconfig else server.of_pod
    try:
        find()
        binary = haproxy.find()
        door = listening(given.address, given.port)
    except (server.UnknownServerError, haproxy.MissingError, OSError) as error:
        sys.stderr.write(f"ERROR the front door cannot start: {error}\n")
        return 1
    os.umask(0o022)
    given.folder.mkdir(parents=True, exist_ok=True)
    given.folder.chmod(0o755)  # HAProxy may run as another user
    # The name of a Unix socket has room for a hundred characters, so from here on names are relative.
    os.chdir(given.folder)
    Door(find, binary, door).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
