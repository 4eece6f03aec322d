"""A store's first boot: killed at random moments, and nobody's until it is whole."""

from __future__ import annotations

import html
import threading
from collections import Counter
from collections.abc import Callable

import httpx
import pytest

from tests.node.killer import Killer, Step
from tests.node.shops import Shop, Shops

Make = Callable[[int], list[Shop]]

SIDE_BY_SIDE = 6
ROUNDS = 2
MOMENTS = 10  # at least, of each step
STEPS = {
    "database": Step("database", ("mariadbd --defaults-file",), 0.3),
    "content": Step("storefront", ("urumi/seed.php",), 0.1),
    "install": Step("storefront", ("install-wordpress", "activate-plugins", "finish-site"), 1.5),
}


@pytest.mark.timeout(900)
def test_stores_killed_in_every_step_of_their_first_boot_become_whole(shops: Shops, make: Make):
    hits: Counter[str] = Counter()
    for number in range(ROUNDS):
        made = make(SIDE_BY_SIDE)
        killer = Killer(made, STEPS, seed=number)
        killer.start()
        try:
            shops.settle(made, seconds=300)
        finally:
            killer.end()
            print(*killer.moments, sep="\n")
        hits += killer.hits
        for shop in made:
            assert_whole(shop)
        shops.delete(made)
    assert all(hits[name] >= MOMENTS for name in STEPS), hits


@pytest.mark.timeout(600)
def test_nobody_gets_wordpress_before_it_is_whole(shops: Shops, make: Make):
    """Asked without a pause at the front door and at the Service, from before the pods are there."""
    (shop,) = make(1)
    seen: dict[str, Counter[str]] = {"door": Counter(), "service": Counter()}
    ready = threading.Event()
    askers = [threading.Thread(target=_ask, args=(shop, ready, counter, at)) for at, counter in seen.items()]
    for asker in askers:
        asker.start()
    shops.settle([shop])
    ready.set()
    for asker in askers:
        asker.join()
    # Whoever is answered by a shop at all is answered by this one, whole, with its installer closed.
    for counter in seen.values():
        assert set(counter) <= {"asked", "nobody", "404", "503", "403 install", "200 this shop"}, seen
    assert seen["door"]["404"] + seen["door"]["503"] > 50, seen
    assert seen["service"]["nobody"] > 50, seen
    assert shop.browser().post("/wp-admin/install.php?step=2").status_code == 403


@pytest.mark.timeout(600)
def test_eight_stores_are_ready_at_once(shops: Shops, make: Make):
    made = make(8)
    shops.settle(made, seconds=300)
    assert shops.world.states([shop.id for shop in made]) == {"READY": 8}
    for shop in made:
        assert shop.browser().get("/").status_code == 200
    shops.world.assert_healthy([shop.id for shop in made])


def assert_whole(shop: Shop) -> None:
    """What a new owner must find, whatever happened on the way."""
    assert sum(shop.restarts("database").values()) + sum(shop.restarts("storefront").values()) > 0
    owner = shop.owner()
    assert "Administrator" in owner.get("/wp-admin/users.php").text
    assert "urumi-test-shop" in owner.get("/wp-admin/plugins.php").text
    shopper = shop.browser()
    assert shopper.get("/").status_code == 200
    assert shopper.get("/wp-json/wc/store/v1/products").json() == []
    assert shopper.get("/wp-admin/install.php").status_code == 403


def _ask(shop: Shop, ready: threading.Event, seen: Counter[str], where: str) -> None:
    with shop.browser() as browser:
        while not ready.wait(0.005):
            if where == "service" and not str(browser.base_url).startswith("http://10."):
                browser.base_url = _service(shop) or browser.base_url
            for method, path in (("POST", "/wp-admin/install.php?step=2"), ("GET", "/")):
                seen["asked"] += 1
                try:
                    answer = browser.request(method, path, timeout=5)
                except httpx.TransportError:
                    seen["nobody"] += 1
                else:
                    seen[_kind(shop, path, answer)] += 1


def _service(shop: Shop) -> httpx.URL | None:
    """Where the store's Service is, past the front door."""
    found = shop.world.cluster.get(f"/api/v1/namespaces/{shop.namespace}/services/storefront")
    return httpx.URL(f"http://{found['spec']['clusterIP']}") if found else None


def _kind(shop: Shop, path: str, answer: httpx.Response) -> str:
    if answer.status_code in {404, 503}:
        return str(answer.status_code)
    if "install" in path:
        return f"{answer.status_code} install"
    whole = f"<title>{html.escape(shop.title)}" in answer.text
    return f"{answer.status_code} {'this shop' if whole else 'something else'}"
