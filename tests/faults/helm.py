"""Somebody's Helm, on one store's release: run to its end, or to any moment of it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dev.machine.place import CHECKOUT
from tests.cluster.world import World

CHART = str(CHECKOUT / "chart")
TRIES = 20  # of meeting a Helm in a state that lasts for less than a second


@dataclass(frozen=True)
class Helm:
    """The cluster's admin at a store's release."""

    world: World
    store_id: str

    @property
    def name(self) -> str:
        """Of the namespace and the release."""
        return f"store-{self.store_id}"

    @property
    def values(self) -> Path:
        """A file with values for the store."""
        lines = (CHECKOUT / "chart" / "ci" / "minimal.yaml").read_text().splitlines()
        own = [f"  id: {self.store_id}" if line.startswith("  id:") else line for line in lines]
        file = self.world.place.root / f"{self.store_id}.yaml"
        file.write_text("\n".join(own))
        return file

    def run(self, *arguments: str) -> None:
        """To its end."""
        with self._start(*arguments) as helm:
            assert helm.wait(60) == 0

    def install(self) -> None:
        """The release, new."""
        self.run("install", self.name, CHART, "--values", str(self.values))

    def uninstall(self) -> None:
        """All of it but the claims."""
        self.run("uninstall", self.name)

    def die_installing(self) -> None:
        """Killed in the middle of a first install."""
        arguments = ("install", self.name, CHART, "--values", str(self.values))
        self._end("pending-install", arguments, subprocess.Popen.kill, undo=self.uninstall)

    def die_upgrading(self) -> None:
        """Killed in the middle of an upgrade."""
        arguments = ("upgrade", self.name, CHART, "--reuse-values")
        self._end("pending-upgrade", arguments, subprocess.Popen.kill)

    def die_rolling_back(self) -> None:
        """Killed in the middle of a rollback to the first revision."""
        self.run("upgrade", self.name, CHART, "--reuse-values")
        self._end("pending-rollback", ("rollback", self.name, "1"), subprocess.Popen.kill)

    def die_uninstalling(self) -> None:
        """Killed in the middle of an uninstall."""
        self._end("uninstalling", ("uninstall", self.name), subprocess.Popen.kill, undo=self.install)

    def fail_upgrading(self) -> None:
        """Told to end in the middle of an upgrade: it says that it failed."""
        arguments = ("upgrade", self.name, CHART, "--reuse-values")
        self._end("pending-upgrade", arguments, subprocess.Popen.terminate, leaves="failed")

    def status(self) -> str:
        """What the newest record says."""
        records = self.world.release_records(self.name)
        return records[-1]["status"] if records else ""

    def _end(
        self,
        status: str,
        arguments: tuple[str, ...],
        how: Callable[[subprocess.Popen[bytes]], None],
        *,
        leaves: str | None = None,
        undo: Callable[[], None] = lambda: None,
    ) -> None:
        """End a Helm when its newest record says `status`; tried anew when it was faster than we."""
        for _ in range(TRIES):
            with self._start(*arguments) as helm:
                while self.status() != status and helm.poll() is None:
                    time.sleep(0.001)
                how(helm)
            if self.status() == (leaves or status):
                return
            undo()
        raise AssertionError(f"Helm was never met in {status}")

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {"KUBECONFIG": self.world.values["KUBECONFIG"], "HOME": str(self.world.place.root)}
        argv = [self.world.values["URUMI_HELM"], *arguments, "--namespace", self.name]
        return subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
