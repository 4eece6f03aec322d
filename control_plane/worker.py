"""gunicorn's worker with threads, where a request gets a thread when it is here.

A thread that reads a request waits for whoever sends it, and there are few threads: some callers who send
half a head, or nothing, would keep all others out. A front end that buffers requests (Cloud Run's) prevents
that; on a machine of one's own the worker's loop does: it reads what comes and hands over what is whole.
What is too large to be kept is handed over before, but never to more than half of the threads.
"""

from __future__ import annotations

import io
import re
import socket
import time
from collections import deque
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

ARRIVAL_SECONDS = 10.0  # for a request, from its connection or the request before it
_PARTING_SECONDS = 1.0  # for the other side to close, once it has its last answer
_MOST = 64 * 1024  # of a head or a body that is kept here
_LENGTH = re.compile(rb"^content-length:[ \t]*0*([0-9]*)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding:", re.IGNORECASE | re.MULTILINE)
_ASKS = re.compile(rb"^expect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE | re.MULTILINE)
_CHUNK = re.compile(rb"([0-9a-f]+)[ \t]*(?:;.*)?", re.IGNORECASE | re.DOTALL)


class Come(Enum):
    """How much of a request is here."""

    PART = auto()
    WHOLE = auto()  # or so wrong that a thread refuses it without reading on
    LARGE = auto()  # more than is kept


class Arrival:
    """One request as it comes. What was read of it once is not read again with its next byte."""

    def __init__(self) -> None:
        self.asks = False  # and waits for "100 Continue" before it sends its body
        self._body = 0  # where it begins, once the head is here
        self._length: int | None = None  # None: in chunks
        self._at = 0  # the first chunk that is not whole

    def look(self, seen: bytes) -> Come:
        """`seen` is all that has come of it."""
        if not self._body and not self._read_head(seen):
            return Come.LARGE if len(seen) > _MOST else Come.PART
        if self._length is None:
            self._at, whole = past_chunks(seen, self._at)
        else:
            whole = len(seen) - self._body >= self._length
        if whole:
            return Come.WHOLE
        return Come.LARGE if max(self._length or 0, len(seen) - self._body) > _MOST else Come.PART

    def _read_head(self, seen: bytes) -> bool:
        end = seen.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = seen[: end + 2]
        self._body = self._at = end + 4
        if not _CHUNKED.search(head):
            length = _LENGTH.search(head)
            self._length = int(length[1][:18] or 0) if length else 0  # as good as any that is longer
        self.asks = bool(_ASKS.search(head)) and b" HTTP/1.1\r\n" in head
        return True


def past_chunks(seen: bytes, at: int) -> tuple[int, bool]:
    """Where the first chunk is that is not whole, of those from `at` on, and whether this is all of them.

    It is with the last chunk and what trails it, and where something is that can be no chunk.
    """
    while (line := seen.find(b"\r\n", at)) >= 0:
        chunk = _CHUNK.fullmatch(seen, at, line)
        if not chunk:
            return at, True
        size = int(chunk[1], 16)
        if not size:
            return at, seen.find(b"\r\n\r\n", line) >= 0
        end = line + 2 + size
        if len(seen) < end + 2:
            break
        if seen[end : end + 2] != b"\r\n":
            return at, True
        at = end + 2
    return at, False


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """gthread, with requests awaited in its loop."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._large: deque[Any] = deque()  # connections with a request that waits for its turn to be read
        self._read_by_threads: set[Any] = set()
        self._parting: set[Any] = set()

    def enqueue_req(self, conn: Any) -> None:
        """gunicorn's hook: a connection is new, or has something to read."""
        conn.init()
        conn.arrival = Arrival()
        conn.timeout = time.monotonic() + ARRIVAL_SECONDS
        self._await(conn)

    def on_pending_socket_readable(self, conn: Any, client: socket.socket) -> None:
        """gunicorn's hook: something has come for a request that is not whole."""
        self.poller.unregister(client)
        self.pending_conns.remove(conn)
        self._await(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """gunicorn's hook: a thread is done with it."""
        self._read_by_threads.discard(conn)
        self._read_large()
        conn.close = partial(self._close, conn)
        super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """gunicorn's hook, at least once a second. Who was too slow is heard no further: what came is all."""
        now = time.monotonic()
        for conn in self.pending_conns:
            silent = not conn.parser.unreader.buf.getvalue()
            if conn.timeout <= now or (silent and not self.alive):
                _hear_no_further(conn)
        for conn in self._read_by_threads:
            if conn.timeout <= now:
                _hear_no_further(conn)
        for conn in [each for each in self._parting if each.timeout <= now]:
            self._part(conn)

    def _await(self, conn: Any) -> None:
        come = _come(conn)
        if come is Come.WHOLE:
            super().enqueue_req(conn)
        elif come is Come.LARGE:
            self._large.append(conn)
            self._read_large()
        else:
            self.pending_conns.append(conn)
            self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _read_large(self) -> None:
        while self._large and len(self._read_by_threads) < max(1, self.cfg.threads // 2):
            conn = self._large.popleft()
            conn.timeout = time.monotonic() + ARRIVAL_SECONDS
            self._read_by_threads.add(conn)
            super().enqueue_req(conn)

    def _close(self, conn: Any, graceful: bool = False) -> None:
        """In place of the connection's own, which waits in the loop for the other side to close."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            graceful = False
        if not graceful:
            conn.sock.close()
            return
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + _PARTING_SECONDS
        self._parting.add(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_parting_readable, conn))
        self.nr_conns += 1

    def _on_parting_readable(self, conn: Any, client: socket.socket) -> None:
        try:
            if client.recv(64 * 1024):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._part(conn)

    def _part(self, conn: Any) -> None:
        self._parting.remove(conn)
        self.poller.unregister(conn.sock)
        conn.sock.close()
        self.nr_conns -= 1


def _hear_no_further(conn: Any) -> None:
    with suppress(OSError):
        conn.sock.shutdown(socket.SHUT_RD)


def _come(conn: Any) -> Come:
    """Read what is there, and answer who waits for that; whole is also what all is that will come."""
    conn.sock.setblocking(False)
    buffer = conn.parser.unreader.buf
    buffer.seek(0, io.SEEK_END)
    while True:
        come: Come = conn.arrival.look(buffer.getvalue())
        if come is Come.PART and conn.arrival.asks:
            _go_ahead(conn)
            continue
        if come is not Come.PART:
            return come
        try:
            more = conn.sock.recv(64 * 1024)
        except BlockingIOError:
            return Come.PART
        except OSError:
            return Come.WHOLE
        if not more:
            return Come.WHOLE
        buffer.write(more)


def _go_ahead(conn: Any) -> None:
    """Answer "100 Continue", and take the question out of the head: it would be answered again."""
    with suppress(OSError):
        conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    buffer = conn.parser.unreader.buf
    head, _, body = buffer.getvalue().partition(b"\r\n\r\n")
    buffer.seek(0)
    buffer.truncate()
    buffer.write(_ASKS.sub(b"", head + b"\r\n") + b"\r\n" + body)
    conn.arrival = Arrival()
