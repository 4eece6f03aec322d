"""Time that passes when a test says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class FakeClock:
    """The `Clock` port, and the clock of the fake database: it moves when a test says so."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.told_to_stop = False

    def later(self, seconds: float) -> None:
        """Time passes."""
        self.now += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        """See the port."""
        return self.now.timestamp()

    def stopping(self) -> bool:
        """See the port."""
        return self.told_to_stop
