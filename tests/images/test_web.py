"""The web server: what it keeps to itself, how it does without the outside world and without the database."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from itertools import groupby

import pytest

from tests.images.containers import until
from tests.images.shop import Shop
from tests.images.stopped import SECONDS, StoppedDatabase

AT_ONCE = 5.0  # seconds; the same pages take 10 to 90 when they ask the outside world
LIVENESS_FAILURES = 6  # of the chart


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


def test_the_walls_of_these_tests_are_closed(ready_shop: Shop) -> None:
    answer = ready_shop.php(
        "$began = microtime(true); @fsockopen('192.0.2.1', 443, $code, $text, 2);"
        "echo $text, ' ', microtime(true) - $began > 1.5 ? 'late' : 'at once';"
    )
    assert answer == "Connection timed out late"


@pytest.mark.parametrize("call", ["wp_remote_get", "wp_safe_remote_get"])
def test_outbound_calls_are_refused_at_once(ready_shop: Shop, call: str) -> None:
    answer = ready_shop.php(
        f"$began = microtime(true); $got = {call}('https://api.example.com/');"
        "echo $got->get_error_code(), ' ', microtime(true) - $began < 1 ? 'at once' : 'late';"
    )
    assert answer == "http_request_not_executed at once"


def test_admin_pages_do_not_wait_for_the_outside_world(ready_shop: Shop) -> None:
    session = {"Cookie": ready_shop.log_in()}
    for page in ("", "plugins.php", "update-core.php", "themes.php", "plugin-install.php", "site-health.php"):
        began = time.monotonic()
        answer = ready_shop.ask(f"/wp-admin/{page}", headers=session, seconds=60)
        took = time.monotonic() - began
        assert answer.status == 200, page
        assert "wpadminbar" in answer.body, page
        assert took < AT_ONCE, (page, took)


def test_a_restarted_web_server_is_warm_before_its_store_is_ready(used_shop: Callable[[], Shop]) -> None:
    shop = used_shop()
    shop.up()
    assert {"wp-login.php", "wp-includes/template-loader.php"} <= shop.cached_scripts()


def test_without_the_database_the_web_server_lives_and_is_not_ready(used_shop: Callable[[], Shop]) -> None:
    shop = used_shop()
    shop.up()
    shop.database.kill()
    assert shop.ask("/wp-login.php").status == 500
    alive = shop.ask("/wp-login.php", headers={"X-Urumi-Probe": "liveness"})
    assert (alive.status, alive.body) == (200, "alive\n")
    shop.restart_agent()  # it looks every twenty seconds
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


def test_the_agent_calls_due_cron_again_and_again(ready_shop: Shop) -> None:
    def ran() -> bool:
        return ready_shop.php("echo wp_next_scheduled('urumi_test_due') ? 'waits' : 'ran';") == "ran"

    # Cron was called at READY already, so this waits for the next minute.
    until("the due event has run", ran, 120, pause=1)


@pytest.mark.timeout(SECONDS + 120)
def test_a_stopped_database_restarts_no_web_server(stopped_database: StoppedDatabase) -> None:
    shop = stopped_database.shop
    stopped_database.go_on()
    in_a_row = [len(list(run)) for alive, run in groupby(stopped_database.alive) if not alive]
    assert max(in_a_row, default=0) < LIVENESS_FAILURES, stopped_database.alive
    assert shop.web.running
    shop.until_ready()
    assert shop.log_in()
