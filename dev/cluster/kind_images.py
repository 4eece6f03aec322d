"""The images that a kind cluster gets: built on this machine, or in a container where it cannot."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from dev.cluster.cluster import ClusterError, Say
from dev.cluster.command import run
from dev.cluster.store_images import StoreImages
from dev.machine.place import CHECKOUT
from images import build
from images.definitions import DEFINITIONS, ImageError

FRONT_DOOR = "front-door"
"""The definition of the front door's image."""

_DEBIAN = "debian:bookworm-slim"
_SECONDS = 3600
_CACHE = "/cache/urumi/images"
# What was built belongs to whoever owns the cache, also when only a part of it was.
_SCRIPT = f"""
set -e
trap 'chown -R --reference={_CACHE} {_CACHE}' EXIT
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq --no-install-recommends mmdebstrap python3 >/dev/null
python3 -m images.build "$@"
"""


def images(say: Say) -> tuple[StoreImages, Mapping[str, Path]]:
    """The store's images, and all archives by reference: theirs and the front door's. Raises ClusterError."""
    try:
        return _built(say)
    except ClusterError:
        if _can_build():
            raise
    say(
        f"building the images in a container of {_DEBIAN}: a few minutes the first time "
        "(as root with mmdebstrap it would be done without)"
    )
    _build_in_container()
    return _built(say)


def _built(say: Say) -> tuple[StoreImages, Mapping[str, Path]]:
    definition = DEFINITIONS[FRONT_DOOR]
    try:
        door = build.archive(definition, say)
    except ImageError as error:
        raise ClusterError(str(error)) from error
    stores = StoreImages.from_environment(say)
    return stores, {**stores.archives, definition.reference: door}


def _can_build() -> bool:
    return sys.platform == "linux" and os.geteuid() == 0 and shutil.which("mmdebstrap") is not None


def _build_in_container() -> None:
    cache = build.cache()
    cache.mkdir(parents=True, exist_ok=True)
    mounts = [f"src={CHECKOUT},dst=/checkout,readonly", f"src={cache},dst={_CACHE}"]
    arguments: list[str] = []
    for variable, option in (("URUMI_PLUGINS", "plugins"), ("URUMI_WORDPRESS", "wordpress")):
        if named := os.environ.get(variable):
            mounts.append(f"src={Path(named).absolute()},dst=/{option},readonly")
            arguments += [f"--{option}", f"/{option}"]
    run(
        "docker", "run", "--rm",
        "--privileged",  # it mounts /proc into what becomes an image
        *(f"--mount=type=bind,{mount}" for mount in mounts),
        "--env=XDG_CACHE_HOME=/cache",
        "--env=PYTHONDONTWRITEBYTECODE=1",
        "--workdir=/checkout",
        _DEBIAN, "sh", "-c", _SCRIPT, "sh", *arguments,
        seconds=_SECONDS,
    )  # fmt: skip
