"""SIGKILL at random moments of the installation: the next start makes it whole."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.images.containers import side_by_side
from tests.images.moments import SEED, moments
from tests.images.shop import Shop
from tests.images.test_woocommerce import PLUGIN, assert_whole

KILLED_CHILDREN = 5


def test_killed_installations_heal(used_shop: Callable[[], Shop]) -> None:
    shops = [used_shop(), used_shop()]
    unfinished: list[bool] = []

    def healed(shop: Shop, number: int) -> None:
        shop.up()
        longest = _seconds_to_install(shop)
        for moment in moments(longest)[number :: len(shops)]:
            _emptied(shop)
            shop.restart_agent()
            time.sleep(moment)
            shop.agent.kill()
            unfinished.append(not _marked_ready(shop))
            shop.restart_agent()
            shop.until_ready()
            assert shop.log_in()
            assert_whole(shop)
            assert shop.sql("SELECT COUNT(*) FROM wp_posts WHERE post_name = 'hello-world'") == ["1"]
            assert shop.sql("SELECT COUNT(*) FROM wp_users") == ["1"]

    side_by_side(*(lambda n=n: healed(shops[n], n) for n in range(len(shops))))
    assert sum(unfinished) >= len(unfinished) // 2, "the kills came too late to show anything"


def _emptied(shop: Shop) -> None:
    """As new, with the database and web servers still running."""
    shop.agent.kill()
    shop.sql("DROP DATABASE wordpress; CREATE DATABASE wordpress", database="mysql")
    for one in (shop.folder / "content").iterdir():
        shutil.rmtree(one)
    assert shop.seed.run() == 0


def _seconds_to_install(shop: Shop) -> float:
    _emptied(shop)
    began = time.monotonic()
    shop.restart_agent()
    shop.until_ready()
    return time.monotonic() - began


def _marked_ready(shop: Shop) -> bool:
    return bool(shop.sql("SHOW TABLES LIKE 'urumi_installation'")) and bool(
        shop.sql("SELECT id FROM urumi_installation WHERE ready_at IS NOT NULL")
    )


def test_a_killed_child_of_the_agent_is_made_good_by_the_next(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop(PLUGIN)
    shop.start()
    dice = random.Random(SEED)  # noqa: S311 - nothing secret
    killed = 0
    while not shop.ready:
        killed += killed < KILLED_CHILDREN and _killed_child(shop)
        time.sleep(dice.uniform(0.05, 0.4))
    assert killed == KILLED_CHILDREN
    assert shop.log_in()
    assert_whole(shop)


def _killed_child(shop: Shop) -> bool:
    """Kill the child that works on WordPress now, if there is one."""
    first = psutil.Process(shop.agent.first_process())
    for process in first.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "child.php" in " ".join(process.cmdline()) and "look-at-database" not in process.cmdline():
                process.kill()
                return True
    return False
