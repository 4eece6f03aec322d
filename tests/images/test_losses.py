"""After the first READY: nothing is done against the owner, and no new shop is made over a lost one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from tests.images.shop import Shop


def test_a_lost_database_is_reported_and_not_replaced(used_shop: Callable[[], Shop]) -> None:
    shop = used_shop()
    (shop.folder / "data").rename(shop.folder / "backup")
    shop.volume("data", 999)
    shop.start()
    shop.until_status("The database was lost")
    code, said = shop.probe()
    assert code == 1
    assert "Restore a backup." in said
    assert shop.sql("SHOW TABLES") == []
    assert shop.ask("/wp-admin/install.php").status == 403

    shop.delete_pods()
    shutil.rmtree(shop.folder / "data")
    (shop.folder / "backup").rename(shop.folder / "data")
    shop.up()
    assert shop.log_in()


def test_lost_content_is_reported(used_shop: Callable[[], Shop]) -> None:
    shop = used_shop()
    shop.volume("content", 33)
    shop.start()
    shop.until_status("wp-content was lost")
    assert not (shop.folder / "content/.urumi/installation").exists()


@pytest.mark.parametrize("ready", [True, False])
def test_volumes_of_two_stores_do_not_become_one(used_shop: Callable[[], Shop], ready: bool) -> None:
    shop = used_shop()
    record = shop.folder / "content/.urumi/installation"
    record.write_text(json.dumps({"id": 32 * "0", "ready": ready}))
    shop.start()
    shop.until_status("belong to different installations")
    assert shop.sql("SELECT user_login FROM wp_users") == ["admin"]


def test_the_agent_does_not_fight_the_owner(used_shop: Callable[[], Shop]) -> None:
    shop = used_shop()
    shop.up()
    shop.php(
        "update_option('blogname', 'Mine now'); update_option('admin_email', 'me@example.com');"
        "wp_set_password('mypassword', 1); update_option('permalink_structure', '');"
        "update_option('woocommerce_coming_soon', 'yes');"
        "wp_delete_post(get_option('woocommerce_shop_page_id'), true);"
        "require_once ABSPATH . 'wp-admin/includes/admin.php';"
        "deactivate_plugins(['urumi-test-shop/urumi-test-shop.php', 'akismet/akismet.php']);"
    )
    shutil.rmtree(shop.folder / "content/plugins/akismet")
    # An owner's maintenance page: the front page answers 503, and the shop stays reachable to end that.
    (shop.folder / "content/mu-plugins").mkdir(exist_ok=True)
    (shop.folder / "content/mu-plugins/maintenance.php").write_text(
        "<?php add_action('template_redirect', fn () => wp_die('Back soon', '', ['response' => 503]));"
    )
    _looked_at(shop)
    assert shop.ask("/").status == 503
    assert shop.log_in("admin", "mypassword")
    assert shop.php("echo get_option('blogname'), get_option('admin_email');") == "Mine nowme@example.com"
    assert shop.php("echo count(get_option('active_plugins')), get_option('permalink_structure');") == "0"
    assert shop.php("echo get_option('woocommerce_coming_soon');") == "yes"
    assert not (shop.folder / "content/plugins/akismet").exists()

    shop.php(
        "require_once ABSPATH . 'wp-admin/includes/admin.php';"
        "$new = wp_create_user('boss', 'bosspassword', 'boss@example.com');"
        "(new WP_User($new))->set_role('administrator'); wp_delete_user(1, $new);"
    )
    _looked_at(shop)
    assert shop.sql("SELECT user_login FROM wp_users") == ["boss"]
    assert shop.log_in("boss", "bosspassword")


def _looked_at(shop: Shop) -> None:
    """The agent has looked at the store as it is, and after an end of both pods too, and found it ready."""
    shop.restart_agent()
    shop.until_ready()
    shop.delete_pods()
    shop.up()


@pytest.mark.parametrize(
    "break_it",
    [
        "DROP TABLE wp_usermeta",
        "DROP TABLE wp_options",
        "DELETE FROM wp_options WHERE option_name = 'siteurl'",
    ],
)
def test_broken_core_facts_are_reported_and_left_alone(used_shop: Callable[[], Shop], break_it: str) -> None:
    shop = used_shop()
    shop.database.start()
    shop.until_database_answers()
    shop.sql(break_it)
    before = shop.sql("SHOW TABLES")
    shop.seed.run()
    shop.web.start()
    shop.agent.start()
    shop.until_status("Core tables are missing or broken. Restore a backup.")
    assert shop.sql("SHOW TABLES") == before
    assert shop.sql("SELECT user_login FROM wp_users") == ["admin"]
    assert shop.sql("SELECT post_name FROM wp_posts WHERE post_name = 'hello-world'") == ["hello-world"]
