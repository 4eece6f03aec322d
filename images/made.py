"""The top layer of a stand-in: what a script makes of all that lies below it."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from images.definitions import ImageError
from images.layer import OPAQUE


def build(script: Path, folder: str, below: Sequence[Path], archive: Path) -> None:
    """Write what the script makes in the folder as a tar archive; of the layers below the lowest comes first.
    Raises ImageError."""
    with tempfile.TemporaryDirectory(dir=archive.parent) as root:
        for layer in below:
            _hide(layer, root)
            _run("tar", "--extract", f"--file={layer}", f"--directory={root}", f"--exclude={OPAQUE}")
        _run(str(script), root)
        _run(
            *("tar", "--create", f"--file={archive}", f"--directory={root}", "--sort=name", "--mtime=@1"),
            *("--numeric-owner", folder),
        )


def _hide(layer: Path, root: str) -> None:
    """Empty the folders whose lower layers this layer hides, as a runtime does."""
    with tarfile.open(layer) as members:
        hidden = [Path(root, name).parent for name in members.getnames() if Path(name).name == OPAQUE]
    for folder in hidden:
        _run("find", str(folder), "-mindepth", "1", "-delete")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ImageError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout)[-2000:]}")
