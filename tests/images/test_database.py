"""The database's entry point: killed first starts heal, and passwords are what the Secret says."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

from tests.images.containers import side_by_side, until
from tests.images.moments import moments
from tests.images.shop import PASSWORDS, Shop

ROTATED = {name: f"rotated{value}" for name, value in PASSWORDS.items()}


def root_gets_in(shop: Shop, *options: str) -> bool:
    """Whether root gets in over the socket."""
    done = shop.database.execute(
        "mariadb", "--socket=/run/mysqld/mysqld.sock", "--user=root", *options, "--execute=SELECT 1"
    )
    assert done.returncode == 0 or "Access denied" in done.stderr, done.stderr
    return done.returncode == 0


def test_killed_first_starts_heal(new_shop: Callable[..., Shop]) -> None:
    longest = _seconds_to_start(new_shop())
    shops = [new_shop(), new_shop()]
    unfinished: list[bool] = []

    def healed(shop: Shop, after: list[float]) -> None:
        for moment in after:
            shop.delete_pods()
            shop.volume("data", 999)
            shop.database.start()
            ready = _times_ready(shop)
            time.sleep(moment)
            shop.database.kill()
            unfinished.append(_times_ready(shop) == ready)
            shop.database.start()
            shop.until_database_answers()
            assert not root_gets_in(shop)
            assert shop.sql("SELECT user FROM mysql.global_priv WHERE user IN ('', 'root')") == ["root"]
            assert not (shop.folder / "data/.first-start").exists()

    # Two at a time take longer each, so the moments lie within the first start all the more.
    side_by_side(*(lambda n=n: healed(shops[n], moments(longest)[n::2]) for n in range(2)))
    assert sum(unfinished) >= len(unfinished) // 2, "the kills came too late to show anything"


def _seconds_to_start(shop: Shop) -> float:
    began = time.monotonic()
    shop.database.start()
    until("the database answers", lambda: _times_ready(shop) == 1, pause=0.005)
    return time.monotonic() - began


def _times_ready(shop: Shop) -> int:
    return shop.database.output().count("ready for connections")


def test_nobody_can_log_in_to_the_data_in_the_image(shop: Shop) -> None:
    shutil.copytree(shop.database.root / "usr/local/share/urumi/data", shop.folder / "data/data")
    for one in (shop.folder / "data").rglob("*"):
        shutil.chown(one, 999, 999)
    # The server alone, without the accounts that the entry point makes.
    shop.database.command = ["mariadbd", "--defaults-file=/etc/urumi/config/mariadb.cnf"]
    shop.database.start()
    until("the server is ready", lambda: _times_ready(shop) == 1)
    assert not root_gets_in(shop)
    shop.database.kill()
    shop.database.command = [*shop.database.command, "--skip-grant-tables"]
    shop.database.start()
    until("the server is ready again", lambda: _times_ready(shop) == 2)
    assert root_gets_in(shop)
    statement = "--execute=SELECT User, Host, JSON_VALUE(Priv, '$.account_locked') FROM mysql.global_priv"
    options = ("--socket=/run/mysqld/mysqld.sock", "--batch", "--skip-column-names", statement)
    assert shop.database.execute("mariadb", *options).stdout == "mariadb.sys\tlocalhost\t1\n"


def test_a_first_start_that_was_cut_short_is_not_taken_for_a_whole_one(shop: Shop) -> None:
    left = shop.folder / "data/.first-start/mysql"
    left.mkdir(parents=True)
    (left / "user.frm").write_text("half of it")
    for folder in (left, left.parent):
        shutil.chown(folder, 999, 999)
    shop.database.start()
    shop.until_database_answers()
    assert not (shop.folder / "data/.first-start").exists()


def test_a_copy_that_breaks_off_is_not_taken_for_data(shop: Shop) -> None:
    whole = shop.database.command
    broken = 'cp() { command cp "$@"; rm "${@: -1}/ibdata1"; return 1; }; export -f cp; exec "$0"'
    shop.database.command = ["bash", "-c", broken, *whole]
    assert shop.database.run() == 1
    shop.database.command = whole
    shop.database.start()
    shop.until_database_answers()


def test_accounts_are_as_they_should_be_after_a_restart(used_shop: Callable[[], Shop]) -> None:
    shop = used_shop()
    shop.database.start()
    shop.until_database_answers()
    shop.sql(
        "REVOKE ALL PRIVILEGES ON wordpress.* FROM wordpress; ALTER USER wordpress IDENTIFIED BY 'another'"
    )
    assert not shop.database_answers()
    shop.database.kill()
    shop.database.start()
    shop.until_database_answers()

    # The Secret's next number, and the restart that comes with it.
    shop.database.kill()
    for name in ("database-password", "database-root-password"):
        (shop.folder / "database-credentials" / name).write_text(ROTATED[name])
    shop.database.start()
    until("the new password works", lambda: shop.database_answers(ROTATED["database-password"]), pause=0.1)
    assert not shop.database_answers()
    assert root_gets_in(shop, f"--password={ROTATED['database-root-password']}")
    assert not root_gets_in(shop, f"--password={PASSWORDS['database-root-password']}")
    assert not root_gets_in(shop)


def test_two_servers_never_share_a_volume(new_shop: Callable[..., Shop]) -> None:
    one, other = new_shop(), new_shop()
    other.database.mounts = {**other.database.mounts, "/var/lib/mysql": one.folder / "data"}
    one.database.start()
    until("the first start has begun", lambda: "first start" in one.database.output(), pause=0.01)
    other.database.start()
    one.until_database_answers()
    assert other.database.output() == ""
    one.database.kill()  # as a node does at last with a pod that was deleted by force
    other.until_database_answers()
    assert "first start" not in other.database.output()
