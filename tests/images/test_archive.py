"""The archives themselves: what containerd imports, and when one is built anew."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from images import build, layer, oci
from images.definitions import DATABASE, STORE, Definition, ImageError
from tests.images.conftest import PLUGINS
from tests.images.shop import Roots, unpack

CHECKOUT = Path(__file__).resolve().parents[2]


def read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


@pytest.mark.parametrize("definition", [STORE, DATABASE], ids=lambda one: one.name)
def test_every_blob_is_what_its_digest_says(
    definition: Definition, store_archive: Path, database_archive: Path
) -> None:
    with tarfile.open(store_archive if definition is STORE else database_archive) as tar:
        (entry,) = json.loads(read(tar, "index.json"))["manifests"]
        assert entry["annotations"]["io.containerd.image.name"] == f"docker.io/{definition.reference}"
        manifest = json.loads(read(tar, "blobs/" + entry["digest"].replace(":", "/")))
        for blob in (entry, manifest["config"], *manifest["layers"]):
            content = read(tar, "blobs/" + blob["digest"].replace(":", "/"))
            assert f"sha256:{hashlib.sha256(content).hexdigest()}" == blob["digest"]
            assert len(content) == blob["size"]
        config = json.loads(read(tar, "blobs/" + manifest["config"]["digest"].replace(":", "/")))
        assert config["rootfs"]["diff_ids"] == [one["digest"] for one in manifest["layers"]]
        assert config["config"]["User"] == f"{definition.user}:{definition.user}"
        assert config["config"]["Cmd"] == [
            f"/usr/local/bin/urumi-{'web' if definition is STORE else 'database'}"
        ]


def test_the_entry_points_that_the_chart_names_are_there(roots: Roots) -> None:
    for root, names in ((roots.store, ("web", "agent")), (roots.database, ("database",))):
        for name in names:
            program = root / f"usr/local/bin/urumi-{name}"
            assert program.stat().st_mode & 0o777 == 0o755
            assert f"/usr/local/bin/urumi-{name}" in _templates()


def _templates() -> str:
    return "".join(one.read_text() for one in (CHECKOUT / "chart/templates").rglob("*.yaml"))


def test_nothing_in_the_images_gives_a_right(roots: Roots) -> None:
    for root in (roots.store, roots.database):
        assert [one for one in root.rglob("*") if one.is_file() and one.lstat().st_mode & 0o6000] == []
        writable = [
            one
            for one in (root / "var/www", root / "usr/local")
            if one.exists()
            and any(each.lstat().st_mode & 0o002 and not each.is_symlink() for each in one.rglob("*"))
        ]
        assert writable == []


def test_nothing_of_the_machine_that_built_them_is_in_the_images(roots: Roots) -> None:
    for root in (roots.store, roots.database):
        assert not (root / "etc/hostname").exists()
        assert (root / "etc/resolv.conf").read_text() == ""


def test_the_images_say_what_is_in_them(roots: Roots) -> None:
    for root, package in ((roots.store, "wordpress"), (roots.database, "mariadb-server-core")):
        folder = root / "usr/local/share/urumi"
        packages = dict(line.split() for line in (folder / "packages.txt").read_text().splitlines())
        assert packages[package][0].isdigit()
    inventory = json.loads((roots.store / "usr/local/share/urumi/inventory.json").read_text())
    assert inventory["plugins"] == {"urumi-test-shop": "1.0.0"}


def test_the_same_inputs_give_the_same_layer_and_others_another(tmp_path: Path) -> None:
    copied = tmp_path / "plugins"
    shutil.copytree(PLUGINS, copied)
    layers = []
    for number, folder in enumerate((PLUGINS, copied)):
        layer.build(STORE, layer.plugins_in(folder), tmp_path / str(number))
        layers.append((tmp_path / str(number)).read_bytes())
    assert layers[0] == layers[1]

    assert build.archive(STORE, print, copied) == build.archive(STORE, print, PLUGINS)
    first = layer.digest(STORE, layer.plugins_in(copied))
    (copied / "urumi-test-shop/urumi-test-shop.php").chmod(0o755)
    second = layer.digest(STORE, layer.plugins_in(copied))
    (copied / "urumi-test-shop/more.txt").write_text("more")
    third = layer.digest(STORE, layer.plugins_in(copied))
    stopped = layer.digest(replace(STORE, stop_signal="SIGKILL"), layer.plugins_in(copied))
    assert len({first, second, third, stopped, layer.digest(STORE, [])}) == 5


def test_a_wordpress_that_somebody_brings_takes_the_place_of_debians(roots: Roots, tmp_path: Path) -> None:
    core = tmp_path / "wordpress"
    files = {
        "index.php": "<?php // newer",
        "wp-includes/version.php": "<?php\n$wp_version = '7.1';\n",
        "wp-config.php": "<?php // of another site",
        "wp-content/themes/newer/style.css": "/* Theme Name: newer */",
        "wp-content/index.php": "<?php",
    }
    for name, content in files.items():
        (core / name).parent.mkdir(parents=True, exist_ok=True)
        (core / name).write_text(content)
    archive = build.archive(STORE, print, PLUGINS, core)
    unpack(archive, oci.layers_of(archive), tmp_path / "root")
    web, bundle = tmp_path / "root/var/www/html", tmp_path / "root/usr/local/share/urumi/content"
    assert (web / "index.php").read_text() == "<?php // newer"
    assert not (web / "wp-login.php").exists()
    assert (web / "wp-config.php").read_bytes() == (roots.store / "var/www/html/wp-config.php").read_bytes()
    assert list((web / "wp-content").iterdir()) == []
    compiled = bundle.parent / "opcache"
    assert len(list(compiled.glob("*/var/www/html/index.php.bin"))) == 1
    assert list(compiled.glob("*/var/www/html/wp-login.php.bin")) == []  # of the one whose place it takes
    assert [one.name for one in (bundle / "themes").iterdir()] == ["newer"]
    assert [one.name for one in (bundle / "plugins").iterdir()] == ["urumi-test-shop"]
    inventory = json.loads((bundle.parent / "inventory.json").read_text())
    assert inventory["wordpress"] == "7.1"
    assert build.archive(STORE, print, PLUGINS) != archive
    with pytest.raises(ImageError, match="no WordPress in it"):
        layer.wordpress_in(tmp_path)


def test_what_is_no_plugin_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no folder"):
        layer.plugins_in(tmp_path / "missing")
    (tmp_path / "shop").mkdir()
    with pytest.raises(ImageError, match="names a version"):
        layer.plugins_in(tmp_path)
    (tmp_path / "shop/shop.php").write_text("<?php\n/* Plugin Name: x\n Version: 1 */")
    assert [one.name for one in layer.plugins_in(tmp_path)] == ["shop"]
    (tmp_path / "shop/link").symlink_to("/etc/passwd")
    with pytest.raises(ImageError, match="symbolic link"):
        layer.plugins_in(tmp_path)


def test_every_php_file_of_ours_parses(roots: Roots) -> None:
    files = [*(CHECKOUT / "images").rglob("*.php"), *PLUGINS.rglob("*.php")]
    assert len(files) > 30
    for file in files:
        done = subprocess.run(
            ["chroot", str(roots.store), "php", "-n", "-l"],
            input=file.read_bytes(),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, (file, done.stdout)


def test_the_layers_lie_in_the_archive_from_the_lowest_up(store_archive: Path) -> None:
    with tarfile.open(store_archive) as tar:
        packages, ours, compiled = oci.layers_of(store_archive)
        sizes = {name: tar.getmember(name).size for name in (packages, ours, compiled)}
    assert sizes[packages] > 5 * sizes[compiled] > 5 * sizes[ours]
