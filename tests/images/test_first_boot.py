"""From two empty volumes to a shop that the owner can log in to, and nobody else before."""

from __future__ import annotations

import html
from collections.abc import Callable

import psutil

from tests.images.shop import EMAIL, PASSWORDS, TITLE, Shop


def test_the_front_page_has_the_title_as_typed(ready_shop: Shop) -> None:
    front = ready_shop.ask("/")
    assert front.status == 200
    # WordPress sets typographic quotes and drops blanks at the end; all else is as typed.
    shown = html.unescape(front.body.partition("<title>")[2].partition("</title>")[0])
    for typographic, typed in (("\u2018", "'"), ("\u2019", "'"), ("\u201c", '"'), ("\u201d", '"')):
        shown = shown.replace(typographic, typed)
    assert shown.startswith(TITLE.rstrip())
    stored = ready_shop.php("echo bin2hex(html_entity_decode(get_option('blogname'), ENT_QUOTES));")
    assert bytes.fromhex(stored) == TITLE.encode()


def test_the_owner_can_log_in_and_has_all_rights(ready_shop: Shop) -> None:
    assert ready_shop.log_in()
    assert not ready_shop.log_in(password="another")
    admins = ready_shop.php(
        "foreach (get_users(['role' => 'administrator']) as $u) echo $u->user_login, ' ', $u->user_email;"
    )
    assert admins == f"admin {EMAIL}"


def test_until_ready_nothing_but_the_agent_installs(shop: Shop) -> None:
    shop.start()
    intruder = {
        "weblog_title": "Mine",
        "user_name": "intruder",
        "admin_password": "x",
        "admin_password2": "x",
        "pw_weak": "1",
        "admin_email": "intruder@example.com",
    }
    seen = set()
    while not shop.ready:
        seen.add(shop.ask("/wp-admin/install.php?step=2", form=intruder).status)
        seen.add(shop.ask("/wp-admin//setup-config.php?step=0").status)
        assert seen <= {0, 403}
    assert 403 in seen
    # Nobody but the agent has asked for a page so far.
    assert {"wp-login.php", "wp-includes/template-loader.php"} <= shop.cached_scripts()
    assert shop.ask("/wp-admin/install.php").status == 403
    assert shop.sql("SELECT user_login FROM wp_users") == ["admin"]


def test_the_containers_have_no_rights_and_no_writable_root(ready_shop: Shop) -> None:
    for container in (ready_shop.web, ready_shop.agent, ready_shop.database):
        status = container.execute("cat", "/proc/self/status").stdout
        assert "NoNewPrivs:\t1" in status
        assert "CapEff:\t0000000000000000" in status
        assert "CapBnd:\t0000000000000000" in status
        for folder in ("/etc", "/usr/local/bin", "/var/www/html", "/var/lib", "/home"):
            assert container.execute("touch", f"{folder}/x").returncode != 0, folder


def test_no_password_is_left_where_it_is_not_needed(ready_shop: Shop) -> None:
    folder = ready_shop.folder
    scratch = [*folder.glob("*-run/**/*"), *folder.glob("*-tmp/**/*"), *folder.glob("*.log")]
    for file in scratch:
        if file.is_file():
            content = file.read_bytes()
            assert not [name for name, value in PASSWORDS.items() if value.encode() in content], file
    for container in (ready_shop.web, ready_shop.agent, ready_shop.database):
        first = psutil.Process(container.first_process())
        for process in (first, *first.children(recursive=True)):
            told = " ".join(process.cmdline() + [f"{k}={v}" for k, v in process.environ().items()])
            assert not [value for value in PASSWORDS.values() if value in told], process


def test_a_volume_that_cannot_be_written_is_named(shop: Shop) -> None:
    (shop.folder / "content").chmod(0o555)
    shop.agent.start()
    assert shop.web.run() == 1
    assert "urumi-seed: /var/www/html/wp-content is not writable" in shop.web.output()
    shop.until_status("wp-content cannot be written.")
    assert shop.probe() == (1, "wp-content cannot be written.\n")
    assert "/var/www/html/wp-content is not writable" in shop.agent.output()
    shop.agent.kill()
    (shop.folder / "data").chmod(0o555)
    assert shop.database.run() == 1
    assert "/var/lib/mysql is not writable for uid 999" in shop.database.output()


def test_before_the_first_ready_everything_is_made_anew(shop: Shop) -> None:
    shop.start(web=False)
    shop.until_status("pages do not answer")
    for volume, user in (("data", 999), ("content", 33)):
        shop.delete_pods()
        shop.volume(volume, user)
        shop.start(web=False)
        shop.until_status("pages do not answer")
    shop.sql("DROP TABLE wp_usermeta")
    shop.web.start()
    shop.until_ready()
    assert shop.log_in()


def test_a_database_in_which_somebody_has_worked_is_never_made_anew(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop()
    shop.start(web=False)
    shop.until_status("pages do not answer")
    # What a dump brings that somebody loads into a store before its first READY.
    customer = "INSERT INTO wp_users (user_login, user_email) VALUES ('customer', 'customer@example.com')"
    for break_it, said in (
        ("DROP TABLE wp_postmeta", "Core tables are missing or broken. Restore a backup."),
        ("DROP TABLE urumi_installation", "belong to different installations. Restore a backup."),
    ):
        shop.agent.kill()
        shop.sql(f"{customer}; {break_it}")
        shop.restart_agent()
        shop.until_status(said)
        assert shop.sql("SELECT user_login FROM wp_users WHERE user_login = 'customer'") != []
        assert not shop.ready
