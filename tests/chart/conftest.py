"""What the chart's tests share: Helm, a renderer and the rendered value files."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.cluster import build
from tests.chart.rendering import CI, Object, Renderer, ci_values


@pytest.fixture(scope="session")
def helm() -> Path:
    """The pinned Helm, built if it is not there yet."""
    return build.helm(print)


@pytest.fixture(scope="session")
def renderer(helm: Path) -> Renderer:
    return Renderer(helm)


@pytest.fixture(scope="session", params=sorted(path.stem for path in CI.glob("*.yaml")))
def objects(renderer: Renderer, request: pytest.FixtureRequest) -> list[Object]:
    """All objects of each of the chart's value files in turn."""
    return renderer.objects(ci_values(request.param))
