"""A door to Postgres that notes what comes through: one entry for each time that the client waited."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# Messages of a client that carry SQL: of these parts of the body, it is this one.
_SQL = {"Q": 0, "P": 1}


@dataclass
class Wire:
    """What went over it since it was asked last."""

    url: str
    _turns: list[bytearray] = field(default_factory=list)
    _answered: bool = True

    def told(self) -> list[str]:
        """For each round trip the SQL that was sent; for one without any the letters of its messages."""
        turns, self._turns, self._answered = self._turns, [], True
        return [_said(bytes(turn)) for turn in turns]

    def sent(self, data: bytes) -> None:
        """The client sends: a new turn, when it has seen an answer since it sent last."""
        if self._answered:
            self._turns.append(bytearray())
        self._answered = False
        self._turns[-1].extend(data)

    def answered(self, _data: bytes) -> None:
        """The server answers."""
        self._answered = True


def _said(turn: bytes) -> str:
    letters, statements = "", []
    while turn:
        letter, length = chr(turn[0]), 1 + int.from_bytes(turn[1:5])
        letters += letter
        if letter in _SQL:
            statements.append(turn[5:length].split(b"\0")[_SQL[letter]].decode())
        turn = turn[length:]
    return "; ".join(statements) or letters


@contextmanager
def wired(url: str) -> Iterator[Wire]:
    """A door to the server of `url`; one client at a time is told apart."""
    parts = urlsplit(url)
    door = socket.create_server(("127.0.0.1", 0))
    wire = Wire(parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{door.getsockname()[1]}").geturl())
    ends = [door]

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = door.accept()
                server = socket.create_connection((parts.hostname, parts.port))
                ends.extend((client, server))
                for pair in ((client, server, wire.sent), (server, client, wire.answered)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    def pump(source: socket.socket, target: socket.socket, note: object) -> None:
        assert callable(note)
        with suppress(OSError):
            while data := source.recv(65536):
                note(data)  # first: whoever has the answer finds it noted
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield wire
    finally:
        for each in ends:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
