"""What Helm's exit code and stderr mean, as read in Helm 4.2: whose fault it is, and whether to try again."""

from __future__ import annotations

import re
import signal

from control_plane.domain.errors import (
    CellUnreachableError,
    PermanentError,
    TemporaryError,
)

# After SIGTERM; after SIGKILL, which `timeout` sends to its whole group and so to itself.
_TIMED_OUT = (124, 128 + signal.SIGKILL, -signal.SIGKILL)
# In stderr are names and host names that tenants chose. Each of these has a space, a colon or a capital, so
# that none of [a-z0-9.-] makes one; and their case counts.
_UNREACHABLE = re.compile(
    r"cluster unreachable|connection refused|connection reset|no such host|i/o timeout|TLS handshake"
    r"|\bEOF\b|http2: client connection lost|ServiceUnavailable|etcdserver: |Unauthorized"
)
# The authorizer's words: the refusal of an admission names no user.
_NO_RIGHTS = re.compile(r"is forbidden: User \"")
_CHART_REFUSED = re.compile(
    r"values don't meet the specifications|execution error at|template: |parse error|YAML parse|is invalid:"
    r"|failed to create typed patch object|(?:^| )chart (?:.* )?not found|no such file or directory"
)


def error_of(code: int, stderr: str) -> PermanentError | TemporaryError:
    """The error that a failed Helm process is for us."""
    last = stderr.splitlines()[-1][:500] if stderr else f"exit code {code}"
    if code in _TIMED_OUT:
        return TemporaryError("helm did not end in its time")
    if _NO_RIGHTS.search(stderr):
        return CellUnreachableError(f"helm lacks rights in the cell: install the platform chart ({last})")
    if "exceeded quota" in stderr:
        return PermanentError(f"quota exceeded: {last}")
    if _UNREACHABLE.search(stderr):
        return CellUnreachableError("the cell's API server does not answer to helm")
    if _CHART_REFUSED.search(stderr):
        return PermanentError(f"the chart was refused: {last}")
    return TemporaryError(f"helm failed: {last}")
