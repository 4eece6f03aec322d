"""The upper layer of a stand-in: our own files and bundled plugins, the same bytes from the same inputs."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from images.definitions import CONTENT, Definition, ImageError

_INVENTORY = "usr/local/share/urumi/inventory.json"
_PLUGIN_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?")
_VERSION = re.compile(r"^[ \t/*#@]*Version:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_FOLDERS_OF_PROCESSES = {"tmp": 0o1777}


def plugins_in(folder: Path | None) -> list[Path]:
    """The plugin folders to bundle, sorted. Raises ImageError if one cannot be a plugin."""
    if folder is None:
        return []
    if not folder.is_dir():
        raise ImageError(f"{folder} is no folder")
    plugins = sorted(one for one in folder.iterdir() if one.is_dir())
    for plugin in plugins:
        if not _PLUGIN_NAME.fullmatch(plugin.name):
            raise ImageError(f"{plugin.name} is no name of a plugin's folder")
        if any(one.is_symlink() for one in plugin.rglob("*")):
            raise ImageError(f"{plugin} has a symbolic link in it, which a bundled plugin must not")
        if version_of(plugin) is None:
            raise ImageError(f"{plugin} is no plugin: none of its PHP files names a version")
    return plugins


def version_of(plugin: Path) -> str | None:
    """The version in the header of a plugin's main file."""
    for file in sorted(plugin.glob("*.php")):
        header = file.read_text(errors="replace")[:8192]
        if "plugin name:" in header.lower() and (found := _VERSION.search(header)):
            return found[1]
    return None


def digest(definition: Definition, plugins: Iterable[Path]) -> str:
    """A hex digest of the layer's inputs: names, modes and contents."""
    total = hashlib.sha256()
    for member, content in _members(definition, list(plugins)):
        total.update(f"{member.name}\0{member.mode}\0{member.size}\0".encode() + content)
    return total.hexdigest()


def build(definition: Definition, plugins: Iterable[Path], archive: Path) -> None:
    """Write the layer as a tar archive."""
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for member, content in _members(definition, list(plugins)):
            tar.addfile(member, io.BytesIO(content))


def _members(definition: Definition, plugins: list[Path]) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    files = dict(definition.files) | {f"{CONTENT}/plugins/{one.name}": one for one in plugins}
    for folder in sorted(definition.folders):
        yield _folder(folder)
    for target, source in sorted(files.items()):
        if source.is_file():
            yield _file(target, source)
            continue
        yield _folder(target)
        for one in sorted(source.rglob("*")):
            if "__pycache__" in one.parts:
                continue
            path = f"{target}/{one.relative_to(source)}"
            yield _folder(path) if one.is_dir() else _file(path, one)
    yield _content(_INVENTORY, _inventory(definition, plugins), 0o644)


def _inventory(definition: Definition, plugins: list[Path]) -> bytes:
    """What is in the image beside the packages, whose versions stand in packages.txt next to it."""
    return (
        json.dumps(
            {
                "image": definition.reference,
                "packages": "packages.txt",
                "plugins": {one.name: version_of(one) for one in plugins},
            },
            indent=2,
            sort_keys=True,
        )
        + "\n"
    ).encode()


def _folder(path: str) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(path)
    member.type, member.mode = tarfile.DIRTYPE, _FOLDERS_OF_PROCESSES.get(path, 0o755)
    return member, b""


def _file(path: str, source: Path) -> tuple[tarfile.TarInfo, bytes]:
    return _content(path, source.read_bytes(), 0o755 if source.stat().st_mode & 0o100 else 0o644)


def _content(path: str, content: bytes, mode: int) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(path)
    member.size, member.mode = len(content), mode
    return member, content
