"""PHP that is compiled in the image: used by all, written by nobody."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.images.shop import Roots, Shop

# OPcache tries to store what it finds nowhere, and says no more than this of a folder that it cannot write.
MISSED = re.compile(r"cannot create directory for file '/tmp/opcache/[0-9a-f]{32}(/\S+)\.bin'")
FOLDER = "/tmp/opcache"  # noqa: S108 - in a container
LOUD = ("env", "PHP_INI_SCAN_DIR=:/tmp/loud")
# Tells the settings of the process that loads it.
TOLD = """<?php file_put_contents(
    WP_CONTENT_DIR . '/told-' . PHP_SAPI,
    ini_get('opcache.file_cache') . ' ' . ini_get('opcache.file_cache_only'),
);"""


def missed(logs: Iterable[Path]) -> set[str]:
    """The scripts that OPcache had to compile."""
    return {path for log in logs for path in MISSED.findall(log.read_text(errors="replace"))}


def test_core_is_compiled_in_the_image(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop("urumi-test-shop")
    for name in ("web", "agent"):
        loud = shop.folder / f"{name}-tmp/loud"
        loud.mkdir()
        (loud / "loud.ini").write_text("opcache.log_verbosity_level = 4\n")
    shop.web.command = [*LOUD, *shop.web.command]
    shop.agent.command = [*LOUD, *shop.agent.command]
    plugins = shop.folder / "content/mu-plugins"
    plugins.mkdir()
    (plugins / "told.php").write_text(TOLD)
    for one in (plugins, shop.folder / "content"):
        one.chmod(0o777)
    shop.up()

    told = {one.name: one.read_text() for one in (shop.folder / "content").glob("told-*")}
    assert told == {"told-cli": f"{FOLDER} 1", "told-apache2handler": f"{FOLDER} 0"}
    by_web = missed([shop.web.log])
    assert "/var/www/html/wp-content/mu-plugins/told.php" in by_web  # the owner's, in memory as ever
    assert [path for path in by_web if not path.startswith("/var/www/html/wp-content/")] == []
    children = list((shop.folder / "agent-tmp").glob("urumi-*.log"))
    assert len(children) > 3
    assert missed(children) == set()


def test_each_container_has_a_folder_of_its_own_made_anew(
    used_shop: Callable[[], Shop], roots: Roots
) -> None:
    shop = used_shop()
    (compiled,) = (roots.store / "usr/local/share/urumi/opcache").iterdir()
    folders = [shop.folder / f"{name}-tmp/opcache" for name in ("web", "agent")]
    for folder in folders:
        left = folder / compiled.name / "var/www/html/index.php.bin"
        left.parent.mkdir(parents=True)
        left.write_text("planted")
    for folder in folders:
        for one in (folder, *folder.rglob("*")):
            one.chmod(0o777)
    shop.up()
    assert shop.ask("/").status == 200
    for folder in folders:
        (link,) = folder.iterdir()
        assert str(link.readlink()) == f"/usr/local/share/urumi/opcache/{compiled.name}"
    for container in (shop.web, shop.agent):
        assert container.execute("touch", f"{FOLDER}/{compiled.name}/x").returncode != 0


def test_the_web_server_keeps_our_own_php_in_memory(ready_shop: Shop) -> None:
    ready_shop.ask("/")
    lib = "/usr/local/lib/urumi"
    ours = {"wp-config.php", f"{lib}/web/probe.php", f"{lib}/wordpress/platform.php"}
    assert ours <= ready_shop.cached_scripts()
