"""Builds the stand-in images once and keeps them in the user's cache folder.

`python -m images.build [--plugins FOLDER] [NAME…]` builds `store` and `database`, or the one named, and
prints where the OCI archives are. Nothing to do takes well under a second.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dev.cluster.lock import locked
from images import debian, layer, oci
from images.definitions import DEFINITIONS, Definition, ImageError

_KEPT = 4  # archives of one image


def archive(definition: Definition, say: Callable[[str], None], plugins: Path | None = None) -> Path:
    """The image's OCI archive, built if its inputs are new. Raises ImageError.

    `plugins` is a folder of plugin folders that the store's image bundles beside Debian's own.
    """
    bundled = layer.plugins_in(plugins)
    base = cache() / f"{definition.name}-packages-{debian.digest(definition)[:16]}.tar"
    key = f"{debian.digest(definition)[:16]}-{layer.digest(definition, bundled)[:16]}"
    built = cache() / f"{definition.name}-{key}.oci.tar"
    lock = cache() / f"{definition.name}.lock"
    if not built.exists():
        with locked(
            lock, waiting=lambda: say(f"another run is building the image {definition.name}; waiting")
        ):
            _made(
                base, f"packages of the image {definition.name}", say, lambda to: debian.build(definition, to)
            )
            _made(built, f"image {definition.name}", say, lambda to: _packed(definition, base, bundled, to))
            _forget(definition.name)
    built.touch()  # used last
    return built


def cache() -> Path:
    """Where images are kept: one archive per digest of inputs."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG rules: a relative path there is invalid and to be ignored.
    return (named if named.is_absolute() else Path.home() / ".cache") / "urumi" / "images"


def _forget(name: str) -> None:
    """Remove all but the archives of an image that were used last: each has its packages in it."""
    archives = sorted(cache().glob(f"{name}-*.oci.tar"), key=lambda one: one.stat().st_mtime, reverse=True)
    for one in archives[_KEPT:]:
        one.unlink()


def _made(target: Path, what: str, say: Callable[[str], None], make: Callable[[Path], None]) -> None:
    """Make a file beside its place and rename it, so that a file which exists is whole."""
    if target.exists():
        return
    beside = target.with_name(f".{target.name}.new")
    beside.unlink(missing_ok=True)
    began = time.monotonic()
    make(beside)
    beside.rename(target)
    say(f"{what} built in {time.monotonic() - began:.0f} s")


def _packed(definition: Definition, base: Path, bundled: list[Path], target: Path) -> None:
    ours = target.with_name(f"{target.name}.layer")
    try:
        layer.build(definition, bundled, ours)
        oci.write(definition, [base, ours], target)
    finally:
        ours.unlink(missing_ok=True)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m images.build", description="Build the stand-in images.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which of {', '.join(DEFINITIONS)}; all of them"
    )
    parser.add_argument(
        "--plugins", type=Path, metavar="FOLDER", help="plugin folders to bundle in the store's image"
    )
    given = parser.parse_args(argv)
    if unknown := set(given.names) - set(DEFINITIONS):
        parser.error(f"no such image: {', '.join(sorted(unknown))}")
    try:
        for name in given.names or DEFINITIONS:
            plugins = given.plugins if name == "store" else None
            built = archive(DEFINITIONS[name], _say, plugins)
            sys.stdout.write(f"{name}  {built}\n")
    except ImageError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1:]))
