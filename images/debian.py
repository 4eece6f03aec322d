"""The lower layer of a stand-in: Debian packages, as a tar archive made by mmdebstrap."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from images.definitions import SUITE, Definition, ImageError

_LEFT_OUT = ("usr/share/doc/*", "usr/share/info/*", "usr/share/locale/*", "usr/share/man/*")
_KEPT = ("usr/share/doc/*/copyright",)  # licences ask for it
_FORMAT = "1"  # raised when the same inputs are to give another archive


def digest(definition: Definition) -> str:
    """A hex digest of what decides about the archive: packages by name, and the script that prepares them."""
    parts = (_FORMAT, SUITE, *_LEFT_OUT, *_KEPT, *definition.packages, definition.prepare.read_text())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def check() -> None:
    """Raise ImageError if this machine cannot build."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise ImageError("the stand-in images can be built only by root on Linux")
    if shutil.which("mmdebstrap") is None:
        raise ImageError("mmdebstrap is missing: 'apt-get install mmdebstrap' on Debian or Ubuntu")


def build(definition: Definition, archive: Path) -> None:
    """Make the archive from the newest packages of the suite, after `check`. Raises ImageError."""
    command = [
        "mmdebstrap",
        "--quiet",
        "--mode=root",
        "--variant=essential",
        # The container's runtime makes the devices.
        "--skip=output/dev",
        *(f"--dpkgopt=path-exclude=/{pattern}" for pattern in _LEFT_OUT),
        *(f"--dpkgopt=path-include=/{pattern}" for pattern in _KEPT),
        f"--include={','.join(definition.packages)}",
        f"--customize-hook={definition.prepare}",
        "--format=tar",
        SUITE,
        str(archive),
    ]
    # With this set, all times in the archive are the same in every build.
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        archive.unlink(missing_ok=True)
        raise ImageError(
            f"mmdebstrap failed for the image {definition.name}:\n{done.stderr[-2000:]}\n"
            "it needs Debian's package mirror, and the right to mount"
        )
