"""What has to end when this process is told to end.

The launcher calls `begin` on SIGTERM; requests run in threads that no signal reaches.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_begun = threading.Event()
_actions: list[Callable[[], None]] = []


def at_shutdown(action: Callable[[], None]) -> None:
    """Have `action` called when the process is told to end."""
    _actions.append(action)


def begin() -> None:
    """The process was told to end: tell everybody, once."""
    if not _begun.is_set():
        _begun.set()
        for action in _actions:
            action()


class ProcessClock:
    """The `Clock` port: the clock of this process, and whether it shall end."""

    def monotonic(self) -> float:
        """See the port."""
        return time.monotonic()

    def stopping(self) -> bool:
        """See the port."""
        return _begun.is_set()
