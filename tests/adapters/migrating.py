"""The migrations, as they are run everywhere."""

from __future__ import annotations

import os
import subprocess
import sys


def run_migrate(url: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "control_plane.migrate", *arguments],
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "DATABASE_URL": url, **settings},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
