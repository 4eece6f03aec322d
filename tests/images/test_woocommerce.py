"""A shop with WooCommerce's habits: the tests' own plugin, since no package registry has the real one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.images.shop import Shop

PLUGIN = "urumi-test-shop"


def option(shop: Shop, name: str) -> str:
    return "".join(shop.sql(f"SELECT option_value FROM wp_options WHERE option_name = '{name}'"))  # noqa: S608


def assert_whole(shop: Shop) -> None:
    """The installation is whole, once, and live."""
    assert len(shop.sql("SHOW TABLES LIKE 'wp\\_shop\\_%'")) == 4
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
    for page in ("shop", "cart"):
        answer = shop.ask(f"/{page}/")
        assert answer.status == 200
        assert f"urumi-test-{page}" in answer.body
    assert shop.ask("/wp-json/wc/store/v1/cart").body == '{"items":[]}'


def test_a_new_shop_is_whole_and_live(ready_shop: Shop) -> None:
    assert_whole(ready_shop)


def test_a_lock_left_by_a_killed_installation_is_seen_through(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop()
    shop.database.start()
    shop.seed.run()
    # Without the web server the store cannot become ready, and the agent stays before the first READY.
    shop.agent.start()
    shop.until_status("pages do not answer")
    shop.agent.kill()
    shop.write_plugins((PLUGIN,))
    shop.sql(
        "INSERT INTO wp_options (option_name, option_value) VALUES ('_transient_wc_installing', 'yes'),"
        " ('_transient_timeout_wc_installing', UNIX_TIMESTAMP() + 600);"
        "UPDATE wp_options SET option_value = 'a:1:{i:0;s:35:\"urumi-test-shop/urumi-test-shop.php\";}'"
        " WHERE option_name = 'active_plugins'"
    )
    shop.agent.start()
    shop.web.start()
    shop.until_ready()
    assert_whole(shop)


def test_a_plugin_that_is_not_in_the_image_is_named(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop("woocommerce")
    shop.start()
    shop.until_status("The bundled plugins are not all active yet.")
    assert "the plugin woocommerce is not in this image" in shop.agent.output()


@pytest.mark.parametrize("killed_between_version_and_callbacks", [False, True])
def test_a_newer_image_upgrades_the_database_to_its_end(
    new_shop: Callable[..., Shop], killed_between_version_and_callbacks: bool
) -> None:
    shop = new_shop(PLUGIN)
    shop.up()
    shop.agent.kill()
    shop.web.kill()
    (shop.folder / f"content/plugins/{PLUGIN}/version").write_text("1.1.0")
    (shop.folder / "content/.urumi/upgraded-for").write_text("an older image")
    shop.sql("UPDATE wp_options SET option_value = '40000' WHERE option_name = 'db_version'")
    if killed_between_version_and_callbacks:
        shop.sql("UPDATE wp_options SET option_value = '1.1.0' WHERE option_name = 'woocommerce_version'")
    shop.agent.start()
    shop.until_status("The database is being upgraded.", 20)
    shop.web.start()
    shop.until_ready()
    assert option(shop, "woocommerce_version") == option(shop, "woocommerce_db_version") == "1.1.0"
    assert option(shop, "urumi_test_callbacks") == "2"
    assert int(option(shop, "db_version")) > 50000
    assert shop.ask("/wp-admin/upgrade.php").status != 0
