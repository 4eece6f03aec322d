"""What a part's log file says went wrong last."""

from __future__ import annotations

import re

from dev.machine.place import Place
from dev.machine.processes import record_of

TAIL = 64 * 1024  # bytes looked at

# JSON lines (ours, etcd), klog's E and F lines (Kubernetes), Postgres, Java, Python.
TROUBLE = re.compile(
    r'"(?:severity|level)": ?"(?:error|critical|alert|emergency|fatal|panic)"'
    r"|^[EF]\d{4} "
    r"|\b(?:ERROR|FATAL|PANIC|CRITICAL|SEVERE)\b"
    r"|^[\w.]+(?:Error|Exception)(?::|$)"
    r"|^Exception in thread"
)

HARMLESS = re.compile(r"FATAL:  the database system is (?:starting up|shutting down)")


def last_error(place: Place, part: str) -> str | None:
    """The last line about trouble since the part was started, or None."""
    return next((line for line in reversed(_lines(place, part)) if _is_trouble(line)), None)


def last_words(place: Place, part: str) -> str:
    """Why a part that ended may have done so: its last line about trouble, else its last line."""
    lines = _lines(place, part)
    return last_error(place, part) or (lines[-1] if lines else "it wrote nothing")


def _is_trouble(line: str) -> bool:
    return bool(TROUBLE.search(line)) and not HARMLESS.search(line)


def _lines(place: Place, part: str) -> list[str]:
    record = record_of(place, part)
    try:
        with place.log(part).open("rb") as log:
            size = log.seek(0, 2)
            log.seek(max(size - TAIL, record.log_start if record else 0))
            text = log.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]
