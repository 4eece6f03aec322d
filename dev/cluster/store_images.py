"""The images of a store for clusters with real pods: built here, and what stores are told of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.cluster.cluster import ClusterError, Say
from images import build, layer
from images.definitions import DATABASE, STORE, ImageError


@dataclass(frozen=True)
class StoreImages:
    """The archives by the references that they have inside, and the plugins that new stores switch on."""

    archives: Mapping[str, Path]
    plugins: tuple[str, ...]

    @classmethod
    def from_environment(cls, say: Say) -> StoreImages:
        """Build what is missing. Raises ClusterError.

        `URUMI_PLUGINS` names a folder of plugin folders to bundle and switch on, `URUMI_WORDPRESS` the folder
        of a WordPress to take instead of Debian's.
        """
        folder = _folder("URUMI_PLUGINS")
        try:
            archives = {
                STORE.reference: build.archive(STORE, say, folder, _folder("URUMI_WORDPRESS")),
                DATABASE.reference: build.archive(DATABASE, say),
            }
            bundled = tuple(plugin.name for plugin in layer.plugins_in(folder))
        except ImageError as error:
            raise ClusterError(str(error)) from error
        return cls(archives, bundled)

    def values(self, references: Mapping[str, str]) -> dict[str, Any]:
        """What the chart is told; `references` are the cluster's own by those of the archives."""
        return {
            "images": {"store": references[STORE.reference], "database": references[DATABASE.reference]},
            "plugins": list(self.plugins),
        }


def _folder(variable: str) -> Path | None:
    named = os.environ.get(variable)
    return Path(named).absolute() if named else None
