"""The sockets on which HAProxy is asked. Ours, and handed down to it.

What comes while HAProxy is started again waits instead of being refused, nobody takes the port in the
meantime, and HAProxy needs no right in the folder where the runtime socket is.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

_WAITING = 512


def listening(address: str, port: int) -> socket.socket:
    """A TCP socket that listens there. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port))
    made.listen(_WAITING)
    return made


def listening_at(path: str) -> socket.socket:
    """A Unix socket at `path` that only this user may speak to."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        made.bind(path)
    finally:
        os.umask(before)
    made.listen()
    return made
