"""HAProxy as a child: started, started again when it dies, never left behind."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from dev.front_door import pages
from dev.front_door.backoff import Backoff
from dev.front_door.configuration import configuration
from dev.front_door.log import say

_FILE = "haproxy.cfg"
_NOBODY = 65534
_STEADY = 10.0  # seconds after which a death is the first one again


class MissingError(Exception):
    """HAProxy, or what starts it, is not installed; the message says how to get it."""


def find() -> str:
    """The program. Raises MissingError."""
    for name, package in (("haproxy", "haproxy"), ("setpriv", "util-linux")):
        if _which(name) is None:
            raise MissingError(f"there is no `{name}`: 'apt-get install {package}' on Debian or Ubuntu")
    return str(_which("haproxy"))


class Haproxy:
    """One HAProxy in this folder, on the given sockets."""

    def __init__(self, binary: str, door: socket.socket, control: socket.socket) -> None:
        self._binary = binary
        self._sockets = (door.fileno(), control.fileno())
        self._folder = os.open(".", os.O_RDONLY)
        self._child: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._due = 0.0
        self._backoff = Backoff(0.1, 5)
        for name, text in {_FILE: configuration(*self._sockets), **pages.files()}.items():
            Path(name).write_text(text, newline="")

    def keep(self) -> float | None:
        """Start it if it does not run and its pause is over.

        Returns the seconds that are left of the pause, None while it runs. Only for the main thread:
        the kernel ends the child when the very thread that started it ends.
        """
        if self._child and (code := self._child.poll()) is not None:
            self._child = None
            if time.monotonic() - self._began > _STEADY:
                self._backoff.worked()
            pause = self._backoff.failed()
            self._due = time.monotonic() + pause
            say(f"ERROR HAProxy ended with {code}; it is started again in {pause:.1f} s")
        if self._child is None:
            if (left := self._due - time.monotonic()) > 0:
                return left
            self._start()
        return None

    def stop(self) -> None:
        """End it at once, as SIGTERM would: it has nothing to save."""
        if self._child:
            self._child.kill()
            self._child.wait()

    def _start(self) -> None:
        self._began = time.monotonic()
        self._child = subprocess.Popen(
            # Through the descriptor it gets into this folder, whoever may look into those above it.
            [*_wrapper(), self._binary, "-db", "-f", f"/proc/self/fd/{self._folder}/{_FILE}"],
            pass_fds=(*self._sockets, self._folder),
            cwd="/",
            stdin=subprocess.DEVNULL,
            env={"PATH": os.defpath},
        )


def _wrapper() -> list[str]:
    """Whatever becomes of us, the child does not stay; and what strangers speak to is not root."""
    user = [f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
    return [str(_which("setpriv")), *user, "--no-new-privs", "--pdeathsig=KILL", "--"]


def _which(name: str) -> str | None:
    # Not every user has the system's own folders on the path.
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin")
