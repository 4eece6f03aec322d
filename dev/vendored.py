"""Files of others that pages load, kept here: `python -m dev.vendored` brings them anew by `npm`.

A package is one version with the digest that npm's registry has for it, and each file of it has its own.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).resolve().parents[1] / "functions" / "console" / "static"


@dataclass(frozen=True)
class File:
    """One file: where it is in the package, and its SHA-256 in hexadecimal."""

    member: str
    sha256: str


@dataclass(frozen=True)
class Package:
    """One package of npm's. `integrity` is of the whole package, as lock files have it."""

    name: str
    version: str
    licence: str
    integrity: str
    files: Mapping[str, File]  # by the name that they have here


PACKAGES = (
    Package(
        "htmx.org",
        "2.0.11",
        "0BSD",
        "sha512-Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFvBTqjnIMCgELTNt636dtamA==",
        {
            "htmx.min.js": File(
                "package/dist/htmx.min.js",
                "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
            ),
            "htmx.LICENSE": File(
                "package/LICENSE", "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38"
            ),
        },
    ),
)


class OtherContentError(Exception):
    """What came is not what is written down here."""


def bring(package: Package, into: Path) -> None:
    """Write its files into the folder. Raises OtherContentError, and what `npm` fails with."""
    with tempfile.TemporaryDirectory() as folder:
        asked = ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
        name = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
        archive = Path(folder) / name
        _compare(package.integrity, integrity_of(archive.read_bytes()), package.name)
        with tarfile.open(archive) as members:
            for here, file in package.files.items():
                found = members.extractfile(file.member)
                body = found.read() if found else b""
                _compare(file.sha256, hashlib.sha256(body).hexdigest(), here)
                (into / here).write_bytes(body)


def integrity_of(body: bytes) -> str:
    """As lock files write it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(body).digest()).decode()


def _compare(wanted: str, found: str, name: str) -> None:
    if found != wanted:
        raise OtherContentError(f"{name}: {found} came, and {wanted} is written down")


def main() -> int:
    """The command line."""
    try:
        for package in PACKAGES:
            bring(package, STATIC)
    except (OtherContentError, OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
