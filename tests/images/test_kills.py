"""SIGKILL at random moments of each step of the first boot: the next start makes it whole."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest

from tests.images.containers import until
from tests.images.shop import PASSWORDS, Shop
from tests.images.test_first_boot import log_in
from tests.images.test_woocommerce import PLUGIN, assert_whole

SEED = 20261124
MOMENTS = 8


def moments(longest: float) -> list[float]:
    """The same fractions of a step in every run, one in each eighth, so that no part is left out."""
    dice = random.Random(SEED)  # noqa: S311 - nothing secret
    return [longest * (number + dice.random()) / MOMENTS for number in range(MOMENTS)]


def answers(shop: Shop) -> bool:
    """Whether the store's user can log in to the database over TCP."""
    done = shop.database.execute(
        *("mariadb", "--host=127.0.0.1", "--user=wordpress", f"--password={PASSWORDS['database-password']}"),
        *("wordpress", "--execute=SELECT 1"),
    )
    return done.returncode == 0


def test_killed_first_starts_of_the_database_heal(shop: Shop) -> None:
    began = time.monotonic()
    shop.database.start()
    until("the database answers", lambda: "ready for connections" in shop.database.output())
    longest = time.monotonic() - began
    before = 0
    for moment in moments(longest):
        shop.delete_pods()
        shop.volume("data", 999)
        shop.database.start()
        time.sleep(moment)
        shop.database.kill()
        before += not (shop.folder / "data/data").exists()
        shop.database.start()
        until("the database answers", lambda: answers(shop))
        passwordless = shop.database.execute(
            "mariadb", "--socket=/run/mysqld/mysqld.sock", "--user=root", "--execute=SELECT 1"
        )
        assert "Access denied" in passwordless.stderr
        assert shop.sql("SELECT user FROM mysql.global_priv WHERE user IN ('', 'root')") == ["root"]
        assert not (shop.folder / "data/.first-start").exists()
    assert before >= MOMENTS // 2, "the kills came too late to show anything"


def test_a_first_start_that_was_cut_short_is_not_taken_for_a_whole_one(shop: Shop) -> None:
    left = shop.folder / "data/.first-start/mysql"
    left.mkdir(parents=True)
    (left / "user.frm").write_text("half of it")  # mariadb-install-db would say that all is there
    for folder in (left, left.parent):
        shutil.chown(folder, 999, 999)
    shop.database.start()
    until("the database answers", lambda: answers(shop))


def test_an_account_changed_by_hand_is_as_it_should_be_after_a_restart(shop: Shop) -> None:
    shop.database.start()
    until("the database answers", lambda: answers(shop))
    shop.sql(
        "REVOKE ALL PRIVILEGES ON wordpress.* FROM wordpress; ALTER USER wordpress IDENTIFIED BY 'another'"
    )
    assert not answers(shop)
    shop.database.kill()
    shop.database.start()
    until("the database answers", lambda: answers(shop))


@pytest.mark.timeout(600)
def test_killed_installations_heal(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop(PLUGIN)
    shop.up()
    longest = _installed_anew(shop)
    unfinished = 0
    for moment in moments(longest):
        _emptied(shop)
        shop.agent.start()
        time.sleep(moment)
        shop.agent.kill()
        unfinished += not shop.sql("SHOW TABLES LIKE 'wp_shop_lookup'") or not _marked_ready(shop)
        shop.agent.start()
        shop.until_ready()
        assert log_in(shop)
        assert_whole(shop)
        assert shop.sql("SELECT COUNT(*) FROM wp_posts WHERE post_name = 'hello-world'") == ["1"]
        assert shop.sql("SELECT COUNT(*) FROM wp_users") == ["1"]
    assert unfinished >= MOMENTS // 2, "the kills came too late to show anything"


def _emptied(shop: Shop) -> None:
    """As new, with the database and web servers still running."""
    shop.agent.kill()
    shop.sql("DROP DATABASE wordpress; CREATE DATABASE wordpress", database="mysql")
    for one in (shop.folder / "content").iterdir():
        shutil.rmtree(one)
    # Else the answer of the last agent could be taken for that of one that has only begun.
    for one in (shop.folder / "agent-run").iterdir():
        one.unlink()
    assert shop.seed.run() == 0


def _installed_anew(shop: Shop) -> float:
    _emptied(shop)
    began = time.monotonic()
    shop.agent.start()
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
        killed += killed < 5 and _killed_child(shop)
        time.sleep(dice.uniform(0.05, 0.4))
    assert killed == 5
    assert log_in(shop)
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
