"""After the first READY: nothing is done against the owner, and no new shop is made over a lost one."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

from tests.images.shop import Shop
from tests.images.test_first_boot import log_in

SETTLED = 25  # seconds; longer than the agent takes between two looks


def test_a_lost_database_is_reported_and_not_replaced(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop()
    shop.up()
    shop.delete_pods()
    shutil.copytree(shop.folder / "data", shop.folder / "backup", copy_function=_copy)
    shop.volume("data", 999)

    shop.start()
    shop.until_status("The database was lost")
    assert not shop.ready
    assert shop.sql("SHOW TABLES") == []
    assert shop.ask("/wp-admin/install.php").status == 403

    shop.delete_pods()
    shop.volume("data", 999)
    shutil.copytree(shop.folder / "backup", shop.folder / "data", copy_function=_copy, dirs_exist_ok=True)
    shutil.chown(shop.folder / "data", 999, 999)
    for one in (shop.folder / "data").rglob("*"):
        shutil.chown(one, 999, 999)
    shop.up()
    assert log_in(shop)


def _copy(source: str, target: str) -> None:
    shutil.copy2(source, target)


def test_lost_content_is_reported(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop()
    shop.up()
    shop.delete_pods()
    shop.volume("content", 33)
    shop.start()
    shop.until_status("wp-content was lost")
    assert not (shop.folder / "content/.urumi/installation").exists()


def test_volumes_of_two_stores_do_not_become_one(new_shop: Callable[..., Shop]) -> None:
    one, other = new_shop(), new_shop()
    one.up()
    one.delete_pods()
    other.up()
    other.delete_pods()
    shutil.rmtree(one.folder / "content")
    shutil.move(other.folder / "content", one.folder / "content")
    one.start()
    one.until_status("belong to different installations")


def test_before_the_first_ready_everything_is_made_anew(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop()
    shop.database.start()
    shop.seed.run()
    shop.agent.start()
    shop.until_status("pages do not answer")
    for volume, user in (("data", 999), ("content", 33)):
        shop.delete_pods()
        shop.volume(volume, user)
        shop.database.start()
        shop.seed.run()
        shop.agent.start()
        shop.until_status("pages do not answer")
    shop.sql("DROP TABLE wp_usermeta")
    shop.web.start()
    shop.until_ready()
    assert log_in(shop)


def test_the_agent_does_not_fight_the_owner(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop("urumi-test-shop", "akismet")
    shop.up()
    shop.php(
        "require_once ABSPATH . 'wp-admin/includes/admin.php';"
        "$new = wp_create_user('boss', 'bosspassword', 'boss@example.com');"
        "(new WP_User($new))->set_role('administrator');"
        "wp_delete_user(get_user_by('login', 'admin')->ID, $new);"
        "deactivate_plugins(['urumi-test-shop/urumi-test-shop.php', 'akismet/akismet.php']);"
        "update_option('blogname', 'Mine now'); update_option('permalink_structure', '');"
    )
    shutil.rmtree(shop.folder / "content/plugins/akismet")
    # An owner's maintenance page: the front page answers 503, and the shop stays reachable to end that.
    (shop.folder / "content/mu-plugins").mkdir()
    (shop.folder / "content/mu-plugins/maintenance.php").write_text(
        "<?php add_action('template_redirect', fn () => wp_die('Back soon', '', ['response' => 503]));"
    )
    shop.delete_pods()
    shop.up()
    assert shop.ask("/").status == 503
    time.sleep(SETTLED)
    assert shop.ready
    assert shop.sql("SELECT user_login FROM wp_users") == ["boss"]
    assert shop.php("echo get_option('blogname'), count(get_option('active_plugins'));") == "Mine now0"
    assert not (shop.folder / "content/plugins/akismet").exists()
    assert log_in(shop, "boss", "bosspassword")


def test_broken_core_tables_are_reported_and_left_alone(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop()
    shop.up()
    shop.sql("DROP TABLE wp_usermeta")
    shop.until_status("Core tables are missing or broken")
    assert not shop.sql("SHOW TABLES LIKE 'wp_usermeta'")
    assert shop.sql("SELECT user_login FROM wp_users") == ["admin"]
