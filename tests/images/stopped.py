"""A database that stopped: it takes connections and never answers, which is worse than being away."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from tests.images.shop import Shop

SECONDS = int(os.environ.get("URUMI_STOPPED_SECONDS", "60"))
PERIOD, PATIENCE = 10, 5  # seconds, of the chart's liveness probe
WORKERS = 8  # of the web server


class StoppedDatabase:
    """Stops a store's database for SECONDS, while the web server is asked as by kubelet and shoppers."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.alive: list[bool] = []
        """What the liveness probes found, in order."""
        server = shop.database.first_process()
        assert server is not None
        self._server = server
        os.kill(server, signal.SIGSTOP)
        self._pool = ThreadPoolExecutor(1)
        self._asked = self._pool.submit(self._ask)

    def _ask(self) -> None:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            began = time.monotonic()
            for _ in range(WORKERS + 2):  # each asker leaves, and the worker waits on
                self.shop.ask("/wp-login.php", seconds=0.2)
            probe = {"X-Urumi-Probe": "liveness"}
            self.alive.append(self.shop.ask("/", headers=probe, seconds=PATIENCE).status == 200)
            time.sleep(max(0.0, began + PERIOD - time.monotonic()))

    def go_on(self) -> None:
        """Wait for the end of the time, and let the database go on."""
        self._asked.result()
        self.shop.until_status("The database does not answer.")
        assert not self.shop.ready
        self._pool.shutdown()
        os.kill(self._server, signal.SIGCONT)
