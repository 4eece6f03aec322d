"""One line for the log: when, and what."""

from __future__ import annotations

import sys
from datetime import UTC, datetime


def say(line: str) -> None:
    """Write `line` to standard output at once."""
    # In one call, so that HAProxy's own lines do not come between.
    sys.stdout.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {line}\n")
    sys.stdout.flush()
