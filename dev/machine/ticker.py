"""Cloud Scheduler's stand-in: posts to reconcile every few seconds until it gets SIGTERM.

Settings: URUMI_RECONCILE_URL, URUMI_TICK_SECONDS (2 by default; the cloud's is 60).
Ticks may overlap, as the cloud's do: a second pass answers at once while one runs.
"""

from __future__ import annotations

import http.client
import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

SECONDS = 100.0  # a pass may take 50
AT_ONCE = 4  # when reconcile hangs, more would only pile up

Log = Callable[[str], None]


class Ticker:
    """Sends ticks side by side and says only when their outcome changes."""

    def __init__(self, url: str, log: Log) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._log = log
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._outcome = "ok"

    def tick(self) -> None:
        """Send one tick in the background; none when too many are still unanswered."""
        if self._slots.acquire(blocking=False):
            threading.Thread(target=self._send, daemon=True).start()

    def _send(self) -> None:
        try:
            self._note(self._post())
        finally:
            self._slots.release()

    def _post(self) -> str:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=SECONDS)
        try:
            connection.request("POST", "/", "{}", {"Content-Type": "application/json"})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return f"ERROR reconcile does not answer: {error or type(error).__name__}"
        finally:
            connection.close()
        return "ok" if status < 400 else f"ERROR reconcile answered {status}"

    def _note(self, outcome: str) -> None:
        if outcome != self._outcome:
            self._outcome = outcome
            self._log(outcome)


def main() -> None:
    """Tick until SIGTERM or SIGINT."""
    ended = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: ended.set())
    ticker = Ticker(os.environ["URUMI_RECONCILE_URL"], _print)
    pause = float(os.environ.get("URUMI_TICK_SECONDS") or 2)
    while not ended.wait(pause):
        ticker.tick()


def _print(line: str) -> None:
    sys.stdout.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
