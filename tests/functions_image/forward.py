"""A way from an instance's loopback to one server of this machine: what a VPC is to the database."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.functions_image.cloud_run import Instance


@contextmanager
def forwarded(instance: Instance, port: int, server: tuple[str, int]) -> Iterator[None]:
    """While the block lasts, who connects to the port inside talks to the server outside."""
    door = instance.inside(lambda: socket.create_server(("127.0.0.1", port)))

    def serve() -> None:
        with suppress(OSError):  # the door is closed
            while True:
                threading.Thread(target=_join, args=(door.accept()[0], server)).start()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        door.shutdown(socket.SHUT_RDWR)
        door.close()
        thread.join()


def _join(near: socket.socket, server: tuple[str, int]) -> None:
    with near, socket.create_connection(server) as far:
        there = threading.Thread(target=_pump, args=(near, far))
        there.start()
        _pump(far, near)
        there.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """All that comes from one side to the other; whoever finds the end closes the half that it read."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
