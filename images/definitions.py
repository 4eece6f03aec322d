"""What each image is made of: Debian packages, our files on top, and what scripts make of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SUITE = "bookworm"
CONTENT = "usr/local/share/urumi/content"


class ImageError(Exception):
    """An image cannot be built; the text says why and what to do."""


Say = Callable[[str], None]
"""Told what is being done, a line at a time."""


@dataclass(frozen=True)
class Made:
    """A layer that a script makes of all that lies below it."""

    script: Path
    """It is given the root of the layers below."""
    folder: str
    """What the script adds there is the layer."""
    reads: tuple[Path, ...] = ()
    """Files of ours that it reads beside that root."""

    def recipe(self) -> tuple[str, ...]:
        """What decides about the layer beside what lies below it."""
        return (self.folder, *(one.read_text() for one in (self.script, *self.reads)))


def _nothing(_say: Say) -> Mapping[str, Path]:
    return {}


@dataclass(frozen=True)
class Definition:
    """One image. Paths in the image are without the slash in front."""

    name: str
    reference: str
    packages: tuple[str, ...]
    prepare: Path
    """A script that is given the root of the installed packages, before they are packed."""
    files: Mapping[str, Path]
    """Files and folders of ours by where they go."""
    folders: tuple[str, ...]
    """Empty folders, for what is mounted there."""
    user: int
    command: str
    port: int
    stop_signal: str
    arguments: tuple[str, ...] = ()
    """Of the command."""
    directory: str = "/"
    """Where the command is started."""
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Callable[[], Mapping[str, str]] = dict
    brings: Callable[[Say], Mapping[str, Path]] = _nothing
    """Builds more files of ours, or finds them built. Raises ImageError."""
    installed: Made | None = None
    """Made of the packages alone, below our files, and kept as they are."""
    made: Made | None = None
    """Made of all of it."""
    bill: Callable[[Path], bytes] | None = None
    """The bill of materials of the image with this root, as CycloneDX in JSON."""

    def inputs(self) -> list[Path]:
        """Every file of ours that goes into the image, sorted."""
        found: list[Path] = []
        for source in self.files.values():
            found += [one for one in source.rglob("*") if one.is_file()] if source.is_dir() else [source]
        return sorted(found)


_STORE = FOLDER / "store"
_DATABASE = FOLDER / "database"

STORE = Definition(
    name="store",
    reference="urumi/store:0.1.0",
    packages=(
        "apache2",
        "libapache2-mod-php",
        "media-types",
        "php-cli",
        "php-curl",
        "php-gd",
        "php-intl",
        "php-mbstring",
        "php-mysql",
        "php-xml",
        "php-zip",
        "wordpress",
        "wordpress-theme-twentytwentythree",
    ),
    prepare=_STORE / "prepare-debian",
    files={
        "usr/local/bin/urumi-agent": _STORE / "bin" / "urumi-agent",
        "usr/local/bin/urumi-web": _STORE / "bin" / "urumi-web",
        "usr/local/lib/urumi": _STORE / "lib",
        "var/www/html/wp-config.php": _STORE / "wp-config.php",
    },
    folders=(
        "dev",
        "etc/urumi/config",
        "etc/urumi/credentials",
        "etc/urumi/site",
        "proc",
        "run/apache2",
        "run/agent",
        "sys",
        "tmp",
        "var/www/html/wp-content",
    ),
    user=33,
    command="/usr/local/bin/urumi-web",
    port=80,
    stop_signal="SIGTERM",  # of all its containers; the chart has Apache finish before it is sent
    made=Made(_STORE / "compile", "usr/local/share/urumi/opcache"),
)

DATABASE = Definition(
    name="database",
    reference="urumi/database:0.1.0",
    packages=("mariadb-client-core", "mariadb-server-core"),
    prepare=_DATABASE / "prepare-debian",
    files={"usr/local/bin/urumi-database": _DATABASE / "urumi-database"},
    folders=(
        "dev",
        "etc/urumi/config",
        "etc/urumi/credentials",
        "proc",
        "run/mysqld",
        "sys",
        "tmp",
        "var/lib/mysql",
    ),
    user=999,
    command="/usr/local/bin/urumi-database",
    port=3306,
    stop_signal="SIGTERM",
    made=Made(_DATABASE / "make-data", "usr/local/share/urumi/data"),
)

_FRONT_DOOR = FOLDER / "front_door"
_DEV = FOLDER.parent / "dev"

FRONT_DOOR = Definition(
    name="front-door",
    reference="urumi/front-door:0.1.0",
    packages=("haproxy", "python3"),
    prepare=_FRONT_DOOR / "prepare-debian",
    files={
        "usr/local/bin/urumi-front-door": _FRONT_DOOR / "urumi-front-door",
        "usr/local/lib/urumi/dev/__init__.py": _DEV / "__init__.py",
        "usr/local/lib/urumi/dev/front_door": _DEV / "front_door",
    },
    folders=(
        "dev",
        "proc",
        "run/front-door",
        "sys",
        "tmp",
        "usr/local/lib/urumi",
        "usr/local/lib/urumi/dev",
    ),
    user=65534,
    command="/usr/local/bin/urumi-front-door",
    port=8088,
    stop_signal="SIGTERM",
)

DEFINITIONS = {each.name: each for each in (STORE, DATABASE, FRONT_DOOR)}
"""Those that a cluster runs."""
