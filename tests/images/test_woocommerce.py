"""A shop with WooCommerce's habits: the tests' own plugin, since no package registry has the real one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import psutil
import pytest

from tests.images.containers import side_by_side, until
from tests.images.shop import Shop

PLUGIN = "urumi-test-shop"
CALLBACKS = 3
LOCKS = {
    "transient": "('_transient_wc_installing', 'yes'),"
    " ('_transient_timeout_wc_installing', UNIX_TIMESTAMP() + 600)",
    "row": "('wc_installing', UNIX_TIMESTAMP())",
}


def option(shop: Shop, name: str) -> str:
    return "".join(shop.sql(f"SELECT option_value FROM wp_options WHERE option_name = '{name}'"))  # noqa: S608


def assert_whole(shop: Shop) -> None:
    """The installation is whole, once, and live."""
    assert len(shop.sql("SHOW TABLES LIKE 'wp\\_shop\\_%'")) == 5
    assert option(shop, "wc_installing") == option(shop, "_transient_wc_installing") == ""
    assert option(shop, "woocommerce_newly_installed") == "no"
    assert option(shop, "woocommerce_coming_soon") == "no"
    pages = shop.sql(
        "SELECT post_name FROM wp_posts WHERE post_type = 'page' AND post_status = 'publish' ORDER BY 1"
    )
    assert [name for name in pages if name in ("shop", "cart", "checkout", "myaccount")] == sorted(
        ("shop", "cart", "checkout", "myaccount")
    )
    assert not [name for name in pages if name.endswith("-2")]
    assert_open(shop)


def assert_open(shop: Shop) -> None:
    """Shoppers see the shop and its cart."""
    for page in ("shop", "cart"):
        answer = shop.ask(f"/{page}/")
        assert answer.status == 200
        assert f"urumi-test-{page}" in answer.body
    assert shop.ask("/wp-json/wc/store/v1/cart").body == '{"items":[]}'


def test_a_new_shop_is_whole_and_live(ready_shop: Shop) -> None:
    assert_whole(ready_shop)


def test_the_owners_first_visit_does_not_close_the_shop(used_shop: Callable[[], Shop]) -> None:
    shop = used_shop()
    shop.up()
    assert shop.ask("/wp-admin/", headers={"Cookie": shop.log_in()}).status == 200
    assert_whole(shop)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_left_by_a_killed_installation_is_seen_through(
    new_shop: Callable[..., Shop], lock: str
) -> None:
    shop = new_shop()
    # Without the web server the store cannot become ready, and the agent stays before the first READY.
    shop.start(web=False)
    shop.until_status("pages do not answer")
    shop.agent.kill()
    shop.write_plugins((PLUGIN,))
    shop.sql(f"INSERT INTO wp_options (option_name, option_value) VALUES {LOCKS[lock]}")  # noqa: S608
    shop.sql(
        "UPDATE wp_options SET option_value = 'a:1:{i:0;s:35:\"urumi-test-shop/urumi-test-shop.php\";}'"
        " WHERE option_name = 'active_plugins'"
    )
    shop.restart_agent()
    shop.web.start()
    shop.until_ready()
    assert_whole(shop)


def test_a_newer_image_upgrades_the_database_to_its_end(used_shop: Callable[[], Shop]) -> None:
    def undisturbed(shop: Shop) -> None:
        shop.agent.start()

    def killed_between_version_and_callbacks(shop: Shop) -> None:
        shop.sql("UPDATE wp_options SET option_value = '1.1.0' WHERE option_name = 'woocommerce_version'")
        shop.agent.start()

    def killed_between_two_callbacks(shop: Shop) -> None:
        shop.sql(
            "UPDATE wp_options SET option_value = '1.1.0' WHERE option_name = 'woocommerce_version';"
            "INSERT INTO wp_actionscheduler_actions (hook, due) VALUES ('woocommerce_run_update_callback', 1)"
        )
        shop.agent.start()

    def killed_and_left_its_lock(shop: Shop) -> None:
        shop.sql(f"INSERT INTO wp_options (option_name, option_value) VALUES {LOCKS['row']}")  # noqa: S608
        shop.agent.start()

    def child_killed_in_a_callback(shop: Shop) -> None:
        shop.agent.start()
        _until_in_progress(shop)
        psutil.Process(shop.agent.first_process()).children(recursive=True)[-1].kill()

    def agent_killed_in_a_callback(shop: Shop) -> None:
        shop.agent.start()
        _until_in_progress(shop)
        shop.restart_agent()

    disturbances = (
        undisturbed,
        killed_between_version_and_callbacks,
        killed_between_two_callbacks,
        killed_and_left_its_lock,
        child_killed_in_a_callback,
        agent_killed_in_a_callback,
    )
    side_by_side(*(partial(_upgraded, used_shop(), disturb) for disturb in disturbances))


def _until_in_progress(shop: Shop) -> None:
    question = "SELECT hook FROM wp_actionscheduler_actions WHERE status = 'in-progress'"
    until("a callback runs", lambda: shop.sql(question) != [], pause=0.1)


def _upgraded(shop: Shop, disturb: Callable[[Shop], None]) -> None:
    _with_older_data(shop)
    shop.web.start()
    disturb(shop)
    shop.until_ready()
    # At the first moment of READY, not some time after it.
    assert "The database is being upgraded." in shop.agent.output()
    assert option(shop, "woocommerce_version") == option(shop, "woocommerce_db_version") == "1.1.0"
    assert int(option(shop, "urumi_test_callbacks")) >= CALLBACKS
    actions = shop.sql("SELECT status FROM wp_actionscheduler_actions")
    assert len(actions) > CALLBACKS
    assert set(actions) == {"complete"}
    assert "none is scheduled" not in shop.agent.output()
    assert int(option(shop, "db_version")) > 50000
    assert shop.ask("/wp-admin/", headers={"Cookie": shop.log_in()}).status == 200  # else 302 to upgrade.php
    assert_open(shop)


def _with_older_data(shop: Shop) -> None:
    """A database from before the image's core and plugin; its server and nothing else runs."""
    shop.database.start()
    shop.until_database_answers()
    (shop.folder / f"content/plugins/{PLUGIN}/version").write_text("1.1.0")
    (shop.folder / "content/.urumi/upgraded-for").write_text("an older image")
    shop.sql("UPDATE wp_options SET option_value = '40000' WHERE option_name = 'db_version'")


def test_an_upgrade_that_an_owners_plugin_prevents_closes_the_shop_for_a_while_only(
    used_shop: Callable[[], Shop],
) -> None:
    shop = used_shop()
    _with_older_data(shop)
    (shop.folder / "content/mu-plugins").mkdir(exist_ok=True)
    (shop.folder / "content/mu-plugins/exits.php").write_text("<?php if (PHP_SAPI === 'cli') exit(0);")
    shop.web.start()
    shop.agent.start()
    shop.until_status("The database is being upgraded.", 30)
    shop.until_ready()
    assert "upgrade-wordpress gave no answer" in shop.agent.output()
