"""pg8000's connection, made to wait for the server once for each statement.

With parameters the driver sends PARSE, DESCRIBE with BIND, and EXECUTE, and waits for an answer after each.
Postgres takes them in one go: the answers come in the same order, and after an error it skips what is
left of the statement. Nothing is kept on the server, so nothing can be out of date there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pg8000.converters import make_params
from pg8000.core import NULL_BYTE, SYNC_MSG, Context, _flush, _write
from pg8000.dbapi import Connection


class OneTripConnection(Connection):  # type: ignore[misc]
    """A connection on which each statement is one round trip."""

    def execute_unnamed(
        self, statement: str, vals: Sequence[Any] = (), oids: Sequence[int] = (), stream: Any = None
    ) -> Any:
        """The driver's own, in one flush."""
        context = Context(statement, stream=stream)
        params = make_params(self.py_types, vals)
        # What cannot be encoded is found before anything is written: half a statement in the buffer
        # would go out in front of the next one.
        for each in (statement, *params):
            (each or "").encode(self._client_encoding)
        self.send_PARSE(NULL_BYTE, statement, oids)
        self.send_DESCRIBE_STATEMENT(NULL_BYTE)
        self.send_BIND(NULL_BYTE, params)
        self.send_EXECUTE()
        _write(self._sock, SYNC_MSG)
        _flush(self._sock)
        self.handle_messages(context)
        return context
