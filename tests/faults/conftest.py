"""The same whole platform as in the cluster ring, and a worker whose verbs may end at any moment."""

from __future__ import annotations

from tests.cluster.conftest import whole, world

__all__ = ["whole", "world"]
