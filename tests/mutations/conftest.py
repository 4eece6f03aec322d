"""The same whole platform as in the cluster ring, and the table of defects at the end."""

from __future__ import annotations

import pytest

from tests.cluster.conftest import whole, world

__all__ = ["whole", "world"]

TABLE = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Which invariant named which defect."""
    if lines := config.stash.get(TABLE, []):
        terminalreporter.section("seeded defects")
        for line in lines:
            terminalreporter.write_line(line)
