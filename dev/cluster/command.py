"""Runs the programs of others, which say in words what went wrong."""

from __future__ import annotations

import os
import subprocess
from typing import IO

from dev.cluster.cluster import ClusterError


def path() -> str:
    """Where programs are looked for: root's own are not on everybody's PATH, not even always on root's."""
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def run(*argv: str, given: str = "", content: IO[bytes] | None = None, seconds: float = 900) -> str:
    """What the command prints; its standard input is `given`, or a file's `content`.

    Raises ClusterError with its last words.
    """
    source = {"stdin": content} if content else {"input": given}
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=seconds, check=False,
            env={**os.environ, "PATH": path()}, **source,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise ClusterError(f"there is no `{argv[0]}`") from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"`{' '.join(argv)}` did not end within {seconds:g} s") from error
    if done.returncode != 0:
        complaint = "\n".join(done.stderr.strip().splitlines()[-10:])
        raise ClusterError(f"`{' '.join(argv)}` failed:\n{complaint}")
    return str(done.stdout)
