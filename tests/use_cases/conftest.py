"""A platform of each test's own."""

from __future__ import annotations

import pytest

from tests.use_cases.platform import Platform


@pytest.fixture
def platform() -> Platform:
    return Platform()
