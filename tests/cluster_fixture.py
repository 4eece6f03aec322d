"""A simulated cluster of this run's own, for every ring that needs an API server."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from dev.cluster.cluster import Cluster
from dev.cluster.simulated import Simulated
from dev.machine.place import Place


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Its control plane is real, its pods are ready at once; stopped and removed at the end."""
    place = Place(Path(tempfile.mkdtemp(prefix="urumi-cluster-")))
    with mock.patch.dict(os.environ, {"URUMI_POD_DELAY": "0"}):
        try:
            yield Simulated().up(place, print)
        finally:
            Simulated().down(place)
            shutil.rmtree(place.root, ignore_errors=True)
