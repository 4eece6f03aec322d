"""Instances of the functions' image under what Cloud Run promises and forbids, by runc.

User 65532 without a capability, a root that cannot be written, `/tmp` in memory, 512 MiB for all of it, no
network but its own loopback, and nothing of this machine's environment. Cloud Run itself was never reached.
"""

from __future__ import annotations

import ctypes
import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from control_plane.launcher import HEALTH

MEMORY = 512 * 1024 * 1024
PORT = 8080  # Cloud Run's own choice where nobody makes another
DRAIN_SECONDS = 10  # from SIGTERM to SIGKILL, Cloud Run's
_START_SECONDS = 60
_NAMESPACES = ("pid", "network", "ipc", "uts", "mount", "cgroup")

T = TypeVar("T")


class Instance:
    """One container of the image, from its start to its end."""

    def __init__(self, folder: Path, root: Path, image: Mapping[str, Any]) -> None:
        """`folder` is its own, `root` the unpacked image, `image` the configuration in the archive."""
        self.name = f"urumi-functions-{uuid4().hex[:8]}"
        self.log = folder / "log"
        self._folder, self._root, self._image = folder, root, image
        self._process: subprocess.Popen[bytes] | None = None
        self._group: Path | None = None

    def start(self, settings: Mapping[str, str], command: Sequence[str] = ()) -> Instance:
        """Start the image's own command, or another, with these settings."""
        (self._folder / "config.json").write_text(json.dumps(self._configuration(settings, command)))
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._runc("run"), "--bundle", str(self._folder), self.name],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        return self

    def serve(self, settings: Mapping[str, str]) -> Instance:
        """Start it and wait until it answers."""
        self.start({"PORT": str(PORT), **settings})
        deadline = time.monotonic() + _START_SECONDS
        while True:
            assert self.running, f"it has ended: {self.output()}"
            with suppress(httpx.TransportError, OSError):
                if self.ask("GET", HEALTH).status_code == 200:
                    return self
            assert time.monotonic() < deadline, f"it does not answer: {self.output()}"
            time.sleep(0.05)

    def run(self, *command: str, settings: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Run another command of the image to its end: its status and what it printed."""
        return self.start(settings or {}, command).wait(), self.output()

    def execute(self, *command: str, settings: Mapping[str, str]) -> tuple[int, str]:
        """Run another command beside what runs in it, as the same user."""
        given = [part for name, value in settings.items() for part in ("--env", f"{name}={value}")]
        done = subprocess.run(
            [*self._runc("exec"), *given, self.name, *command], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One request from inside its network."""
        address = f"http://127.0.0.1:{PORT}{path}"
        return self.inside(lambda: httpx.request(method, address, timeout=30, trust_env=False, **request))

    def inside(self, work: Callable[[], T]) -> T:
        """The result of `work` in a thread whose sockets are in the instance's network."""
        space = Path(f"/proc/{self.first_process()}/ns/net")
        results: list[T] = []
        errors: list[Exception] = []

        def there() -> None:
            try:
                with space.open() as entry:
                    assert ctypes.CDLL(None, use_errno=True).setns(entry.fileno(), 0) == 0
                results.append(work())
            except Exception as error:  # noqa: BLE001 - raised again below
                errors.append(error)

        thread = threading.Thread(target=there)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def first_process(self) -> int:
        """Its process 1, by the id that this machine knows it by; waits until it is there."""
        while self.running:
            found = subprocess.run(
                [*self._runc("state"), self.name], capture_output=True, text=True, check=False
            )
            state = json.loads(found.stdout) if found.returncode == 0 else {}
            if state.get("status") == "running":
                return int(state["pid"])
            time.sleep(0.02)
        raise OSError(f"{self.name} has ended")

    def processes(self) -> list[int]:
        """All of its processes."""
        found = subprocess.run(
            [*self._runc("ps"), "--format", "json", self.name], capture_output=True, text=True, check=True
        )
        pids: list[int] = json.loads(found.stdout)
        return pids

    def terminate(self) -> None:
        """Ask it to end, as Cloud Run does."""
        subprocess.run([*self._runc("kill"), self.name, signal.SIGTERM.name], check=True)

    def wait(self, seconds: float = 60) -> int:
        """Its exit status."""
        assert self._process is not None
        return self._process.wait(seconds)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def output(self) -> str:
        """What it printed."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def close(self) -> None:
        """Kill what is left of it, and remove it."""
        subprocess.run([*self._runc("delete"), "--force", self.name], capture_output=True, check=False)
        if self._process is not None:
            self._process.wait(30)
        shutil.rmtree(self._folder)

    def _runc(self, command: str) -> list[str]:
        return ["runc", "--root", str(self._folder / "state"), command]

    def _configuration(self, settings: Mapping[str, str], command: Sequence[str]) -> dict[str, Any]:
        user, group = self._image["User"].split(":")
        own = dict(variable.split("=", 1) for variable in self._image["Env"])
        scratch = ["nosuid", "nodev", "mode=1777"]
        return {
            "ociVersion": "1.0.2",
            "process": {
                "terminal": False,
                "user": {"uid": int(user), "gid": int(group)},
                "args": list(command or self._image["Cmd"]),
                "env": [f"{name}={value}" for name, value in {**own, **settings}.items()],
                "cwd": self._image["WorkingDir"],
                "capabilities": {},
                "noNewPrivileges": True,
            },
            "root": {"path": str(self._root), "readonly": True},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {
                    "destination": "/dev",
                    "type": "tmpfs",
                    "source": "tmpfs",
                    "options": ["nosuid", "mode=755"],
                },
                {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": scratch},  # noqa: S108
            ],
            "linux": {
                "cgroupsPath": f"/{self.name}",
                "namespaces": [{"type": name} for name in _NAMESPACES],
                "resources": {"memory": {"limit": MEMORY, "swap": MEMORY}},
                "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
                "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
            },
        }


def resident(process: int) -> int:
    """A process's share of memory in bytes: what it shares with others counts in parts."""
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
