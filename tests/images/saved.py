"""Images that Docker built, as `docker save` writes them, for the rings to test in place of ours."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from typing import Any

_INDEX = "manifest.json"  # of every version's archives


def given(image: str) -> Path | None:
    """The archive that somebody wants to have tested as that image: `URUMI_STORE_IMAGE` and its like."""
    named = os.environ.get(f"URUMI_{image.upper()}_IMAGE")
    return Path(named).absolute() if named else None


def layers_of(archive: Path) -> list[str]:
    """The names, inside the archive, of an image's layers, the lowest first."""
    with tarfile.open(archive) as tar:
        layers: list[str] = _load(tar, _INDEX)[0]["Layers"]
        return layers


def configuration_of(archive: Path) -> dict[str, Any]:
    """How the image's containers are run, as `images.oci` gives it of an OCI archive."""
    with tarfile.open(archive) as tar:
        found: dict[str, Any] = _load(tar, _load(tar, _INDEX)[0]["Config"])["config"]
        return found


def _load(tar: tarfile.TarFile, name: str) -> Any:
    content = tar.extractfile(name)
    assert content is not None, f"the archive has no {name}"
    return json.load(content)
