"""The upper layer of a stand-in: our files and what somebody brings; the same bytes from the same inputs."""

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
_CORE_VERSION = re.compile(r"^\$wp_version = '([^']+)';", re.MULTILINE)
_CORE = "var/www/html"
_NOT_CORE = ("wp-content", "wp-config.php")
_TIME = 1  # of every file, as in the packages' layer; OPcache takes a file without a time for none
_FOLDERS_OF_PROCESSES = {"tmp": 0o1777}
OPAQUE = ".wh..wh..opq"
"""A file of this name in a folder hides all that lower layers have there."""


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


def wordpress_in(folder: Path | None) -> Path | None:
    """A WordPress to use instead of Debian's. Raises ImageError if the folder has none."""
    if folder is not None and wordpress_version(folder) is None:
        raise ImageError(f"{folder} has no WordPress in it: no wp-includes/version.php that names a version")
    return folder


def wordpress_version(folder: Path) -> str | None:
    """The version of the WordPress in a folder."""
    file = folder / "wp-includes/version.php"
    found = _CORE_VERSION.search(file.read_text(errors="replace")) if file.is_file() else None
    return found[1] if found else None


def digest(definition: Definition, plugins: Iterable[Path], wordpress: Path | None = None) -> str:
    """A hex digest of the layer's inputs - names, modes, contents - of how its containers are run and its top
    layer is made, and of what packs and describes it, which is the code of this package."""
    run = (
        definition.reference,
        definition.user,
        (definition.command, *definition.arguments),
        definition.directory,
        sorted(definition.environment.items()),
        sorted(definition.labels().items()),
        definition.port,
        definition.stop_signal,
    )
    recipe = definition.made.recipe() if definition.made else ()
    total = hashlib.sha256(repr((*run, *recipe)).encode())
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        total.update(source.read_bytes())
    for member, content in _members(definition, list(plugins), wordpress):
        total.update(f"{member.name}\0{member.mode}\0{member.size}\0".encode() + content)
    return total.hexdigest()


def build(
    definition: Definition, plugins: Iterable[Path], archive: Path, wordpress: Path | None = None
) -> None:
    """Write the layer as a tar archive."""
    _write(archive, _members(definition, list(plugins), wordpress))


def single(path: str, content: bytes, archive: Path) -> None:
    """Write a layer of one file as a tar archive."""
    _write(archive, [_content(path, content, 0o644)])


def _write(archive: Path, members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> None:
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))


_Members = Iterator[tuple[tarfile.TarInfo, bytes]]


def _members(definition: Definition, plugins: list[Path], wordpress: Path | None) -> _Members:
    if wordpress is not None:
        yield from _core(wordpress)
    files = dict(definition.files) | {f"{CONTENT}/plugins/{one.name}": one for one in plugins}
    for folder in sorted(definition.folders):
        yield _folder(folder)
    for target, source in sorted(files.items()):
        yield from _tree(target, source)
    yield _content(_INVENTORY, _inventory(definition, plugins, wordpress), 0o644)


def _core(wordpress: Path) -> _Members:
    """A WordPress in the place of Debian's, with the plugins and themes that it brings."""
    for folder in (_CORE, CONTENT):
        yield _folder(folder)
        yield _content(f"{folder}/{OPAQUE}", b"", 0o644)
    for one in sorted(wordpress.iterdir()):
        if one.name not in _NOT_CORE:
            yield from _tree(f"{_CORE}/{one.name}", one)
    for kind in ("plugins", "themes"):
        for one in sorted((wordpress / "wp-content" / kind).glob("*/")):
            yield from _tree(f"{CONTENT}/{kind}/{one.name}", one)


def _tree(target: str, source: Path) -> _Members:
    if source.is_file():
        yield _file(target, source)
        return
    yield _folder(target)
    for one in sorted(source.rglob("*")):
        if "__pycache__" not in one.parts:
            path = f"{target}/{one.relative_to(source)}"
            yield _folder(path) if one.is_dir() else _file(path, one)


def _inventory(definition: Definition, plugins: list[Path], wordpress: Path | None) -> bytes:
    """What is in the image beside the packages, whose versions stand in packages.txt next to it."""
    found: dict[str, object] = {
        "image": definition.reference,
        "packages": "packages.txt",
        "plugins": {one.name: version_of(one) for one in plugins},
    }
    if wordpress is not None:
        found["wordpress"] = wordpress_version(wordpress)
    return (json.dumps(found, indent=2, sort_keys=True) + "\n").encode()


def _folder(path: str) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(path)
    member.type, member.mode = tarfile.DIRTYPE, _FOLDERS_OF_PROCESSES.get(path, 0o755)
    return member, b""


def _file(path: str, source: Path) -> tuple[tarfile.TarInfo, bytes]:
    return _content(path, source.read_bytes(), 0o755 if source.stat().st_mode & 0o100 else 0o644)


def _content(path: str, content: bytes, mode: int) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(path)
    member.size, member.mode, member.mtime = len(content), mode, _TIME
    return member, content
