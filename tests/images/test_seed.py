"""What the image brings to wp-content before any page is answered, and what it leaves alone."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.images.containers import Container, until
from tests.images.shop import Roots, Shop

BUNDLE = "usr/local/share/urumi/content"
PLUGIN = "plugins/urumi-test-shop"
HEADER = "<?php\n/**\n * Plugin Name: Urumi test shop\n * Version: {}\n */\n"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def bundled(roots: Roots) -> dict[str, bytes]:
    return tree(roots.store / BUNDLE)


def brought(shop: Shop) -> dict[str, bytes]:
    return {
        name: content
        for name, content in tree(shop.folder / "content").items()
        if name.startswith(("plugins/", "themes/"))
    }


def seeded(shop: Shop) -> Shop:
    assert shop.seed.run() == 0, shop.seed.output()
    return shop


def main_file(shop: Shop) -> Path:
    return shop.folder / "content" / PLUGIN / "urumi-test-shop.php"


def test_it_brings_all_that_the_image_has_and_then_nothing(shop: Shop, roots: Roots) -> None:
    assert len(bundled(roots)) > 50
    assert brought(seeded(shop)) == bundled(roots)
    before = main_file(shop).stat().st_ino
    seeded(shop)
    assert shop.seed.output().endswith("nothing to bring\n")
    assert main_file(shop).stat().st_ino == before


def test_what_the_owner_added_stays(shop: Shop, roots: Roots) -> None:
    own = {
        "plugins/own/own.php": b"<?php // mine",
        "uploads/2026/11/cat.jpg": b"cat",
        "themes/own/style.css": b"x",
    }
    for name, content in own.items():
        file = seeded(shop).folder / "content" / name
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
    (shop.folder / "content/.urumi/seed/stamps" / PLUGIN).write_text(
        '{"version": "1.0.0", "digest": "older"}'
    )
    after = tree(seeded(shop).folder / "content")
    assert own.items() <= after.items()
    assert "brought plugins/urumi-test-shop" in shop.seed.output()


@pytest.mark.parametrize(
    ("there", "stamped", "kept"),
    [
        ("9.0.0", "1.0.0", True),  # the owner updated it past the image
        ("0.9.0", "0.8.0", False),  # the owner updated it, and the image has a newer one
        ("0.9.0", "0.9.0", False),  # ours, from an older image
        ("9.0.0", "9.0.0", False),  # ours, from a newer image: rolled back
        ("0.9.0", None, True),  # the owner's own, from before the image had it
    ],
)
def test_who_brought_a_plugin_decides_who_replaces_it(
    shop: Shop, there: str, stamped: str | None, kept: bool
) -> None:
    seeded(shop)
    main_file(shop).write_text(HEADER.format(there))
    stamp = shop.folder / "content/.urumi/seed/stamps" / PLUGIN
    if stamped:
        stamp.write_text(f'{{"version": "{stamped}", "digest": "another"}}')
    else:
        stamp.unlink()
    seeded(shop)
    assert (main_file(shop).read_text() == HEADER.format(there)) is kept


def test_a_plugin_that_the_owner_removed_stays_removed(shop: Shop) -> None:
    shutil.rmtree(seeded(shop).folder / "content" / PLUGIN)
    assert not main_file(seeded(shop)).exists()


def test_a_kill_between_the_two_renames_is_no_removal(shop: Shop) -> None:
    content = seeded(shop).folder / "content"
    aside = content / ".urumi/seed/old/plugins"
    aside.mkdir(parents=True)
    for folder in (aside, aside.parent):
        shutil.chown(folder, 33, 33)
    (content / PLUGIN).rename(content / ".urumi/seed/old" / PLUGIN)
    assert main_file(seeded(shop)).exists()
    assert not (content / ".urumi/seed/old").exists()


def test_killed_seeds_heal(shop: Shop) -> None:
    bundle, older = bulky(shop.folder / "bundle", "2.0.0"), bulky(shop.folder / "older", "1.0.0")
    shop.seed.mounts = {**shop.seed.mounts, f"/{BUNDLE}": bundle}
    whole: tuple[dict[str, bytes], ...] = ({}, tree(older), tree(bundle))
    longest = min(_seconds_from_nothing(shop) for _ in range(3))
    dice = random.Random(20261124)  # noqa: S311 - nothing secret
    killed = 0
    for number in range(10):
        content = shop.volume("content", 33)
        if number % 2:  # an update of what an older image brought
            shutil.copytree(older, content, dirs_exist_ok=True)
            (content / ".urumi/seed/stamps/plugins").mkdir(parents=True)
            (content / ".urumi/seed/stamps/plugins/bulky").write_text(
                '{"version": "1.0.0", "digest": "older"}'
            )
            for one in (content, *content.rglob("*")):
                shutil.chown(one, 33, 33)
        shop.seed.start()
        time.sleep(longest * dice.uniform(0.2, 1))
        killed += shop.seed.kill() not in (None, 0)
        assert brought(shop) in whole  # at every moment
        assert brought(seeded(shop)) == tree(bundle)
    assert killed >= 5, "the kills came too late to show anything"


def running(shop: Shop, code: str, name: str) -> Container:
    """One of two that run at once."""
    command = ["php", "-n", "-r", f"require '/usr/local/lib/urumi/autoload.php'; {code}"]
    return replace(shop.seed, command=command, log=shop.folder / f"{name}-at-once.log")


def test_two_at_once_do_it_one_after_the_other(shop: Shop) -> None:
    bundle = bulky(shop.folder / "bundle", "2.0.0")
    bring = r"(new Urumi\Seed\Seeder(Urumi\Store::BUNDLE, Urumi\Store::CONTENT, Urumi\Store::RECORDS))->run()"
    both = [running(shop, f"echo implode(',', {bring}), PHP_EOL;", name) for name in ("web", "agent")]
    for one in both:
        one.mounts = {**one.mounts, f"/{BUNDLE}": bundle}
    for _ in range(3):
        shop.volume("content", 33)
        before = [len(one.output()) for one in both]
        for one in both:
            one.start()
        assert [one.wait() for one in both] == [0, 0]
        said = sorted(one.output()[begin:] for one, begin in zip(both, before, strict=True))
        assert said == ["\n", "plugins/bulky\n"]
        assert brought(shop) == tree(bundle)


def test_two_prove_at_once_that_they_can_write(shop: Shop) -> None:
    prove = r"for ($n = 0; $n < 3000; $n++) echo Urumi\Seed\Writable::problem(Urumi\Store::CONTENT, '{0}');"
    both = [running(shop, prove.format(name), name) for name in ("web", "agent")]
    seeded(shop)
    for one in both:
        one.start()
    assert [one.wait() for one in both] == [0, 0]
    assert [one.output() for one in both] == ["", ""]


def test_no_page_is_answered_before_all_is_there_and_the_agent_makes_good_a_kill(shop: Shop) -> None:
    bundle = bulky(shop.folder / "bundle", "2.0.0")
    for container in (shop.web, shop.agent):
        container.mounts = {**container.mounts, f"/{BUNDLE}": bundle}
    shop.database.start()
    lock = shop.folder / "content/.urumi/seed/lock"
    for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGWINCH):
        shop.volume("content", 33)
        shop.web.start()
        until("it brings something", lock.exists, pause=0.001)
        assert shop.web.kill(how, seconds=5) == (1 if how is signal.SIGKILL else 143)
        assert brought(shop) in ({}, tree(bundle))
        assert "resuming normal operations" not in shop.web.output()
    shop.agent.start()
    until("the agent brought it", (shop.folder / "content/.urumi/seed/stamps/plugins/bulky").exists)
    assert brought(shop) == tree(bundle)
    shop.web.start()
    until("Apache answers", lambda: shop.ask("/wp-includes/version.php").status == 200)
    assert "urumi-seed: nothing to bring" in shop.web.output()


def test_after_a_newer_image_the_agent_upgrades_what_the_image_has(used_shop: Callable[[], Shop]) -> None:
    """Also where the web container does not come so far."""
    shop = used_shop()
    main_file(shop).write_text(HEADER.format("0.9.0"))
    stamp = shop.folder / "content/.urumi/seed/stamps" / PLUGIN
    stamp.write_text('{"version": "0.9.0", "digest": "older"}')
    (shop.folder / "content/.urumi/upgraded-for").write_text("another image")
    shop.start(web=False)
    shop.until_status("pages do not answer")
    assert "Version: 0.9.0" not in main_file(shop).read_text()


def bulky(folder: Path, version: str) -> Path:
    """A bundle with one plugin of many files, so that a kill finds the seed at work."""
    (folder / "plugins/bulky").mkdir(parents=True)
    (folder / "plugins/bulky/bulky.php").write_text(HEADER.format(version))
    for number in range(800):
        (folder / f"plugins/bulky/{number}.php").write_text(f"<?php // {number} of {version}")
    return folder


def _seconds_from_nothing(shop: Shop) -> float:
    shop.volume("content", 33)
    began = time.monotonic()
    seeded(shop)
    return time.monotonic() - began
