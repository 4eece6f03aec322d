"""A simulated cluster of this run's own, for every ring that needs an API server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import pytest

from dev.cluster.cluster import Cluster
from dev.cluster.simulated import Simulated
from tests import places


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Its control plane is real, its pods are ready at once; stopped and removed at the end."""
    place = places.fresh()
    with mock.patch.dict(os.environ, {"URUMI_POD_DELAY": "0"}):
        try:
            yield Simulated().up(place, print)
        finally:
            Simulated().down(place)
            places.remove(place)
