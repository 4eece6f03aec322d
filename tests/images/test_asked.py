"""What the platform is asked for later: it is done once, and what the owner does after it stays."""

from __future__ import annotations

import html
from collections.abc import Callable

import pytest

from tests.images.containers import until
from tests.images.shop import EMAIL, PASSWORDS, Shop

FIRST = PASSWORDS["admin-password"]
NOT_YET = "The site is not set up as asked yet."
# Keeps the agent's children from what they are asked to do, whose plugins are off but for such a one.
IN_THE_WAY = "<?php if (PHP_SAPI === 'cli' && defined('WP_INSTALLING') && {}) {{ {} }}"


def password(number: int) -> str:
    return f"password{number:02}" + "x" * 22


def ask_password(shop: Shop, number: int) -> None:
    """As the chart mounts a newer one, for pods that are made from now on."""
    for old in (shop.folder / "agent-credentials").glob("admin-password*"):
        old.unlink()
    name = "admin-password" if number == 1 else f"admin-password-{number}"
    (shop.folder / "agent-credentials" / name).write_text(password(number))


def ask_title(shop: Shop, title: str) -> None:
    (shop.folder / "site/title").write_text(title)


def new_pods(shop: Shop) -> None:
    """A new generation's, which are READY."""
    shop.delete_pods()
    shop.up()


def title_of(shop: Shop) -> str:
    return html.unescape(shop.php("echo get_option('blogname');"))


def remembered(shop: Shop, option: str) -> list[str]:
    return shop.sql(f"SELECT option_value FROM wp_options WHERE option_name = '{option}'")  # noqa: S608


def test_a_password_is_set_once_for_each_number(used_shop: Callable[[], Shop]) -> None:
    shop = used_shop()
    shop.up()
    assert remembered(shop, "urumi_admin_number") == ["1"]
    session = {"Cookie": shop.log_in()}
    assert shop.ask("/wp-admin/", headers=session).status == 200
    shop.php(
        "update_option('admin_email', 'mine@example.com');"
        "wp_update_user(['ID' => 1, 'user_email' => 'me@example.com']);"
    )

    ask_password(shop, 2)
    new_pods(shop)
    assert remembered(shop, "urumi_admin_number") == ["2"]
    assert shop.sql("SELECT meta_value FROM wp_usermeta WHERE meta_key = 'session_tokens'") == []
    assert shop.ask("/wp-admin/", headers=session).status == 302
    assert not shop.log_in(password=FIRST)
    assert shop.log_in(password=password(2))
    # Nothing else of the account is anybody's but the owner's.
    assert shop.sql("SELECT user_email FROM wp_users") == ["me@example.com"]
    assert shop.php("echo get_option('admin_email');") == "mine@example.com"

    shop.php("wp_set_password('mypassword', 1);")
    new_pods(shop)
    assert shop.log_in(password="mypassword")
    session = {"Cookie": shop.log_in(password="mypassword")}
    ask_password(shop, 1)  # an older one than the database remembers
    ask_title(shop, "Pots")
    shop.restart_agent()
    shop.until_ready()
    assert remembered(shop, "urumi_title") == ["Pots"]
    assert shop.ask("/wp-admin/", headers=session).status == 200
    assert remembered(shop, "urumi_admin_number") == ["2"]

    ask_password(shop, 10)
    new_pods(shop)
    assert not shop.log_in(password="mypassword")
    assert shop.log_in(password=password(10))


def test_an_owner_who_has_lost_the_account_gets_it_back(used_shop: Callable[[], Shop]) -> None:
    shop = used_shop()
    shop.up()
    shop.php(
        "require_once ABSPATH . 'wp-admin/includes/admin.php';"
        "$new = wp_create_user('boss', 'bosspassword', 'boss@example.com');"
        "(new WP_User($new))->set_role('administrator'); wp_delete_user(1, $new);"
        f"wp_update_user(['ID' => $new, 'user_email' => '{EMAIL}']);"
    )
    ask_password(shop, 2)
    new_pods(shop)
    assert shop.log_in(password=password(2))
    assert shop.log_in("boss", "bosspassword")
    rights = (
        "foreach (get_users() as $u)"
        "  echo $u->user_login, ' ', $u->user_email, ' ', implode(',', $u->roles), ';';"
    )
    assert shop.php(rights) == f"admin  administrator;boss {EMAIL} administrator;"

    # An account that somebody made less is the administrator's again, with what else it may.
    shop.php("get_user_by('login', 'admin')->set_role('author');")
    ask_password(shop, 3)
    new_pods(shop)
    assert shop.php(rights) == f"admin  author,administrator;boss {EMAIL} administrator;"
    assert shop.log_in(password=password(3))


@pytest.mark.parametrize(
    ("when", "what"),
    [
        # The child that sets it ends at once, and the exit status is 0.
        ("!get_option('urumi_open')", "exit(0);"),
        # It sets it, and the one that looks finds another password.
        ("true", "function wp_check_password($password, $hash, $user = '') { return false; }"),
    ],
)
def test_a_store_is_not_ready_before_its_password_is_set(
    used_shop: Callable[[], Shop], when: str, what: str
) -> None:
    shop = used_shop()
    (shop.folder / "content/mu-plugins").mkdir(exist_ok=True)
    plugin = shop.folder / "content/mu-plugins/in-the-way.php"
    plugin.write_text(IN_THE_WAY.format(when, what))
    ask_password(shop, 2)
    shop.start()
    shop.until_status(NOT_YET)
    assert remembered(shop, "urumi_admin_number") == ["1"]
    assert not shop.ready
    assert shop.probe() == (1, f"{NOT_YET}\n")
    plugin.unlink()
    shop.until_ready()
    assert remembered(shop, "urumi_admin_number") == ["2"]
    assert shop.log_in(password=password(2))


def test_a_plugin_that_fails_keeps_nobody_out(used_shop: Callable[[], Shop]) -> None:
    shop = used_shop()
    file = shop.folder / "content/plugins/akismet/akismet.php"
    file.write_text("<?php /* Plugin Name: Akismet */ if (PHP_SAPI === 'cli') { exit(0); }")
    ask_password(shop, 2)
    shop.up()
    assert shop.log_in(password=password(2))


def test_a_new_store_begins_with_the_newest_password(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop()
    ask_password(shop, 10)
    (shop.folder / "agent-credentials/admin-password-9").write_text(password(9))
    (shop.folder / "agent-credentials/admin-password").write_text(FIRST)
    shop.up()
    assert remembered(shop, "urumi_admin_number") == ["10"]
    assert shop.log_in(password=password(10))
    assert not shop.log_in(password=FIRST)


def test_a_title_is_set_when_another_one_is_asked_for(used_shop: Callable[[], Shop]) -> None:
    shop = used_shop()
    asked = 'Kettles & "Co" <i>&amp;</i> 🫖 '
    ask_title(shop, asked)
    shop.up()
    assert title_of(shop) == asked

    shop.php("update_option('blogname', 'Mine now');")
    new_pods(shop)
    assert title_of(shop) == "Mine now"

    # A running pod is told by its files, and stays ready over it.
    ask_title(shop, "Pots")
    until("the agent has looked", lambda: remembered(shop, "urumi_title") == ["Pots"], 60, pause=0.5)
    assert title_of(shop) == "Pots"
    assert shop.ready
    # Back to what the platform was asked for before is another title too.
    ask_title(shop, asked)
    new_pods(shop)
    assert title_of(shop) == asked


def test_a_store_is_not_ready_before_its_title_is_set(used_shop: Callable[[], Shop]) -> None:
    shop = used_shop()
    shop.up()
    shop.sql(
        "CREATE TRIGGER stubborn BEFORE UPDATE ON wp_options FOR EACH ROW"
        " SET NEW.option_value = IF(NEW.option_name = 'blogname', 'Stubborn', NEW.option_value)"
    )
    before = remembered(shop, "urumi_title")
    ask_title(shop, "Pots")
    shop.delete_pods()
    shop.start()
    shop.until_status(NOT_YET)
    assert remembered(shop, "urumi_title") == before
    shop.sql("DROP TRIGGER stubborn")
    shop.until_ready()
    assert title_of(shop) == "Pots"


def test_a_store_that_is_older_than_this_keeps_its_owner_s_title(used_shop: Callable[[], Shop]) -> None:
    shop = used_shop()
    shop.up()
    shop.php("update_option('blogname', 'Mine now'); wp_set_password('mypassword', 1);")
    shop.sql("DELETE FROM wp_options WHERE option_name IN ('urumi_title', 'urumi_admin_number')")
    new_pods(shop)
    assert title_of(shop) == "Mine now"
    assert shop.log_in(password="mypassword")
    ask_title(shop, "Pots")
    ask_password(shop, 2)
    new_pods(shop)
    assert title_of(shop) == "Pots"
    assert shop.log_in(password=password(2))
