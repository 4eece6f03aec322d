"""A store with another host name than before is the shop of its new address; the former name leads there."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.images.containers import until
from tests.images.shop import ADDRESS, HOST, Roots, Shop

NEW_HOST = "kettles-p0x2.localhost:8088"
NEW_ADDRESS = f"http://{NEW_HOST}"
FORMER = HOST.partition(":")[0]


def move(shop: Shop, address: str, former: str) -> None:
    """As the chart mounts it for pods that are made from now on."""
    (shop.folder / "config/address").write_text(address)
    (shop.folder / "config/redirects").write_text(f"{former} {address}\n" if former else "")


@pytest.fixture(scope="module")
def shop(roots: Roots, volumes: Path) -> Iterator[Shop]:
    """A store that was READY at its first address and is READY again at the next one."""
    folder = Path(tempfile.mkdtemp(prefix="urumi-moved-"))
    folder.chmod(0o755)
    made = Shop(folder, roots, ("urumi-test-shop", "akismet"))
    try:
        made.take(volumes)
        move(made, NEW_ADDRESS, FORMER)
        made.up()
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)


def test_the_shop_is_at_its_new_address(shop: Shop) -> None:
    home = shop.ask("/", host=NEW_HOST)
    assert home.status == 200
    assert f"{NEW_ADDRESS}/" in home.body
    assert ADDRESS not in home.body
    # The same for whoever reads the database without wp-config.php.
    rows = shop.sql("SELECT option_value FROM wp_options WHERE option_name IN ('siteurl', 'home')")
    assert rows == [NEW_ADDRESS, NEW_ADDRESS]
    assert shop.sql("SELECT option_value FROM wp_options WHERE option_name = 'urumi_address'") == [
        NEW_ADDRESS
    ]


def test_its_owner_comes_in_at_the_new_address(shop: Shop) -> None:
    answer = shop.ask(
        "/wp-login.php",
        host=NEW_HOST,
        form={"log": "admin", "pwd": "adminpasswordadminpasswordadmin1"},
    )
    assert answer.headers["location"].startswith(f"{NEW_ADDRESS}/wp-admin/")
    session = {"Cookie": "; ".join(cookie.partition(";")[0] for cookie in answer.cookies)}
    page = shop.ask("/wp-admin/", host=NEW_HOST, headers=session)
    assert page.status == 200
    assert "wpadminbar" in page.body
    assert ADDRESS not in page.body


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/", "/"),
        ("/shop/?color=red&size=%C3%A9+1", "/shop/?color=red&size=%C3%A9+1"),
        ("/caf%C3%A9%20au%20lait/%2e%2e/x/", "/caf%C3%A9%20au%20lait/%2e%2e/x/"),
        ("/is%3Fno?query=1", "/is%3Fno?query=1"),
        ("/?to=https://elsewhere.example/?a&b", "/?to=https://elsewhere.example/?a&b"),
        ("//elsewhere.example/x", "//elsewhere.example/x"),
        ("/@elsewhere.example", "/@elsewhere.example"),
        ("/wp-login.php?redirect_to=%2Fwp-admin%2F", "/wp-login.php?redirect_to=%2Fwp-admin%2F"),
        ("/wp-admin/install.php", "/wp-admin/install.php"),
        ("/wp-content/uploads/no.png", "/wp-content/uploads/no.png"),
        (f"http://{HOST}/absolute/?form", "/absolute/?form"),
    ],
)
@pytest.mark.parametrize(
    ("method", "status"),
    [("GET", 301), ("HEAD", 301), ("POST", 308), ("PUT", 308), ("DELETE", 308), ("OPTIONS", 308)],
)
def test_the_former_name_leads_to_the_same_place(
    shop: Shop, method: str, status: int, path: str, there: str
) -> None:
    answer = shop.ask(path, host=HOST, method=method)
    assert (answer.status, answer.headers["location"]) == (status, NEW_ADDRESS + there)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.cookies == []


@pytest.mark.parametrize("host", [FORMER, FORMER.upper(), f"{FORMER}:80", HOST.title()])
def test_the_former_name_is_known_however_it_is_written(shop: Shop, host: str) -> None:
    answer = shop.ask("/x?y", host=host)
    assert (answer.status, answer.headers["location"]) == (301, f"{NEW_ADDRESS}/x?y")


@pytest.mark.parametrize("host", [NEW_HOST, f"www.{FORMER}", f"{FORMER}.example", "10.0.0.1", "redirects"])
def test_no_other_name_is_sent_anywhere_by_apache(shop: Shop, host: str) -> None:
    assert shop.ask("/wp-includes/images/blank.gif", host=host).status == 200
    probe = shop.ask("/wp-login.php", host=host, headers={"X-Urumi-Probe": "liveness"})
    assert (probe.status, probe.body) == (200, "alive\n")


def test_what_has_no_path_is_sent_to_the_address_itself_or_nowhere(shop: Shop) -> None:
    assert shop.ask(f"http://{HOST}", host=HOST).headers["location"].rstrip("/") == NEW_ADDRESS
    assert "location" not in shop.ask("*", host=HOST, method="OPTIONS").headers


def test_a_store_may_move_back_and_the_name_may_end_while_it_runs(shop: Shop) -> None:
    move(shop, NEW_ADDRESS, "")
    until(
        "the former name leads nowhere",
        lambda: shop.ask("/wp-includes/images/blank.gif", host=HOST).status == 200,
        5,
    )
    shop.delete_pods()
    move(shop, ADDRESS, NEW_HOST.partition(":")[0])
    shop.up()
    assert ADDRESS in shop.ask("/", host=HOST).body
    back = shop.ask("/x", host=NEW_HOST)
    assert (back.status, back.headers["location"]) == (301, f"{ADDRESS}/x")


def test_a_store_is_not_ready_before_its_database_has_the_address(shop: Shop) -> None:
    shop.sql(
        "CREATE TRIGGER stubborn BEFORE UPDATE ON wp_options FOR EACH ROW"
        " SET NEW.option_value = IF(NEW.option_name = 'home', OLD.option_value, NEW.option_value)"
    )
    before = shop.sql("SELECT option_value FROM wp_options WHERE option_name = 'urumi_address'")
    move(shop, "http://pots-m4n5.localhost:8088", FORMER)
    shop.delete_pods()
    shop.start()
    shop.until_status("The site is not set up as asked yet.")
    assert shop.sql("SELECT option_value FROM wp_options WHERE option_name = 'urumi_address'") == before
    shop.sql("DROP TRIGGER stubborn")
    shop.until_ready()
