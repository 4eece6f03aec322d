"""Layers of an image that scripts make of what lies below them."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from images.definitions import ImageError, Made
from images.layer import OPAQUE


def unpack(layers: Sequence[Path], root: Path) -> None:
    """Put layers into a root, the lowest first. Raises ImageError."""
    root.mkdir(exist_ok=True)
    for layer in layers:
        _hide(layer, root)
        _run("tar", "--extract", f"--file={layer}", f"--directory={root}", f"--exclude={OPAQUE}")


def build(made: Made, root: Path, archive: Path) -> None:
    """Let the script make its files in the root of all layers below, and write them as a tar archive.

    Raises ImageError.
    """
    before = _under(root, made.folder)
    _run(str(made.script), str(root))
    added = "".join(f"{path}\0" for path in sorted(_under(root, made.folder) - before))
    _run(
        *("tar", "--create", f"--file={archive}", f"--directory={root}", "--mtime=@1", "--numeric-owner"),
        *("--no-recursion", "--null", "--files-from=-"),
        given=added,
    )


def _under(root: Path, folder: str) -> set[str]:
    """A folder and all that is in it, by their paths in the root."""
    top = root / folder
    return {str(one.relative_to(root)) for one in (top, *top.rglob("*"))} if top.exists() else set()


def _hide(layer: Path, root: Path) -> None:
    """Empty the folders whose lower layers this layer hides, as a runtime does."""
    with tarfile.open(layer) as members:
        hidden = [Path(root, name).parent for name in members.getnames() if Path(name).name == OPAQUE]
    for folder in hidden:
        _run("find", str(folder), "-mindepth", "1", "-delete")


def _run(*command: str, given: str = "") -> None:
    # A script that calls `python3` means the one that runs this, with its packages.
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(
        command,
        input=given,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ImageError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout)[-2000:]}")
