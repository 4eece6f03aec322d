"""A database that is there and does not get as far as a connection is one that does not answer."""

from __future__ import annotations

import gc
import socket
import struct
import threading
import warnings
from collections.abc import Callable

import pytest
from sqlalchemy import text

from control_plane.adapters.postgres_database import Database
from control_plane.domain.errors import DatabaseUnavailableError

RESET = struct.pack("ii", 1, 0)  # an end that throws away what was sent


def hang_up(connection: socket.socket) -> None:
    connection.recv(8)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def talk_nonsense(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    connection.recv(8)


@pytest.mark.parametrize("treat", [hang_up, reset, talk_nonsense])
def test_a_server_that_gives_no_connection_is_away(treat: Callable[[socket.socket], None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as connection:
                treat(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        database = Database(
            f"postgresql+pg8000://nobody@127.0.0.1:{server.getsockname()[1]}/nothing", connections=1
        )
        with pytest.raises(DatabaseUnavailableError):
            database.rows(text("SELECT 1"), {})
        thread.join()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()  # the driver leaves its socket to be collected
