"""Builds images once and keeps them in the user's cache folder.

`python -m images.build [--plugins FOLDER] [--wordpress FOLDER] [NAME…]` builds those that a cluster runs,
or the ones named, and prints where the OCI archives are. Nothing to do takes well under a second.
The image of the functions is built only by its name: nothing on one machine runs it but its tests.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dev.cluster.lock import locked
from images import debian, layer, made, oci
from images.definitions import DEFINITIONS, Definition, ImageError, Made, Say
from images.functions.definition import FUNCTIONS

_KEPT = 4  # archives of one kind
_BILL = "usr/local/share/urumi/bill.cdx.json"
_NAMED = {**DEFINITIONS, FUNCTIONS.name: FUNCTIONS}


def archive(
    definition: Definition,
    say: Say,
    plugins: Path | None = None,
    wordpress: Path | None = None,
) -> Path:
    """The image's OCI archive, built if its inputs are new. Raises ImageError.

    `plugins` is a folder of plugin folders that the store's image bundles beside WordPress's own, `wordpress`
    the folder of a WordPress to use instead of Debian's.
    """
    if not _packages(definition).exists():
        debian.check()  # before minutes of building what the definition brings
    whole = replace(definition, files={**definition.files, **definition.brings(say)})
    brought = _Brought(layer.plugins_in(plugins), layer.wordpress_in(wordpress))
    below = _below(whole)
    key = f"{below[:16]}-{layer.digest(whole, brought.plugins, brought.wordpress)[:16]}"
    built = cache() / f"{whole.name}-{key}.oci.tar"
    lock = cache() / f"{whole.name}.lock"
    if not built.exists():
        with locked(lock, waiting=lambda: say(f"another run is building the image {whole.name}; waiting")):
            lower = _lower(whole, say)
            _made(built, f"image {whole.name}", say, partial(_packed, whole, lower, brought, bill_of(built)))
            _forget(whole.name)
    built.touch()  # used now
    return built


def bill_of(built: Path) -> Path:
    """Where the bill of materials of an archive lies, if its image has one."""
    return built.with_name(built.name.removesuffix(".oci.tar") + ".cdx.json")


def cache() -> Path:
    """Where images are kept: one archive per digest of inputs."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG rules: a relative path there is invalid and to be ignored.
    return (named if named.is_absolute() else Path.home() / ".cache") / "urumi" / "images"


@dataclass(frozen=True)
class _Brought:
    """What somebody brings for the store's image."""

    plugins: list[Path]
    wordpress: Path | None


def _below(definition: Definition) -> str:
    """A hex digest of what lies below our files."""
    packages = debian.digest(definition)
    if definition.installed is None:
        return packages
    return hashlib.sha256(repr((packages, *definition.installed.recipe())).encode()).hexdigest()


def _packages(definition: Definition) -> Path:
    """Where the lowest layer is kept."""
    return cache() / f"{definition.name}-packages-{debian.digest(definition)[:16]}.tar"


def _lower(definition: Definition, say: Say) -> list[Path]:
    """The layers below our files, built if their inputs are new."""
    base = _packages(definition)
    _made(base, f"packages of the image {definition.name}", say, lambda to: debian.build(definition, to))
    layers = [base]
    if (made_ := definition.installed) is not None:
        installed = cache() / f"{definition.name}-installed-{_below(definition)[:16]}.tar"
        what = f"what is installed in the image {definition.name}"
        _made(installed, what, say, lambda to: _installed(made_, base, to))
        layers.append(installed)
    for one in layers:
        one.touch()  # used now
    return layers


def _installed(made_: Made, base: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        made.unpack([base], Path(folder, "root"))
        made.build(made_, Path(folder, "root"), target)


def _forget(name: str) -> None:
    """Remove all but the archives of an image, and of what lies below our files, that were used last."""
    for pattern in (f"{name}-packages-*.tar", f"{name}-installed-*.tar", f"{name}-*.oci.tar"):
        archives = sorted(cache().glob(pattern), key=lambda one: one.stat().st_mtime, reverse=True)
        for one in archives[_KEPT:]:
            one.unlink()
            bill_of(one).unlink(missing_ok=True)


def _made(target: Path, what: str, say: Say, make: Callable[[Path], None]) -> None:
    """Make a file beside its place and rename it, so that a file which exists is whole."""
    if target.exists():
        return
    beside = target.with_name(f".{target.name}.new")
    beside.unlink(missing_ok=True)
    began = time.monotonic()
    make(beside)
    beside.rename(target)
    say(f"{what} built in {time.monotonic() - began:.0f} s")


def _packed(
    definition: Definition, lower: list[Path], brought: _Brought, bill_to: Path, target: Path
) -> None:
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        layers = [*lower, Path(folder, "ours")]
        layer.build(definition, brought.plugins, layers[-1], brought.wordpress)
        root = Path(folder, "root")
        if definition.made or definition.bill:
            made.unpack(layers, root)
        if definition.made:
            layers.append(Path(folder, "made"))
            made.build(definition.made, root, layers[-1])
        if definition.bill:
            bill = definition.bill(root)
            layers.append(Path(folder, "bill"))
            layer.single(_BILL, bill, layers[-1])
            bill_to.write_bytes(bill)
        oci.write(definition, layers, target)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m images.build", description="Build container images.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which of {', '.join(_NAMED)}; all but {FUNCTIONS.name}"
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
    if unknown := set(given.names) - set(_NAMED):
        parser.error(f"no such image: {', '.join(sorted(unknown))}")
    try:
        for name in given.names or DEFINITIONS:
            brought = (given.plugins, given.wordpress) if name == "store" else ()
            built = archive(_NAMED[name], _say, *brought)
            sys.stdout.write(f"{name}  {built}\n")
            if _NAMED[name].bill:
                sys.stdout.write(f"{name}  {bill_of(built)}\n")
    except ImageError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1:]))
