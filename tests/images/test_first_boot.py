"""From two empty volumes to a shop that the owner can log in to, and nobody else before."""

from __future__ import annotations

import html
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from tests.images.containers import until
from tests.images.shop import EMAIL, PASSWORDS, TITLE, Shop

IDLE_AGENT = 40 * 2**20  # bytes


def log_in(shop: Shop, user: str = "admin", password: str = PASSWORDS["admin-password"]) -> bool:
    """Whether the login form lets the user in."""
    answer = shop.ask("/wp-login.php", form={"log": user, "pwd": password})
    return answer.status == 302 and any(one.startswith("wordpress_logged_in") for one in answer.cookies)


def test_the_front_page_has_the_title_as_typed(ready_shop: Shop) -> None:
    front = ready_shop.ask("/")
    assert front.status == 200
    # WordPress sets typographic apostrophes; all else is as typed.
    shown = html.unescape(front.body.partition("<title>")[2].partition("</title>")[0])
    assert shown.replace("\u2019", "'").replace("\u2018", "'").startswith(TITLE)
    assert (
        ready_shop.php("echo bin2hex(html_entity_decode(get_option('blogname'), ENT_QUOTES));")
        == TITLE.encode().hex()
    )


def test_the_owner_can_log_in_and_has_all_rights(ready_shop: Shop) -> None:
    assert log_in(ready_shop)
    assert not log_in(ready_shop, password="another")
    admins = ready_shop.php(
        "foreach (get_users(['role' => 'administrator']) as $u) echo $u->user_login, ' ', $u->user_email;"
    )
    assert admins == f"admin {EMAIL}"


def test_until_ready_nothing_but_the_agent_installs(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop()
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
    assert shop.ask("/wp-admin/install.php").status == 403
    assert shop.sql("SELECT user_login FROM wp_users") == ["admin"]


def test_what_apache_keeps_to_itself(ready_shop: Shop) -> None:
    uploads = ready_shop.folder / "content/uploads"
    (uploads / "wc-logs").mkdir()
    (uploads / "wc-logs/fatal.log").write_text("secret")
    (uploads / "shell.php").write_text("<?php echo 'run';")
    (uploads / "picture.txt").write_text("shown")
    assert ready_shop.ask("/wp-content/uploads/picture.txt").body == "shown"
    for path in ("uploads/shell.php", "uploads/wc-logs/fatal.log", ".urumi/installation"):
        assert ready_shop.ask(f"/wp-content/{path}").status == 403, path
    assert ready_shop.ask("/wp-config.php").body == ""


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


def test_the_idle_agent_is_small(ready_shop: Shop) -> None:
    def used() -> int:
        first = psutil.Process(ready_shop.agent.first_process())
        return sum(one.memory_info().rss for one in (first, *first.children(recursive=True)))

    def samples() -> Iterator[int]:
        for _ in range(20):
            time.sleep(0.1)
            yield used()

    smallest = min(samples())  # a child that looks at the database comes and goes
    print(f"idle agent: {smallest / 2**20:.1f} MiB")
    assert 5 * 2**20 < smallest < IDLE_AGENT


def test_the_agent_calls_due_cron(ready_shop: Shop) -> None:
    # Cron was called at READY already, so this waits for the next minute.
    ready_shop.php("wp_schedule_single_event(time() - 1, 'urumi_test_due');")

    def ran() -> bool:
        return ready_shop.php("echo wp_next_scheduled('urumi_test_due') ? 'waits' : 'ran';") == "ran"

    assert not ran()
    until("the due event has run", ran, 120)


def test_outbound_calls_are_refused_at_once(ready_shop: Shop) -> None:
    answer = ready_shop.php(
        "$began = microtime(true); $got = wp_remote_get('https://api.example.com/');"
        "echo $got->get_error_code(), ' ', microtime(true) - $began < 1 ? 'at once' : 'late';"
    )
    assert answer == "http_request_not_executed at once"


def test_without_the_database_the_web_server_lives_and_is_not_ready(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop()
    shop.up()
    shop.database.kill()
    assert shop.ask("/wp-login.php").status == 500
    alive = shop.ask("/wp-login.php", headers={"X-Urumi-Probe": "liveness"})
    assert (alive.status, alive.body) == (200, "alive\n")
    shop.until_status("The database does not answer.")
    shop.database.start()
    shop.until_ready()
    # A container that starts again finds the scratch folder of the last one.
    shop.web.kill()
    shop.web.start()
    until("the web server answers", lambda: shop.ask("/wp-login.php").status == 200)
    assert shop.agent.kill(signal.SIGTERM, seconds=1) == 0
    assert shop.web.kill(signal.SIGTERM, seconds=5) == 0
    assert shop.database.kill(signal.SIGTERM, seconds=30) == 0
    assert "Shutdown complete" in shop.database.output()


def test_a_database_that_stopped_holds_no_worker_of_the_web_server_for_long(
    new_shop: Callable[..., Shop],
) -> None:
    shop = new_shop()
    shop.up()
    server = shop.database.first_process()
    assert server is not None
    os.kill(server, signal.SIGSTOP)
    for _ in range(10):  # more than there are workers; each asker leaves, and the worker waits on
        shop.ask("/wp-login.php", seconds=0.2)
    probe = {"X-Urumi-Probe": "liveness"}
    assert shop.ask("/", headers=probe, seconds=1).status == 0
    until("a worker is free", lambda: shop.ask("/", headers=probe, seconds=1).status == 200, 60)
    shop.until_status("The database does not answer.")
    os.kill(server, signal.SIGCONT)
    shop.until_ready()


def test_a_volume_that_cannot_be_written_is_named(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop()
    content = Path(shop.folder / "content")
    content.chmod(0o555)
    assert shop.seed.run() == 1
    assert "/var/www/html/wp-content is not writable" in shop.seed.output()
    data = Path(shop.folder / "data")
    data.chmod(0o555)
    assert shop.database.run() == 1
    assert "/var/lib/mysql is not writable for uid 999" in shop.database.output()
