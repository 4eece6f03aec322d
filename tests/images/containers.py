"""Containers without a container runtime: the built root filesystems, in namespaces of their own.

What a pod gives its containers is the same here: users 33 and 999 without capabilities, a root that cannot be
written, volumes and scratch folders that outlive a container, one network per pod with loopback only.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

_HERE = Path(__file__).parent
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


# Whatever leaves by `out` arrives at `nowhere`, which is no router.
_CLOSED = """
ip link set lo up
ip link add out type veth peer name nowhere
ip address add 198.51.100.2/24 dev out
ip link set out arp off up
ip link set nowhere up
ip route add default via 198.51.100.1 dev out
echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start
echo up
exec sleep infinity
"""


class Network:
    """A pod's network behind closed walls: packets to anything but itself vanish, and nobody says so.

    Port 80 needs no capability in it, as by the pod's sysctl.
    """

    def __init__(self) -> None:
        self._holder = subprocess.Popen(["unshare", "--net", "sh", "-ec", _CLOSED], stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"up\n"

    @property
    def entering(self) -> list[str]:
        """What a command is preceded by to run in this network."""
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net"]

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()


@dataclass
class Container:
    """One container: its root, user, mounts and command; started as often as wanted."""

    name: str
    root: Path
    user: int
    network: Network
    log: Path
    command: Sequence[str]
    mounts: Mapping[str, Path]
    read_only: Sequence[str] = ()
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it; its output is appended to the log, as the container runtime does."""
        assert self._process is None or self._process.poll() is not None, f"{self.name} runs"
        with self.log.open("ab") as log:
            os.fchown(log.fileno(), self.user, self.user)
            self._process = subprocess.Popen(
                self._making(self.command), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def run(self, seconds: float = 60) -> int:
        """Start it and wait for its end; its exit status."""
        self.start()
        return self.wait(seconds)

    def wait(self, seconds: float = 60) -> int:
        assert self._process is not None
        return self._process.wait(seconds)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self, how: signal.Signals = signal.SIGKILL, seconds: float = 30) -> int | None:
        """Send a signal to its process 1 and wait for its end; the exit status, None if it did not run."""
        if self._process is None or self._process.poll() is not None:
            return None
        if (first := self.first_process()) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(first, how)
        return self._process.wait(seconds)

    def first_process(self) -> int | None:
        """Its process 1, by the id that the machine knows it by; None if it has ended."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        while self._process.poll() is None:
            with contextlib.suppress(FileNotFoundError):
                if found := children.read_text().split():
                    return int(found[0])
            time.sleep(0.005)  # it is being made
        return None

    def execute(self, *command: str, seconds: float = 30) -> subprocess.CompletedProcess[str]:
        """Run another command in the running container as the same user, as an exec probe does."""
        until(f"{self.name} has begun", lambda: self._root() != "/", 10)
        return subprocess.run(
            [
                *("nsenter", f"--target={self.first_process()}", "--mount", "--pid", "--net"),
                *("--root", "--wd", "env", "-i", f"PATH={_PATH}"),
                *("setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"),
                *("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--", *command),
            ],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )

    def _root(self) -> str:
        """The root of its process 1, which is the machine's until the container is made."""
        first = self.first_process()
        try:
            return "/" if first is None else str(Path(f"/proc/{first}/root").readlink())
        except FileNotFoundError:
            return "/"

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _making(self, command: Sequence[str]) -> list[str]:
        mounts = [
            f"{folder}:{path}" + (":ro" if path in self.read_only else "")
            for path, folder in self.mounts.items()
        ]
        return [
            *self.network.entering,
            *("unshare", "--mount", "--pid", "--fork"),
            *(str(_HERE / "container"), str(self.root), str(self.user), *mounts, "--", *command),
        ]


@dataclass(frozen=True)
class Answer:
    """What a web server answered."""

    status: int
    headers: Mapping[str, str]
    cookies: Sequence[str]
    body: str


def ask(
    network: Network,
    path: str,
    *,
    host: str,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    method: str | None = None,
    seconds: float = 15,
) -> Answer:
    """One HTTP request inside the network to port 80; status 0 if nothing answered in time."""
    wanted = {
        "path": path,
        "host": host,
        "form": dict(form) if form is not None else None,
        "headers": dict(headers or {}),
        "method": method,
        "seconds": seconds,
    }
    done = subprocess.run(
        [*network.entering, sys.executable, "-IS", str(_HERE / "ask.py")],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        timeout=seconds + 20,
        check=True,
    )
    return Answer(**json.loads(done.stdout))


def until(what: str, condition: Callable[[], bool], seconds: float = 120, pause: float = 0.05) -> None:
    """Wait until the condition holds; fail with `what` if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds:.0f} s: {what}"
        time.sleep(pause)


def side_by_side(*works: Callable[[], object]) -> None:
    """Do all of it at once, to the end; then fail with all that failed."""
    with ThreadPoolExecutor(len(works)) as pool:
        errors = [done.exception() for done in [pool.submit(work) for work in works]]
    failed = [error for error in errors if isinstance(error, Exception)]
    if failed:
        raise ExceptionGroup(f"{len(failed)} of {len(works)} failed", failed)
