"""Builds the stand-in images once and keeps them in the user's cache folder.

`python -m images.build [--plugins FOLDER] [--wordpress FOLDER] [NAME…]` builds `store` and `database`, or the
one named, and prints where the OCI archives are. Nothing to do takes well under a second.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from dev.cluster.lock import locked
from images import debian, layer, made, oci
from images.definitions import DEFINITIONS, Definition, ImageError

_KEPT = 4  # archives of one kind


def archive(
    definition: Definition,
    say: Callable[[str], None],
    plugins: Path | None = None,
    wordpress: Path | None = None,
) -> Path:
    """The image's OCI archive, built if its inputs are new. Raises ImageError.

    `plugins` is a folder of plugin folders that the store's image bundles beside WordPress's own, `wordpress`
    the folder of a WordPress to use instead of Debian's.
    """
    bundled, core = layer.plugins_in(plugins), layer.wordpress_in(wordpress)
    base = cache() / f"{definition.name}-packages-{debian.digest(definition)[:16]}.tar"
    key = f"{debian.digest(definition)[:16]}-{layer.digest(definition, bundled, core)[:16]}"
    built = cache() / f"{definition.name}-{key}.oci.tar"
    lock = cache() / f"{definition.name}.lock"
    if not built.exists():
        with locked(
            lock, waiting=lambda: say(f"another run is building the image {definition.name}; waiting")
        ):
            _made(
                base, f"packages of the image {definition.name}", say, lambda to: debian.build(definition, to)
            )
            base.touch()  # used now
            layers = partial(_packed, definition, base, bundled, core)
            _made(built, f"image {definition.name}", say, layers)
            _forget(definition.name)
    built.touch()  # used now
    return built


def cache() -> Path:
    """Where images are kept: one archive per digest of inputs."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG rules: a relative path there is invalid and to be ignored.
    return (named if named.is_absolute() else Path.home() / ".cache") / "urumi" / "images"


def _forget(name: str) -> None:
    """Remove all but the archives of an image, and of packages for it, that were used last."""
    for pattern in (f"{name}-packages-*.tar", f"{name}-*.oci.tar"):
        archives = sorted(cache().glob(pattern), key=lambda one: one.stat().st_mtime, reverse=True)
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


def _packed(definition: Definition, base: Path, bundled: list[Path], core: Path | None, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        layers = [base, Path(folder, "ours")]
        layer.build(definition, bundled, layers[-1], core)
        if definition.make:
            layers.append(Path(folder, "made"))
            made.build(definition.make, definition.made, layers[:-1], layers[-1])
        oci.write(definition, layers, target)


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
    parser.add_argument(
        "--wordpress",
        type=Path,
        metavar="FOLDER",
        help="the WordPress of the store's image, not Debian's",
    )
    given = parser.parse_args(argv)
    if unknown := set(given.names) - set(DEFINITIONS):
        parser.error(f"no such image: {', '.join(sorted(unknown))}")
    try:
        for name in given.names or DEFINITIONS:
            brought = (given.plugins, given.wordpress) if name == "store" else ()
            built = archive(DEFINITIONS[name], _say, *brought)
            sys.stdout.write(f"{name}  {built}\n")
    except ImageError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1:]))
