"""Serve one function: `FUNCTION_TARGET=… python -m control_plane.launcher`.

The framework's own server cannot drain: its request threads take no signals, so a child
process of a request would outlive it. This one runs the same application under gunicorn
with threads, and on SIGTERM tells what is running (`control_plane.shutdown`) before it
waits for requests to end. All is gone 8 seconds later: Cloud Run kills after 10.

It answers GET /health before the function does: whether this process serves requests, and nothing of
the parts behind it, which have their own. (Not /healthz: Google keeps such paths from Cloud Run services.)
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

import functions_framework
from gunicorn.app.base import BaseApplication

from control_plane import shutdown
from control_plane.targets import source_of
from control_plane.worker import PatientWorker

HEALTH = "/health"
_DRAIN_SECONDS = 8

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]  # as WSGI has it


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with one worker process, as many threads as the function asks for, and our drain."""

    def __init__(self, application: Application, bind: str, threads: int) -> None:
        self._application = application
        self._options = {
            "bind": bind,
            "workers": 1,
            "threads": threads,
            "worker_class": PatientWorker,
            "timeout": 0,  # a pass may last a minute; what may hang has time limits of its own
            "graceful_timeout": _DRAIN_SECONDS,
            "post_worker_init": _tell_on_sigterm,
            "loglevel": "warning",
            "control_socket_disable": True,
        }
        super().__init__()

    def load_config(self) -> None:
        """gunicorn's hook: our options."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        """gunicorn's hook: the application."""
        return _probed(self._application)


def _probed(application: Application) -> Application:
    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == HEALTH and environ["REQUEST_METHOD"] == "GET":
            start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "8")])
            return [b"serving\n"]
        return application(environ, start_response)

    return serve


def _tell_on_sigterm(_worker: object) -> None:
    then = signal.getsignal(signal.SIGTERM)

    def on_sigterm(number: int, frame: FrameType | None) -> None:
        if callable(then):
            then(number, frame)  # first: from now on no new request is taken
        # In a thread: it waits for children, and this one must go on serving meanwhile.
        threading.Thread(target=shutdown.begin, name="shutdown").start()

    signal.signal(signal.SIGTERM, on_sigterm)


def main() -> None:
    """Serve until told to end."""
    target = os.environ.get("FUNCTION_TARGET", "")
    try:
        source = source_of(target)
    except ValueError as error:
        sys.exit(f"FUNCTION_TARGET: {error}")
    bind = f"{os.environ.get('HOST', '0.0.0.0')}:{os.environ.get('PORT', '8080')}"  # noqa: S104 - a container's door
    application = functions_framework.create_app(target, str(source))  # type: ignore[no-untyped-call]
    Server(application, bind, threads=int(os.environ.get("THREADS", "8"))).run()


if __name__ == "__main__":
    main()
